"""The undo log, an append-only stream, and the edits as the payload of the script that writes it.

Each entry is written by the script that makes the change. undo_blob.py has its encoder and decoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from redstart.commands.keyspace import StreamEntry, hmget, xlen, xrevrange
from redstart.display import shortened
from redstart.effects import Op, call
from redstart.errors import StateVersionError, UndoLogCorruptError
from redstart.mapping.value_paths import (
    Location,
    can_be_merged,
    can_be_read,
    can_be_set,
    in_list,
    merge_patch,
    path_text,
)
from redstart.migrations.data.edits import DocumentEdits
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.undo_blob import BLOB_ERRORS, documents_of
from redstart.migrations.data.undo_blob import FORMAT as UNDO_FORMAT
from redstart.migrations.lease import Lease
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Edit
from redstart.values.lossless_json import json_text

ENTRIES_PER_PAGE = 5
"""Each entry has the documents of one script, at most `MAX_DOCUMENTS` of applier.py."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """The documents changed by one script, with the bytes on the server before and after.

    Attributes:
        id: id in the stream; a replay continues before it.
        label: "generation.pass" of the run that wrote it.
        stream_entries: number of entries in the stream: two if the script added differences.
    """

    id: str
    label: str
    documents: list[DocumentEdits]
    stream_entries: int


def entry_of(main: StreamEntry, addition: StreamEntry | None) -> JournalEntry:
    """Return an entry from the stream, with the differences that the script added. Only changed documents."""
    documents = documents_of(main.fields[b"blob"], _format_of(main))
    if addition is not None:
        _add_read_back(documents, msgpack.unpackb(addition.fields[b"read_back"], raw=True))
        _add_digests(documents, msgpack.unpackb(addition.fields[b"digests"], raw=True))
        if b"removed" in addition.fields:
            _add_removed(documents, msgpack.unpackb(addition.fields[b"removed"], raw=True))
    codes = main.fields[b"applied"]
    if addition is not None:
        codes = addition.fields.get(b"applied", codes)
    codes = codes or b"a" * len(documents)
    changed = [document for document, code in zip(documents, codes, strict=True) if code == ord("a")]
    return JournalEntry(main.id, main.fields[b"label"].decode(), changed, 1 if addition is None else 2)


def entries_backwards(
    keys: StateKeys, before: str | None, count: int = ENTRIES_PER_PAGE
) -> Op[list[JournalEntry]]:
    """Return up to `count` entries, from the newest one on, or older than an id. One read, or two at a page's edge."""
    raw = yield from call(xrevrange(keys.journal, before=before, count=count))
    if raw and b"blob" not in raw[-1].fields:
        raw += yield from call(xrevrange(keys.journal, before=raw[-1].id, count=1))
    entries: list[JournalEntry] = []
    addition: StreamEntry | None = None
    for item in raw:
        if b"blob" in item.fields:
            entries.append(readable_entry(keys, item, addition))
            addition = None
        else:
            addition = item
    return entries


def check_entries(keys: StateKeys, newest: Sequence[StreamEntry]) -> None:
    """Raise UndoLogCorruptError or StateVersionError if the newest entry was not written by a run.

    Args:
        newest: the first entries from the newest one on; the last of them may lack its main entry.
    """
    addition: StreamEntry | None = None
    for item in newest:
        if b"blob" in item.fields:
            _ = readable_entry(keys, item, addition)
            return
        addition = item
    if newest:
        raise _unreadable(keys, newest[0].id, "it has no blob")


def require_readable_journal(keys: StateKeys, lease: Lease) -> Op[None]:
    """Raise UndoLogCorruptError if any entry cannot be read, before a rollback writes anything. Reads the whole log."""
    before: str | None = None
    while entries := (yield from entries_backwards(keys, before)):
        before = entries[-1].id
        yield from lease.keep()


def readable_entry(keys: StateKeys, main: StreamEntry, addition: StreamEntry | None) -> JournalEntry:
    """Like `entry_of`; raises UndoLogCorruptError or StateVersionError."""
    written = _format_of(main)
    if not written.isdigit():
        raise _unreadable(keys, main.id, "its format is not a number")
    if written not in (b"1", UNDO_FORMAT):
        raise StateVersionError(
            f"Entry {main.id} of the undo log {keys.journal} has format {shortened(written)}; "
            f"this version of Redstart reads up to format {UNDO_FORMAT.decode()}.",
            "Use the version of Redstart that wrote the entry, or a newer one.",
        )
    try:
        return entry_of(main, addition)
    except BLOB_ERRORS as exc:
        raise _unreadable(keys, main.id, str(exc) or type(exc).__name__) from exc


def _format_of(main: StreamEntry) -> bytes:
    return main.fields.get(b"format", b"1")


def _unreadable(keys: StateKeys, entry: str, reason: str) -> UndoLogCorruptError:
    return UndoLogCorruptError(
        f"Entry {entry} of the undo log {keys.journal} cannot be read: {reason}.",
        keys.restore_hint(),
    )


