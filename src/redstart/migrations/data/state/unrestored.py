"""Original values that a rollback has not restored: the part of the undo log that outlives it.

A failure mode put something else in the place of a value that has no numeric format, so the log has its last copy.
What cannot be restored goes from the log into this hash, and stays there until it is restored or dropped on request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack

from redstart.commands.keyspace import hlen, hmget, hscan
from redstart.display import one_line
from redstart.effects import Argument, Op, call
from redstart.errors import StateDamagedError
from redstart.migrations.data.planned.jsonpath import Location
from redstart.migrations.data.state.failures import SHOWN_KEY_CHARACTERS, Failure, failure_at, location_of
from redstart.migrations.data.state.keys import StateKeys

_PAGE_DOCUMENTS = 200


class Original(NamedTuple):
    """A value as it stood before the run.

    Attributes:
        entry: the id of its entry in the undo log.
        old, new: the original bytes, and what the run wrote in their place; None for "not there".
        aside: where quarantine moved the original.
        reason: why it is not restored; "" before that was tried.
        written_to: the place that it is about to be written to, if that is not its own.
        stands: whether its text stood at its place in a list already: perhaps it was restored, and the reply was lost.
    """

    entry: str
    location: Location
    old: bytes
    new: bytes | None
    aside: Location | None
    reason: str = ""
    written_to: Location | None = None
    stands: bool = False


@dataclass(frozen=True, slots=True)
class UnrestoredDocument:
    """The originals of one document, the newest first."""

    key: bytes
    json: bool
    originals: list[Original]

    def failures(self) -> list[Failure]:
        """Return each as it is shown, with its whole value."""
        return [
            failure_at(self.key, one.location, one.old, f"{NOT_RESTORED}{one.reason}", whole_value=True)
            for one in self.originals
        ]


NOT_RESTORED = "not restored: "


def unrestored_count(keys: StateKeys) -> Op[int]:
    """Return the number of documents that have such originals. One read."""
    return (yield from call(hlen(keys.unrestored)))


def unrestored_page(keys: StateKeys, cursor: int) -> Op[tuple[int, list[UnrestoredDocument]]]:
    """Return one step over all of them: the next cursor, 0 at the end, and some documents. One read."""
    cursor, fields = yield from call(hscan(keys.unrestored, cursor, count=_PAGE_DOCUMENTS))
    return cursor, [_unpacked(key, data) for key, data in fields.items()]


def all_unrestored(keys: StateKeys) -> Op[list[UnrestoredDocument]]:
    """Return all of them, sorted by key. A read for each 200 documents."""
    found: dict[bytes, UnrestoredDocument] = {}
    cursor = -1
    while cursor:
        cursor, page = yield from unrestored_page(keys, max(cursor, 0))
        found |= {document.key: document for document in page}
    return [found[key] for key in sorted(found)]


def add_unrestored(keys: StateKeys, documents: Sequence[UnrestoredDocument]) -> Op[list[list[Argument]]]:
    """Return the commands that add some to those that are kept already. One read; repeating it adds nothing."""
    if not documents:
        return []
    merged = {document.key: document for document in combined(documents)}
    kept = yield from call(hmget(keys.unrestored, list(merged)))
    both = [_unpacked(key, data) for key, data in zip(merged, kept, strict=True) if data is not None]
    return [keep_unrestored(keys, document) for document in combined([*both, *merged.values()])]


def keep_unrestored(keys: StateKeys, document: UnrestoredDocument) -> list[Argument]:
    """Return the command that keeps just these originals of a document; none at all removes it."""
    if not document.originals:
        return ["HDEL", keys.unrestored, document.key]
    data = ["json" if document.json else "hash", [list(one) for one in document.originals]]
    return ["HSET", keys.unrestored, document.key, msgpack.packb(data, unicode_errors="surrogatepass")]


def combined(documents: Sequence[UnrestoredDocument]) -> list[UnrestoredDocument]:
    """Return documents with each key once, and of each the originals once, the newest first."""
    found: dict[bytes, dict[tuple[str, Location], Original]] = {}
    json: dict[bytes, bool] = {}
    for document in documents:
        originals = found.setdefault(document.key, {})
        json[document.key] = document.json
        for one in document.originals:
            _ = originals.setdefault((one.entry, one.location), one)
    return [
        UnrestoredDocument(key, json[key], sorted(originals.values(), key=_age, reverse=True))
        for key, originals in found.items()
    ]


def _age(original: Original) -> tuple[int, ...]:
    return tuple(map(int, original.entry.split("-")))


def _unpacked(key: bytes, data: bytes) -> UnrestoredDocument:
    """Return the originals of a document as the server has them. Raises StateDamagedError."""
    try:
        storage, items = msgpack.unpackb(data, raw=True)
        return UnrestoredDocument(key, storage == b"json", [_original(*item) for item in items])
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as exc:
        raise StateDamagedError(
            "The originals that a rollback has not restored cannot be read for the document "
            f"{one_line(key, SHOWN_KEY_CHARACTERS)}.",
            "Restore the key that ends with :unrestored from a backup.",
        ) from exc


def _original(
    entry: bytes,
    location: Any,
    old: bytes,
    new: bytes | None,
    aside: Any,
    reason: bytes,
    written_to: Any,
    stands: bool,
) -> Original:
    return Original(
        entry.decode(),
        location_of(location),
        old,
        new,
        None if aside is None else location_of(aside),
        reason.decode(),
        None if written_to is None else location_of(written_to),
        stands,
    )
