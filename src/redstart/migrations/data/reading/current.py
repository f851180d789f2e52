"""Current bytes of documents at concrete locations."""

from collections.abc import Sequence

from redstart.commands.documents import hget, json_array_length, json_get
from redstart.commands.keyspace import key_type
from redstart.effects import Op, batch, together
from redstart.migrations.data.edits import DocumentEdits, Edit
from redstart.migrations.data.json_path import Location, path_text, sliced_list

Place = tuple[bytes, bool, Location]
"""The key of a document, whether it is JSON, and a location in it."""


def compared_with_edits(documents: Sequence[DocumentEdits]) -> Op[list[tuple[DocumentEdits, Edit, bool]]]:
    """Return each edit with its document, and whether its value is still as it was written.

    Effects: one read, and another one if anything was cleared.
    """
    edits = [(document, edit) for document in documents for edit in document.edits]
    found = yield from texts_at([(document.key, document.json, edit.location) for document, edit in edits])
    gone = yield from cleared_and_gone([(document.key, edit) for document, edit in edits])
    return [
        (document, edit, text == edit.new and document.key not in gone)
        for text, (document, edit) in zip(found, edits, strict=True)
    ]


def cleared_and_gone(edits: Sequence[tuple[bytes, Edit]]) -> Op[set[bytes]]:
    """Return the keys of deleted documents in which a value was cleared: like the edit, they have no value there.

    Args:
        edits: applied edits, with the keys of their documents.

    Effects: one read if anything was cleared.
    """
    keys = list(dict.fromkeys(key for key, edit in edits if edit.new is None and edit.aside is None))
    if not keys:
        return set()
    types = yield from batch(together([key_type(key) for key in keys]))
    return {key for key, found in zip(keys, types, strict=True) if found == b"none"}


def lists_at(guards: Sequence[tuple[bytes, str]]) -> Op[list[bytes | None]]:
    """What guards lists, as the script that writes makes digests of it; None where there is no document.

    Args:
        guards: keys and paths.

    Effects: one round trip, if there are any.
    """
    if not guards:
        return []
    sliced = [(key, list_path) for key, path in guards if (list_path := sliced_list(path)) is not None]
    replies = yield from batch(
        together([*(json_get(*guard) for guard in guards), *(json_array_length(*item) for item in sliced)])
    )
    lengths = iter(replies[len(guards) :])
    found: list[bytes | None] = []
    for (_, path), reply in zip(guards, replies, strict=False):
        text = reply if isinstance(reply, bytes) else None
        if sliced_list(path) is not None:
            length = next(lengths)
            if text is not None and isinstance(length, list) and length and length[0] is not None:
                text += b"%d" % length[0]
        found.append(text)
    return found


def texts_at(places: Sequence[Place]) -> Op[list[bytes | None]]:
    """Return the bytes at each location; None if there is no value (or a key of another type). One round trip."""
    calls = [
        json_get(key, path_text(location)) if json else hget(key, str(location[0]))
        for key, json, location in places
    ]
    replies = yield from batch(together(calls))
    return [_text(reply, json) for reply, (_, json, _) in zip(replies, places, strict=True)]


def _text(reply: object, json: bool) -> bytes | None:
    if not isinstance(reply, bytes):
        return None
    if not json:
        return reply
    return None if reply == b"[]" else reply[1:-1]
