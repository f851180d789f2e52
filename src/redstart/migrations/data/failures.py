"""Recorded failures: one record per failed value, kept on the server until the next run is started.

A value that was replaced or quarantined has a second record, because the next run finds a number, and only a rollback
restores the value. That record is kept until a rollback or `drop-undo-log`.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b

import msgpack

from redstart.commands.keyspace import hlen, hmget, hscan
from redstart.display import shown_value, whole_line
from redstart.effects import Argument, Op, call
from redstart.errors import StateDamagedError
from redstart.mapping.value_paths import Location, display
from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.migrations.data.record import counted
from redstart.migrations.failure import Failure, FailureSummary
from redstart.migrations.lease import Lease
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Hint

MAX_RECORDS = 100_000
"""Limit of records. Further failures are only counted."""

_PER_COMMIT = 500


def place_name(key: bytes, location: Location) -> bytes:
    """Return the identifier of a location: the whole key and each step, never the shown text."""
    packed: bytes = msgpack.packb([key, *location], unicode_errors="surrogatepass")
    return packed


def _name_of_text(key: bytes, path: str) -> bytes:
    if not path:
        return place_name(key, ())
    packed: bytes = msgpack.packb([key, None, path], unicode_errors="surrogatepass")
    return packed


def key_and_location(failure: Failure) -> tuple[bytes, Location]:
    """Return the whole key and the location of a failure."""
    key, *steps = msgpack.unpackb(failure.name, raw=True)
    return key, location_of(steps[1:] if _is_text(steps) else steps)


def _is_text(steps: Sequence[bytes | int | None]) -> bool:
    """Return whether only the shown text of a location is known. It follows a nil."""
    return bool(steps) and steps[0] is None


def failure_of(document: StoredDocument, value: StoredValue, reason: str) -> Failure:
    """Return the failure of one value as read."""
    return failure_at(document.key, value.location, value.raw, reason)


def failure_at(
    key: bytes, place: Location | str, value: bytes, reason: str, *, whole_value: bool = False
) -> Failure:
    """Return the failure at a location.

    Args:
        place: location in the document; text if only the shown text is known, "" for the whole document.
        reason: a path in front of it is removed if it is that of the value.
        whole_value: do not shorten the value, because this is its last copy.
    """
    path = place if isinstance(place, str) else display(place)
    name = _name_of_text(key, place) if isinstance(place, str) else place_name(key, place)
    digest = blake2b(value, digest_size=8).hexdigest()
    text = whole_line(value) if whole_value else shown_value(value)
    return _failure(name, key, path, text, reason.removeprefix(f"{path}: ") if path else reason, digest)


def _failure(name: bytes, key: bytes, path: str, value: str, reason: str, digest: str) -> Failure:
    shown = whole_line(path.encode(errors="surrogatepass"))
    return Failure(name, whole_line(key), shown, value, reason, digest)


class FailureLog:
    """The recorded failures on the server, one field each, so that recording a value again changes nothing."""

    def __init__(self, keys: StateKeys, *, most_records: int = MAX_RECORDS) -> None:
        self._keys = keys
        self._most_records = most_records

    def count(self) -> Op[int]:
        """Return the number of recorded failures.

        Effects: one read.
        """
        return (yield from call(hlen(self._keys.failures)))

    def recorded(self, failures: list[Failure]) -> Op[list[Failure | None]]:
        """Return for each failure the one that is recorded at the same location, or None. One read."""
        if not failures:
            return []
        found = yield from call(hmget(self._keys.failures, [failure.name for failure in failures]))
        return [
            None if data is None else self._read(failure.name, data)
            for failure, data in zip(failures, found, strict=True)
        ]

    def unknown(self, failures: list[Failure]) -> Op[list[Failure]]:
        """Return the failures whose location has no recorded failure yet, each once. One read."""
        distinct = list({failure.name: failure for failure in reversed(failures)}.values())[::-1]
        found = yield from self.recorded(distinct)
        return [failure for failure, known in zip(distinct, found, strict=True) if known is None]

    def record(self, lease: Lease, failures: list[Failure]) -> Op[list[Failure]]:
        """Record failures, and replace those at the same locations; beyond 100,000, only count them.

        Returns:
            The failures whose location had no recorded failure.

        Effects: one or two reads, and a script per 500 changed failures. Safe to repeat except for the count.
        """
        distinct = list({failure.name: failure for failure in failures}.values())
        found = yield from self.recorded(distinct)
        changed = [f for f, known in zip(distinct, found, strict=True) if known is not None and known != f]
        new = [failure for failure, known in zip(distinct, found, strict=True) if known is None]
        room = max(0, self._most_records - (yield from self.count())) if new else 0
        kept = changed + new[:room]
        for start in range(0, len(kept), _PER_COMMIT):
            some = kept[start : start + _PER_COMMIT]
            replaced = [failure for failure in some if failure.is_replaced]
            names = ((self._keys.failures, some), (self._keys.replaced, replaced))
            commands = [_kept(name, these) for name, these in names if these]
            yield from lease.commit([*commands, *counted(self._keys, "failures", "replaced")])
        if len(new) > room:
            yield from lease.commit([["HINCRBY", self._keys.record, "failures_not_kept", len(new) - room]])
        return new

    def remove(self, lease: Lease, names: Sequence[bytes]) -> Op[None]:
        """Remove the recorded failures with these names. A script per 500. Safe to repeat."""
        for start in range(0, len(names), _PER_COMMIT):
            some = names[start : start + _PER_COMMIT]
            hashes = (self._keys.failures, self._keys.replaced)
            commands: list[list[Argument]] = [["HDEL", key, *some] for key in hashes]
            yield from lease.commit([*commands, *counted(self._keys, "failures", "replaced")])

    def all(self, count: int = 500) -> Op[list[Failure]]:
        """Return all recorded failures by key and path, with replaced values of earlier runs. A read per 500."""
        found: dict[bytes, Failure] = {}
        for name in (self._keys.replaced, self._keys.failures):
            cursor = -1
            while cursor:
                cursor, fields = yield from call(hscan(name, max(cursor, 0), count=count))
                found |= {place: self._read(place, data) for place, data in fields.items()}
        return sorted(found.values(), key=lambda failure: (failure.key, failure.path, failure.name))

    def names_by_key(self, is_wanted: Callable[[bytes], bool]) -> Op[dict[bytes, set[bytes]]]:
        """Return the names of the recorded failures of some documents by their keys. A read per 500."""
        found: dict[bytes, set[bytes]] = {}
        if (yield from self.count()):
            for failure in (yield from self.all()):
                key, _ = key_and_location(failure)
                if is_wanted(key):
                    found.setdefault(key, set()).add(failure.name)
        return found

    def summary(self, count: int = 500) -> Op[FailureSummary]:
        """Return the records of the last run by cause. A read per 500."""
        found = FailureSummary()
        cursor = -1
        while cursor:
            cursor, fields = yield from call(hscan(self._keys.failures, max(cursor, 0), count=count))
            found.add(self._read(name, data) for name, data in fields.items())
        return found

    def some(self, most: int) -> Op[list[Failure]]:
        """Return a few failures of the last run as examples. One read, or more until one is found."""
        cursor, fields = -1, dict[bytes, bytes]()
        while cursor and not fields:
            cursor, fields = yield from call(hscan(self._keys.failures, max(cursor, 0), count=most))
        return [self._read(name, data) for name, data in fields.items()][:most]

    def _read(self, name: bytes, data: bytes) -> Failure:
        """Return a failure from its stored fields. Raises StateDamagedError."""
        try:
            key, *steps = msgpack.unpackb(name, raw=True, strict_map_key=False)
            value, reason, digest = json.loads(data)
            path = steps[1].decode(errors="surrogatepass") if _is_text(steps) else display(location_of(steps))
            return _failure(name, key, path, value, reason, digest)
        except (ValueError, TypeError, AttributeError, IndexError) as exc:
            raise StateDamagedError(
                f"{self._keys.failures} or {self._keys.replaced} has a field that this version cannot read: "
                f"{shown_value(name)}.",
                Hint(
                    "Restore both keys from a backup, or roll back without them: ",
                    self._keys.rollback_command(),
                ),
            ) from exc


def location_of(steps: Sequence[bytes | int]) -> Location:
    """Return a location that msgpack has read."""
    return tuple(step if isinstance(step, int) else step.decode(errors="surrogatepass") for step in steps)


def _kept(name: str, failures: list[Failure]) -> list[Argument]:
    """Return the command that records some failures."""
    command: list[Argument] = ["HSET", name]
    for failure in failures:
        command += [failure.name, json.dumps([failure.value, failure.reason, failure.digest])]
    return command
