"""The undo log: an append-only stream. Each entry is written by the script that makes the change.

An entry holds the client's compressed blob of all edits of a chunk and, unless all were applied, one letter per
document. Differences from the blob (a number that RedisJSON rounded; digests of lists after the change; the letters, if
the time of the script was over before its last document) are a separate entry directly behind it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from redstart.commands.keyspace import StreamEntry, hmget, xlen, xrevrange
from redstart.display import shortened
from redstart.effects import Op, call
from redstart.errors import StateVersionError, UndoLogCorruptError
from redstart.migrations.data.edits import DocumentEdits, edits_of_flat
from redstart.migrations.lease import Lease
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Edit

_COMPRESSION = 1
"""The fastest level of zlib: about 0.8 us per document."""

ENTRIES_PER_PAGE = 5
"""Each entry has up to 200 documents: a rollback holds no more of them in memory than a run with its default batch."""


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


def packed_entry(documents: Sequence[DocumentEdits]) -> bytes:
    """Return the edits of a chunk, to be compressed: plain documents as they are sent to the script."""
    packed: bytes = msgpack.packb([document.flat or _nested_form(document) for document in documents])
    return packed


def compressed(packed: bytes) -> bytes:
    """Return the blob of an entry."""
    return zlib.compress(packed, _COMPRESSION)


def entry_of(main: StreamEntry, addition: StreamEntry | None) -> JournalEntry:
    """Return an entry from the stream, with the differences that the script added. Only changed documents."""
    documents = _unpacked_blob(main.fields[b"blob"])
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
    written = main.fields.get(b"format", b"1")
    if written != b"1":
        raise StateVersionError(
            f"Entry {main.id} of the undo log {keys.journal} has format {shortened(written)}; "
            "this version of Redstart reads format 1.",
            "Use the version of Redstart that wrote the entry, or a newer one.",
        )
    try:
        return entry_of(main, addition)
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        zlib.error,
        msgpack.UnpackException,
    ) as exc:
        raise _unreadable(keys, main.id, str(exc) or type(exc).__name__) from exc


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


def _nested_form(document: DocumentEdits) -> list[object]:
    if document.compact is not None:
        return document.compact.entry()
    storage, guards = "json" if document.json else "hash", [path for path, _ in document.guards]
    if not document.is_atomic:
        edits = [[edit.location, edit.old, edit.new, edit.aside] for edit in document.edits]
        return [document.key, storage, edits, guards]
    grouped = [
        [edit.location, edit.old, edit.new, edit.aside, edit.expiry_of, edit.group] for edit in document.edits
    ]
    return [document.key, storage, grouped, guards, "atomic"]


def _unpacked_blob(blob: bytes) -> list[DocumentEdits]:
    data = msgpack.unpackb(zlib.decompress(blob), raw=True, use_list=False)
    return [
        DocumentEdits(item[0], False, edits_of_flat(item))
        if item[1] == b"plain"
        else _from_nested_form(*item)
        for item in data
    ]


def _from_nested_form(
    key: bytes, storage: bytes, edits: Any, guards: Any, atomic: object = None
) -> DocumentEdits:
    return DocumentEdits(
        key,
        storage == b"json",
        [_edit(*edit) for edit in edits],
        [(path.decode(), None) for path in guards],
        is_atomic=atomic is not None,
    )


def _edit(
    place: Any,
    old: bytes | None,
    new: bytes | None,
    aside: Any,
    expiry_of: Any = None,
    group: int | None = None,
) -> Edit:
    return Edit(
        _location(place),
        old,
        new,
        None if aside is None else _location(aside),
        expiry_of=None if expiry_of is None else _location(expiry_of),
        group=group,
    )


def _location(steps: Sequence[bytes | int]) -> tuple[str | int, ...]:
    return tuple(step if isinstance(step, int) else step.decode() for step in steps)


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
