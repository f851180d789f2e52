"""Reject quarantine targets that already hold a value."""

from collections.abc import Iterable

from redstart.commands.documents import hget, json_get
from redstart.effects import Call, Op, batch, together
from redstart.migrations.data.edits import DocumentEdits
from redstart.migrations.data.json_path import Location, path_text


def leave_out_taken(documents: Iterable[DocumentEdits]) -> Op[dict[tuple[bytes, Location], Location]]:
    """Remove the edits whose quarantine target already holds a value. One read if any value is to be quarantined.

    Returns:
        The occupied targets, by key and location of the failed value.
    """
    moves = [
        (document, edit.location, edit.aside)
        for document in documents
        if document.flat is None
        for edit in document.edits
        if edit.aside
    ]
    if not moves:
        return {}
    found = yield from batch(together([_read(document, aside) for document, _, aside in moves]))
    taken = {
        (document.key, location): aside
        for (document, location, aside), reply in zip(moves, found, strict=True)
        if isinstance(reply, bytes) and not (document.json and reply == b"[]")
    }
    for document, _, _ in moves:
        document.edits = [edit for edit in document.edits if (document.key, edit.location) not in taken]
    return taken


def _read(document: DocumentEdits, place: Location) -> Call[bytes | None]:
    return json_get(document.key, path_text(place)) if document.json else hget(document.key, str(place[0]))
