"""The record of applied migration files on the server: the ledger. Other modules neither read nor write these keys.

A stamp changes it without a run of the files.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from redstart.commands.keyspace import get, hgetall
from redstart.commands.server_info import server_time
from redstart.display import printable
from redstart.effects import Argument, Op, call, pause
from redstart.errors import StateDamagedError, StateVersionError
from redstart.migrations.files.migration_file import MigrationFile, is_valid_id
from redstart.migrations.lease import Lease, under_lease
from redstart.migrations.state_keys import (
    LEDGER,
    LEDGER_COUNT,
    STARTED_FILES,
    Damage,
    of_other_types,
    require_none,
)
from redstart.next_steps import Command, Hint

FORMAT: Final = 1
_NAMED = 3
_READ_AGAIN_AFTER_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One applied migration file.

    Attributes:
        checksum: of the file when it was applied; see `MigrationFile`.
        applied_ms: when, by the server's clock, in milliseconds since 1970.
        applied_by: `user@host`.
        duration_ms: how long it took; None if it was recorded without being run.
        operations: what it did, one sentence for each operation.
        contracted_ms: when the values were removed that only the version before it needs; None if they were not.
    """

    migration_id: str
    checksum: str
    applied_ms: int
    applied_by: str
    duration_ms: int | None
    operations: tuple[str, ...]
    contracted_ms: int | None = None

    def save(self) -> list[Argument]:
        """Return the command that stores the entry."""
        data = {"format": FORMAT, **asdict(self)}
        del data["migration_id"]
        return ["HSET", LEDGER, self.migration_id, json.dumps(data, separators=(",", ":"))]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger as read.

    Attributes:
        entries: by id.
        damaged: the damage of the entries that cannot be read, by id.
        lost: how many entries are missing.
        started: the checksums of files whose run or rollback was started and is not complete, by id.
    """

    entries: Mapping[str, LedgerEntry]
    damaged: Mapping[str, Damage]
    lost: int = 0
    started: Mapping[str, str] = field(default_factory=dict)

    def require_intact(self, *, exempt: Collection[str] = (), may_be_lost: bool = False) -> None:
        """Raise StateDamagedError if an entry cannot be read, or if entries are missing.

        Args:
            exempt: ids of entries that may be damaged, because they are about to be replaced. Those of a newer
                version are never replaced.
            may_be_lost: whether entries may be missing.
        """
        damages = [
            damage
            for name, damage in self.damaged.items()
            if name not in exempt or issubclass(damage.error, StateVersionError)
        ]
        if self.lost and not may_be_lost:
            damages.append(self._loss())
        require_none(damages)

    def _loss(self) -> Damage:
        recorded = len(self.entries) + len(self.damaged)
        return Damage(
            "ledger",
            f"{LEDGER} has {recorded} entries, but {recorded + self.lost} migration files were recorded as applied: "
            "the record of the others is lost.",
            Hint(
                f"Restore {LEDGER} from a backup. Without one, record the applied files again with: ",
                Command("migrate stamp", "--to", "ID"),
            ),
        )


def read_ledger() -> Op[Ledger]:
    """Return the ledger. Four reads; seven if entries seem to be missing.

    Raises:
        StateDamagedError: one of the keys has another type, or the number of entries cannot be read.
    """
    kinds = [
        ("ledger", LEDGER, "hash"),
        ("ledger count", LEDGER_COUNT, "string"),
        ("started files", STARTED_FILES, "hash"),
    ]
    require_none((yield from of_other_types(kinds)))
    ledger = yield from _read()
    if ledger.lost:
        # Another process may have removed an entry between the two reads.
        yield from pause(_READ_AGAIN_AFTER_SECONDS)
        ledger = yield from _read()
    return ledger


def _read() -> Op[Ledger]:
    expected = _number((yield from call(get(LEDGER_COUNT))))
    fields = yield from call(hgetall(LEDGER))
    started = yield from call(hgetall(STARTED_FILES))
    entries: dict[str, LedgerEntry] = {}
    damaged: dict[str, Damage] = {}
    for name, data in sorted(fields.items()):
        migration_id = _text(name)
        found = _entry(migration_id, data)
        if isinstance(found, LedgerEntry):
            entries[migration_id] = found
        else:
            damaged[migration_id] = found
    return Ledger(
        entries,
        damaged,
        max(0, expected - len(fields)),
        {_text(name): _text(data) for name, data in started.items()},
    )


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _number(data: bytes | None) -> int:
    try:
        return int(data or 0)
    except ValueError as exc:
        raise StateDamagedError(
            f"{LEDGER_COUNT} is {printable(data)!r}, not a number: another program has written it.",
            f"Restore {LEDGER_COUNT} from a backup, or remove it with: redis-cli DEL {LEDGER_COUNT}",
        ) from exc


def _entry(migration_id: str, data: bytes) -> LedgerEntry | Damage:
    shown = printable(migration_id)
    try:
        stored = json.loads(data)
        if not isinstance(stored, dict):
            raise ValueError("it is not an object")
        written = stored.get("format")
        if isinstance(written, int) and written > FORMAT:
            return Damage(
                "ledger",
                f"The entry of {shown} in {LEDGER} has format {written}; this version of Redstart reads up to format "
                f"{FORMAT}.",
                "Use the version of Redstart that wrote it, or a newer one.",
                StateVersionError,
            )
        return LedgerEntry(
            migration_id,
            _checked(stored, "checksum", str),
            _checked(stored, "applied_ms", int),
            _checked(stored, "applied_by", str),
            _checked(stored, "duration_ms", int | None),
            tuple(_texts(stored)),
            _checked({"contracted_ms": None, **stored}, "contracted_ms", int | None),
        )
    except (ValueError, RecursionError) as exc:  # also of JSON and UTF-8 that cannot be read
        again = Hint("see the entry with: ", f"redis-cli HGETALL {LEDGER}")
        if is_valid_id(migration_id):
            again = Hint("record the file again with: ", Command("migrate stamp", migration_id))
        return Damage(
            "ledger",
            f"The entry of {shown} in {LEDGER} cannot be read: {printable(exc)}.",
            Hint(f"Restore {LEDGER} from a backup. Without one, ", again),
        )


def _checked(stored: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = stored.get(name)
    if name not in stored:
        raise ValueError(f"it has no {name}")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"its {name} is {printable(json.dumps(value))}")
    return value


def _texts(stored: Mapping[str, Any]) -> Iterable[str]:
    for text in _checked(stored, "operations", list):
        if not isinstance(text, str):
            raise ValueError(f"its operations contain {printable(json.dumps(text))}")
        yield text


def start(lease: Lease, file: MigrationFile) -> Op[None]:
    """Record that the run or rollback of a file has started, before its first write. Safe to repeat.

    Raises:
        See `Lease.commit`.

    Effects: one script.
    """
    yield from lease.commit([["HSET", STARTED_FILES, file.migration_id, file.checksum]])


def record(lease: Lease, entries: Iterable[LedgerEntry]) -> Op[None]:
    """Record files as applied, all in one step. Replaces their entries. Safe to repeat.

    Raises:
        See `Lease.commit`.

    Effects: one script, the atomic unit.
    """
    recorded = list(entries)
    saved = [entry.save() for entry in recorded]
    yield from lease.commit([*saved, *_not_started(entry.migration_id for entry in recorded), _RECOUNT])


def remove(lease: Lease, ids: Iterable[str]) -> Op[None]:
    """Remove files from the ledger, all in one step; a started one is not started any more. Safe to repeat.

    Raises:
        See `Lease.commit`.

    Effects: one script, the atomic unit.
    """
    removed = list(ids)
    entries: list[list[Argument]] = [["HDEL", LEDGER, name] for name in removed]
    yield from lease.commit([*entries, *_not_started(removed), _RECOUNT])


def _not_started(ids: Iterable[str]) -> list[list[Argument]]:
    return [["HDEL", STARTED_FILES, name] for name in ids]


_RECOUNT: list[Argument] = ["LENGTH", LEDGER_COUNT, LEDGER]


def record_without_running(acquiring: Op[Lease], files: Sequence[MigrationFile], user: str) -> Op[list[str]]:
    """Record files as applied, all in one step; but not those that a run has recorded in the meantime.

    Args:
        acquiring: the lease of the ledger.
        user: who records them.

    Returns:
        The ids of the recorded files.

    Raises:
        LeaseHeldError: a run is in progress; nothing was recorded.
        StateDamagedError: see `read_ledger`.

    Effects: acquires and releases the lease; reads the ledger; one script. Safe to repeat.
    """

    def work(lease: Lease) -> Op[list[str]]:
        known = (yield from read_ledger()).entries
        now_ms = yield from call(server_time())
        entries = [
            _entry_without_run(file, now_ms, user)
            for file in files
            if file.migration_id not in known or known[file.migration_id].checksum != file.checksum
        ]
        yield from record(lease, entries)
        return [entry.migration_id for entry in entries]

    return (yield from under_lease(acquiring, work))


def _entry_without_run(file: MigrationFile, now_ms: int, user: str) -> LedgerEntry:
    operations = tuple(operation.describe() for operation in file.operations)
    return LedgerEntry(file.migration_id, file.checksum, now_ms, user, None, operations)


def remove_from_record(acquiring: Op[Lease], ids: Sequence[str]) -> Op[None]:
    """Remove migrations from the ledger, all in one step.

    Raises:
        LeaseHeldError: a run is in progress; nothing was removed.

    Effects: acquires and releases the lease; one script. Safe to repeat.
    """

    def work(lease: Lease) -> Op[None]:
        yield from remove(lease, ids)

    yield from under_lease(acquiring, work)
