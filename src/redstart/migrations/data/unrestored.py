"""Original values that a rollback could not restore: the part of the undo log that is kept after it.

If a failure mode replaced a value that cannot be converted, the undo log has its last copy. If it cannot be
restored, it is moved from the log into this hash, until it is restored or dropped on request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack

from redstart.commands.keyspace import hlen, hmget, hscan
from redstart.display import shown_key
from redstart.effects import Argument, Op, call
from redstart.errors import StateDamagedError
from redstart.mapping.value_paths import Location
from redstart.migrations.data.failures import failure_at, location_of
from redstart.migrations.failure import NOT_RESTORED, Failure
from redstart.migrations.state_keys import StateKeys

_PAGE_DOCUMENTS = 200


class Original(NamedTuple):
    """The value before the run.

    Attributes:
        entry: the id of its entry in the undo log.
        old, new: the original bytes, and those that the run wrote in their place; None for "no value".
        aside: the location to which quarantine moved the original.
        reason: why it is not restored; "" before the attempt.
        written_to: the location that it is about to be written to, if that is not its own.
        stands: whether its text was at its location in a list already: perhaps it was restored, and the reply was lost.
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
        """Return the failures, with whole values."""
        return [
            failure_at(self.key, one.location, one.old, f"{NOT_RESTORED}{one.reason}", whole_value=True)
            for one in self.originals
        ]


def unrestored_count(keys: StateKeys) -> Op[int]:
    """Return the number of documents with unrestored originals. One read."""
    return (yield from call(hlen(keys.unrestored)))


def unrestored_page(keys: StateKeys, cursor: int) -> Op[tuple[int, list[UnrestoredDocument]]]:
    """Return one page of the documents: the next cursor, 0 at the end, and some documents. One read."""
    cursor, fields = yield from call(hscan(keys.unrestored, cursor, count=_PAGE_DOCUMENTS))
    return cursor, [_unpacked(keys, key, data) for key, data in fields.items()]


def all_unrestored(keys: StateKeys) -> Op[list[UnrestoredDocument]]:
    """Return all documents, sorted by key. A read for each 200 documents."""
    found: dict[bytes, UnrestoredDocument] = {}
    cursor = -1
    while cursor:
        cursor, page = yield from unrestored_page(keys, max(cursor, 0))
        found |= {document.key: document for document in page}
    return [found[key] for key in sorted(found)]


def add_unrestored(keys: StateKeys, documents: Sequence[UnrestoredDocument]) -> Op[list[list[Argument]]]:
    """Return the commands that add documents to the stored ones. One read; safe to repeat."""
    if not documents:
        return []
    merged = {document.key: document for document in combined(documents)}
    kept = yield from call(hmget(keys.unrestored, list(merged)))
    both = [_unpacked(keys, key, data) for key, data in zip(merged, kept, strict=True) if data is not None]
    return [keep_unrestored(keys, document) for document in combined([*both, *merged.values()])]


def keep_unrestored(keys: StateKeys, document: UnrestoredDocument) -> list[Argument]:
    """Return the command that stores exactly these originals of a document; without any, it removes the document."""
    if not document.originals:
        return ["HDEL", keys.unrestored, document.key]
    data = ["json" if document.json else "hash", [list(one) for one in document.originals]]
    return ["HSET", keys.unrestored, document.key, msgpack.packb(data, unicode_errors="surrogatepass")]


def combined(documents: Sequence[UnrestoredDocument]) -> list[UnrestoredDocument]:
    """Return documents with each key once, and each original once, the newest first."""
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


def _unpacked(keys: StateKeys, key: bytes, data: bytes) -> UnrestoredDocument:
    """Return a document from its stored fields. Raises StateDamagedError."""
    try:
        storage, items = msgpack.unpackb(data, raw=True)
        return UnrestoredDocument(key, storage == b"json", [_original(*item) for item in items])
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as exc:
        raise StateDamagedError(
            f"The unrestored originals of a rollback cannot be read for the document {shown_key(key)}.",
            f"Restore the key {keys.unrestored} from a backup.",
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
