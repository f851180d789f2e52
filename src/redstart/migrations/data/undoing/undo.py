"""Undoing journaled edits: a value that is still what was written gets its original bytes back."""

from collections.abc import Sequence
from hashlib import sha1

from redstart.commands.documents import json_get
from redstart.effects import Op, batch, together
from redstart.migrations.data.planned.documents import DocumentEdits, Edit
from redstart.migrations.data.planned.jsonpath import Location, in_list, path_text, siblings_path
from redstart.migrations.data.reading.current import cleared_and_gone, texts_at
from redstart.migrations.data.state.journal import JournalEntry
from redstart.migrations.data.writing.apply import Applier, split_large
from redstart.migrations.data.writing.settle import MOST_TRIES


def inverse(document: DocumentEdits) -> DocumentEdits:
    """The edits that take a journaled document back, last edit first (what was added last is removed first)."""
    edits = [Edit(edit.location, edit.new, edit.old, edit.aside) for edit in reversed(document.edits)]
    return DocumentEdits(document.key, document.json, edits, document.guards)


def undo_entry(applier: Applier, entry: JournalEntry) -> Op[tuple[int, int]]:
    """Undo one entry, its last document first.

    Returns:
        Documents and values restored. What was changed or deleted since is left alone.

    Effects: a script per chunk; where documents changed since, a read of each and another script. Safe to repeat.
    """
    documents = values = 0
    pending = [
        part for document in reversed(entry.documents) for part in reversed(split_large(inverse(document)))
    ]
    for _ in range(MOST_TRIES):
        conflicts: list[DocumentEdits] = []
        for chunk in applier.chunks(pending):
            applied = yield from applier.apply(chunk, label=None)
            documents += len(applied.changed)
            values += sum(len(document.edits) for document in applied.changed)
            conflicts += applied.conflicts
        if not conflicts:
            break
        pending = []
        for document in conflicts:
            rest = yield from still_as_written(document)
            if rest.edits:
                pending.append(rest)
    return documents, values


def still_as_written(undo: DocumentEdits) -> Op[DocumentEdits]:
    """The edits of an undo that are still possible, with the guards they need. One or two reads."""
    places = [edit.location for edit in undo.edits] + [
        edit.aside for edit in undo.edits if edit.aside is not None
    ]
    found = yield from texts_at([(undo.key, undo.json, place) for place in places])
    texts = dict(zip(places, found, strict=True))
    if not undo.json:
        applied = [(undo.key, Edit(edit.location, edit.new, edit.old, edit.aside)) for edit in undo.edits]
        gone = yield from cleared_and_gone(applied)
        edits = [edit for edit in undo.edits if not gone and _is_as_written(edit, texts)]
        return DocumentEdits(undo.key, False, edits)
    replies = yield from batch(together([json_get(undo.key, path) for path, _ in undo.guards]))
    broken = [
        path
        for (path, digest), reply in zip(undo.guards, replies, strict=True)
        if not isinstance(reply, bytes) or sha1(reply, usedforsecurity=False).hexdigest().encode() != digest
    ]
    edits = [
        edit for edit in undo.edits if _is_as_written(edit, texts) and not _lies_under(edit.location, broken)
    ]
    guards = [guard for guard in undo.guards if guard[0] not in broken]
    return DocumentEdits(undo.key, True, edits, guards)


def _is_as_written(edit: Edit, texts: dict[Location, bytes | None]) -> bool:
    if texts[edit.location] != edit.old:
        return False
    # A quarantined value goes back only together with what was put in its place.
    return edit.aside is None or texts[edit.aside] == edit.new


def _lies_under(location: Location, paths: Sequence[str]) -> bool:
    if not in_list(location):
        return False
    return siblings_path(location) in paths or any(
        path_text(location[:length]) in paths for length in range(1, len(location))
    )