def check_journal(keys: StateKeys) -> Op[int]:
    """Return the number of entries.

    Raises:
        UndoLogCorruptError: the stream has fewer than were written: evicted, trimmed, or deleted by another client.
    """
    found = yield from call(xlen(keys.journal))
    (written,) = yield from call(hmget(keys.record, [b"journal_entries"]))
    if found != int(written or 0):
        raise UndoLogCorruptError(
            wrong_number_of_entries(keys, found, int(written or 0)),
            keys.restore_hint(),
        )
    return found


def wrong_number_of_entries(keys: StateKeys, found: int, written: int) -> str:
    """Return the message that the undo log has lost entries, or has some of another time."""
    if found < written:
        return f"The undo log is damaged: {found:,} of {written:,} entries exist (key {keys.journal})."
    return f"The undo log is damaged: it has {found:,} entries in place of {written:,} (key {keys.journal})."


def _add_read_back(documents: list[DocumentEdits], items: list[Any]) -> None:
    for document, edit, text in items:
        edits = documents[document].edits
        edits[edit] = edits[edit]._replace(new=text or None)


def _add_removed(documents: list[DocumentEdits], items: list[Any]) -> None:
    for document, edit, found in items:
        edits = documents[document].edits
        if isinstance(found, int):
            edits[edit] = edits[edit]._replace(expires_ms=found)
        else:
            edits[edit] = edits[edit]._replace(members=tuple(name.decode() for name in found))


def _add_digests(documents: list[DocumentEdits], items: list[Any]) -> None:
    for document, guard, digest in items:
        guards = documents[document].guards
        guards[guard] = (guards[guard][0], digest)


def nested_wire(
    document: DocumentEdits, processed: ProcessedDocuments | None, marks: ProcessedDocuments | None
) -> list[Any]:
    """Return a document that is not plain as apply.lua takes it: changes of edits first, then quarantine targets."""
    guards = [[path, digest or False] for path, digest in document.guards]
    counts = [document.converted, document.lossy, document.count]
    entry = [] if processed is None else list(processed.part_and_member(document.key))
    marked = [] if marks is None else [list(marks.part_and_member(mark)) for mark in document.marks]
    if document.json:
        orders = _member_orders(document)
        return [document.key, "json", *_json_changes(document), guards, counts, orders, entry, marked]
    changes = [
        _hash_change(edit.location, edit.old, edit.new, edit.aside or edit.expiry_of, edit.expires_ms)
        for edit in document.edits
    ]
    for edit in document.edits:
        if edit.aside is not None:
            changes.append(_hash_change(edit.aside, *_aside_bytes(edit), edit.location))
    changes += [_hash_change(place, raw, raw, None) for place, raw in document.unchanged]
    return [document.key, "hash", changes, "", guards, counts, [], entry, marked]


def _hash_change(
    place: Location, old: bytes | None, new: bytes | None, twin: Location | None, expires_ms: int = 0
) -> list[object]:
    fields: object = "" if twin is None else twin[0] if len(twin) == 1 else list(twin)
    return [place[0], _present(old), _present(new), fields, expires_ms]


def _member_orders(document: DocumentEdits) -> list[object]:
    """Return the paths of objects whose order is restored, each with paths and JSON text of its members' names."""
    orders = {edit.location[:-1]: edit.members for edit in document.edits if edit.members}
    return [[path_text(place), [_member(place, name) for name in names]] for place, names in orders.items()]


def _member(place: Location, name: str) -> list[object]:
    location = (*place, name)
    return [path_text(location) if can_be_read(location) else "", json_text(name)]


def _aside_bytes(edit: Edit) -> tuple[bytes | None, bytes | None]:
    """Return the quarantined value before and after: it is moved there, or (in a rollback) from there."""
    return (edit.new, None) if edit.restores else (None, edit.old)


def _present(data: bytes | None) -> bytes | bool:
    return False if data is None else data


def _json_changes(document: DocumentEdits) -> tuple[list[list[object]], bytes]:
    places: list[tuple[Location, bytes | None, bytes | None]] = []
    places += [(edit.location, edit.old, edit.new) for edit in document.edits]
    for edit in document.edits:
        if edit.aside is not None:
            places.append((edit.aside, *_aside_bytes(edit)))
    mergeable = [
        (location, new)
        for location, old, new in places
        if old is not None and new is not None and can_be_merged(new) and not in_list(location)
    ]
    # One MERGE re-indexes the document once; for a single plain value JSON.SET does the same for less.
    if len(mergeable) == 1 and can_be_set(mergeable[0][0]):
        mergeable = []
    merged = {location for location, _ in mergeable}
    changes: list[list[object]] = [
        [
            path_text(location),
            _present(old),
            _present(new),
            "patch" if location in merged else "set",
            path_text(location[:-1]) if new is None and not isinstance(location[-1], int) else "",
        ]
        for location, old, new in places
    ]
    changes += [
        [path_text(location), _present(raw), _present(raw), "set"] for location, raw in document.unchanged
    ]
    return changes, merge_patch(mergeable) if mergeable else b""
