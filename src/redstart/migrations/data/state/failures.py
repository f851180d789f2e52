"""What could not be converted: a record per value, kept on the server until the next run begins anew.

Of a value that was replaced or moved there is a second record: the next run finds a number, and only an undo brings the
value back. That is kept until a rollback, or `forget`.
"""

import json
from dataclasses import dataclass

from redstart.commands.keyspace import hlen, hmget, hscan
from redstart.effects import Argument, Op, call
from redstart.mapping.paths import display
from redstart.migrations.data.planned.documents import StoredDocument, StoredValue
from redstart.migrations.data.state.keys import StateKeys
from redstart.migrations.lease import Lease

MOST_RECORDS = 100_000
"""More are counted, not kept."""

SHOWN_CHARACTERS = 80
"""Of a value; of a key or path `SHOWN_KEY_CHARACTERS`."""
SHOWN_KEY_CHARACTERS = 200
_PER_COMMIT = 500

REPLACED = "; replaced by "
MOVED = "; moved to "
"""In a reason, before what became of the value."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One value that was not converted: as it stood, why, and what became of it if it did not stay.

    `key`, `path` and `value` are text for people, shortened where long.
    """

    key: str
    path: str
    value: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return {"key": self.key, "path": self.path, "value": self.value, "reason": self.reason}

    @property
    def is_replaced(self) -> bool:
        """Whether something else stands in the value's place."""
        return REPLACED in self.reason or MOVED in self.reason

    def __str__(self) -> str:
        if not self.path:  # of a whole document, or an index
            return f"{self.key}: {self.reason}"
        return f"{self.key} {self.path}: {self.reason}: {self.value}"


def failure_of(document: StoredDocument, value: StoredValue, reason: str) -> Failure:
    """The record of one value as read."""
    return failure_at(document.key, display(value.location), value.raw, reason)


def failure_at(key: bytes, path: str, value: bytes, reason: str) -> Failure:
    """The record of what stands at a path: the only way to make one, for its key and path are its name."""
    return Failure(
        one_line(key, SHOWN_KEY_CHARACTERS),
        one_line(path.encode(), SHOWN_KEY_CHARACTERS),
        one_line(value, SHOWN_CHARACTERS),
        reason,
    )


class FailureLog:
    """The records on the server, one field each, so that recording a value twice is recording it once."""

    def __init__(self, keys: StateKeys, *, most_records: int = MOST_RECORDS) -> None:
        self._keys = keys
        self._most_records = most_records

    def count(self) -> Op[int]:
        """How many are recorded."""
        return (yield from call(hlen(self._keys.failures)))

    def recorded(self, failures: list[Failure]) -> Op[list[Failure | None]]:
        """For each what is on record of its place, or None. One read."""
        if not failures:
            return []
        names = [_field(failure.key, failure.path) for failure in failures]
        found = yield from call(hmget(self._keys.failures, names))
        return [
            None if data is None else _failure(name, data) for name, data in zip(names, found, strict=True)
        ]

    def unknown(self, failures: list[Failure]) -> Op[list[Failure]]:
        """Those of whose place nothing is recorded yet, each once. One read."""
        distinct = list(dict.fromkeys(failures))
        found = yield from self.recorded(distinct)
        return [failure for failure, known in zip(distinct, found, strict=True) if known is None]

    def record(self, lease: Lease, failures: list[Failure]) -> Op[list[Failure]]:
        """Record some, in place of what is on record of the same values; beyond 100,000 only count.

        Returns:
            Those of whose place nothing was recorded yet.

        Effects: a read or two, and a script per 500 that differ from the record. Safe to repeat but for that count.
        """
        distinct = list({(failure.key, failure.path): failure for failure in failures}.values())
        found = yield from self.recorded(distinct)
        changed = [f for f, known in zip(distinct, found, strict=True) if known is not None and known != f]
        new = [failure for failure, known in zip(distinct, found, strict=True) if known is None]
        room = max(0, self._most_records - (yield from self.count())) if new else 0
        kept = changed + new[:room]
        for start in range(0, len(kept), _PER_COMMIT):
            some = kept[start : start + _PER_COMMIT]
            replaced = [failure for failure in some if failure.is_replaced]
            names = ((self._keys.failures, some), (self._keys.replaced, replaced))
            yield from lease.commit([_kept(name, these) for name, these in names if these])
        if len(new) > room:
            yield from lease.commit([["HINCRBY", self._keys.record, "failures_not_kept", len(new) - room]])
        return new

    def remove(self, lease: Lease, places: list[tuple[str, str]]) -> Op[None]:
        """Remove what is on record of some values, given by key and path. A script per 500. Safe to repeat."""
        names = (self._keys.failures, self._keys.replaced)
        for start in range(0, len(places), _PER_COMMIT):
            fields = [_field(*place) for place in places[start : start + _PER_COMMIT]]
            yield from lease.commit([["HDEL", name, *fields] for name in names])

    def all(self, count: int = 500) -> Op[list[Failure]]:
        """Every record by key and path: of the last run, and of what it or an earlier one replaced. A read per 500."""
        found: dict[tuple[str, str], Failure] = {}
        for name in (self._keys.replaced, self._keys.failures):
            cursor = -1
            while cursor:
                cursor, fields = yield from call(hscan(name, max(cursor, 0), count=count))
                for failure in map(_failure, fields, fields.values()):
                    found[failure.key, failure.path] = failure
        return [found[place] for place in sorted(found)]

    def some(self, most: int) -> Op[list[Failure]]:
        """A few records of the last run, for showing. A read, or as many as it takes to find one."""
        cursor, fields = -1, dict[bytes, bytes]()
        while cursor and not fields:
            cursor, fields = yield from call(hscan(self._keys.failures, max(cursor, 0), count=most))
        return list(map(_failure, fields, fields.values()))[:most]


def _kept(name: str, failures: list[Failure]) -> list[Argument]:
    """The command that records some."""
    words: list[Argument] = ["HSET", name]
    for failure in failures:
        words += [_field(failure.key, failure.path), json.dumps([failure.value, failure.reason])]
    return words


def _field(key: str, path: str) -> bytes:
    return json.dumps([key, path], separators=(",", ":")).encode()


def _failure(name: bytes, data: bytes) -> Failure:
    key, path = json.loads(name)
    value, reason = json.loads(data)
    return Failure(key, path, value, reason)


def one_line(data: bytes, most: int) -> str:
    """Bytes as one printable line for people: other bytes escaped, the end cut off."""
    text = data[: most * 4].decode("utf-8", errors="backslashreplace")
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return text if len(text) <= most else text[: most - 1] + "…"
