"""Check that the keys of a data migration exist, can be read, and match each other.

Before a rollback, the undo log must also be complete, and of this migration.
"""

from collections.abc import Collection, Mapping
from typing import Any

from redstart.commands.keyspace import (
    StreamEntry,
    get,
    hgetall,
    hlen,
    hmget,
    key_type,
    scard,
    xlen,
    xrevrange,
)
from redstart.display import printable
from redstart.effects import Op, batch, call, gather
from redstart.errors import (
    CheckpointCorruptError,
    CheckpointVersionError,
    MigrationError,
    StateDamagedError,
    UndoLogCorruptError,
)
from redstart.migrations.context import Context
from redstart.migrations.data.checkpoint import checkpoint_from
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.record import (
    Record,
    check_census,
    is_recorded_without_state,
    read_record,
    record_from,
    sets_of,
)
from redstart.migrations.data.undo_log import check_entries, check_journal, wrong_number_of_entries
from redstart.migrations.data.unrestored import unrestored_count, unrestored_page
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import lease_damage
from redstart.migrations.state_keys import (
    APPLIED_MIGRATIONS,
    DATA_RUNS,
    Damage,
    StateKeys,
    confirmed,
    foreign_type,
    require_none,
)
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command, Hint

LISTS = ("failures", "replaced")
"""Keys that only list values for people. A rollback does not need them."""


def require_intact_data(keys: StateKeys, *, exempt: Collection[str] = ()) -> Op[None]:
    """Raise StateDamagedError if a key of a data migration is missing or damaged, or does not match the others.

    Args:
        exempt: parts that may be damaged (see `Damage.part`).

    Effects: reads only.
    """
    require_none(one for one in (yield from find_data_damage(keys)) if one.part not in exempt)


def find_data_damage(keys: StateKeys) -> Op[list[Damage]]:
    """Return the damage of the keys of a data migration. Two or three reads; twice if there is any."""
    return (yield from confirmed(lambda: _look(keys)))


def _look(keys: StateKeys) -> Op[list[Damage]]:
    expected = {
        "fence": (keys.lease.fence, "string"),
        "lease": (keys.lease.lease, "hash"),
        "checkpoint": (keys.checkpoint, "string"),
        "record": (keys.record, "hash"),
        "census": (keys.census, "set"),
        "journal": (keys.journal, "stream"),
        "failures": (keys.failures, "hash"),
        "replaced": (keys.replaced, "hash"),
        "unrestored": (keys.unrestored, "hash"),
        "applied": (APPLIED_MIGRATIONS, "set"),
        "runs": (DATA_RUNS, "hash"),
    }
    types: list[Any] = yield from batch(gather([key_type(key.encode()) for key, _ in expected.values()]))
    kinds = {
        part: kind.decode() if isinstance(kind, bytes) else "none"
        for part, kind in zip(expected, types, strict=True)
    }
    foreign = [
        foreign_type(part, key, kinds[part], kind)
        for part, (key, kind) in expected.items()
        if kinds[part] not in (kind, "none")
    ]
    damage: list[Damage] = []
    if kinds["lease"] == "hash" and (lease := (yield from call(hgetall(keys.lease.lease)))):
        damage = lease_damage(keys.lease, lease)
    if foreign:
        return foreign + damage
    if kinds["unrestored"] == "hash":
        damage += yield from _damage_of_unrestored(keys)
    return damage + (yield from _compared(keys, {part for part, kind in kinds.items() if kind != "none"}))


def _damage_of_unrestored(keys: StateKeys) -> Op[list[Damage]]:
    """Return the damage of the first unrestored originals. One read."""
    try:
        _ = yield from unrestored_page(keys, 0)
    except StateDamagedError as exc:
        return [Damage("unrestored", f"{keys.unrestored}: {exc.message}", _unrestored_hint(keys), type(exc))]
    return []


def _unrestored_hint(keys: StateKeys) -> Hint:
    return Hint(
        "Restore it from a backup: it has the last copies of these values. To give them up: ",
        Command("migrate-data drop-undo-log", keys.migration_id),
    )


def _compared(keys: StateKeys, existing: set[str]) -> Op[list[Damage]]:
    """Return the differences between the keys."""
    kept = existing & {"checkpoint", "census", "journal", *LISTS}
    if "record" not in existing and "journal" not in existing:
        return (yield from _damage_without_record(keys))
    if "record" not in existing:
        names = ", ".join(sorted(getattr(keys, part) for part in kept))
        return [
            Damage(
                "record",
                f"{keys.record} is missing, but other keys of the migration exist ({names}): "
                "without it converted values cannot be rolled back.",
                keys.restore_hint(),
            )
        ]
    replies: list[Any] = yield from batch(
        gather(
            [
                hgetall(keys.record),
                get(keys.checkpoint),
                xlen(keys.journal),
                xrevrange(keys.journal, before=None, count=2),
                scard(keys.census),
                hlen(keys.failures),
                hlen(keys.replaced),
                hlen(keys.unrestored),
            ]
        )
    )
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    fields, saved, entries, newest, census, failures, replaced, unrestored = replies
    try:
        record = record_from(keys, fields)
    except StateDamagedError as exc:
        return [Damage("record", exc.message, exc.next_step, type(exc))]
    if record.is_new and not (entries or record.applied or record.plan or record.unrestored_members):
        return (yield from _damage_without_record(keys))
    found = yield from _damage_of_generation(keys, record)
    found += _damage_of_record(keys, record)
    found += _damage_of_checkpoint(keys, record, saved)
    found += _damage_of_journal(keys, record, entries, newest)
    found += yield from _damage_of_sets(keys, record)
    return found + _damage_of_counts(
        keys,
        record,
        {"census": census, "failures": failures, "replaced": replaced, "unrestored": unrestored},
    )


def _damage_of_generation(keys: StateKeys, record: Record) -> Op[list[Damage]]:
    """Return the damage of a record that is older or newer than the marker of its last run."""
    (marker,) = yield from call(hmget(DATA_RUNS, [keys.migration_id]))
    if marker is None or marker == b"%d" % record.generation:
        return []
    return [
        Damage(
            "record",
            f"{keys.record} is of run {record.generation}, but {DATA_RUNS} has "
            f"{marker.decode(errors='backslashreplace')!r}: the keys were restored from another time.",
            keys.restore_hint(),
        )
    ]


def _damage_of_counts(keys: StateKeys, record: Record, counts: Mapping[str, int]) -> list[Damage]:
    """Return damage of keys whose number of entries differs from the record."""
    recorded = {
        # Format 1 counts only the census, which may have grown since.
        "census": max(counts["census"], record.census_values or 0)
        if record.census_members is None
        else record.census_members,
        "failures": record.failures_members,
        "replaced": record.replaced_members,
        "unrestored": record.unrestored_members,
    }
    hints = {
        "failures": Hint("List the failed values again with: ", keys.run_command()),
        "replaced": Hint(
            "Restore it from a backup; or restore the values with: ",
            keys.rollback_command(),
        ),
        "unrestored": _unrestored_hint(keys),
    }
    names = {"census": f"The list of pre-existing numbers ({keys.census})"}
    return [
        Damage(
            part,
            f"{names.get(part, getattr(keys, part))} has {counts[part]:,} entries; {keys.record} counts {expected:,}.",
            hints.get(part, keys.restore_hint()),
            UndoLogCorruptError,
        )
        for part, expected in recorded.items()
        if expected is not None and counts[part] != expected
    ]


def _damage_of_sets(keys: StateKeys, record: Record) -> Op[list[Damage]]:
    """Return the damage of sets of documents that have lost members: these documents would be changed twice.

    Effects: a read for each 100,000 documents that the sets can have.
    """
    found: list[Damage] = []
    for documents in sets_of(keys, record):
        counted = record.members.get(documents.counted_as, 0)
        existing = (yield from documents.count()) if counted else 0
        if existing < counted:
            message = (
                f"The sets {documents.prefix}* have {existing:,} of the {counted:,} documents that {keys.record} "
                "counts: which documents are converted is not certain."
            )
            hint = Hint(
                "Restore these keys from a backup. Without one, correct the documents, give up the undo log with: ",
                Command("migrate-data drop-undo-log", keys.migration_id),
                ", and record the file as applied with: ",
                Command("migrate stamp", keys.migration_id),
            )
            found.append(Damage("processed", message, hint, UndoLogCorruptError))
    return found


def _damage_of_record(keys: StateKeys, record: Record) -> list[Damage]:
    return (
        [Damage("record", f"{keys.record} lacks fields: {', '.join(record.lost)}.", keys.restore_hint())]
        if record.lost
        else []
    )


def _damage_without_record(keys: StateKeys) -> Op[list[Damage]]:
    """Return damage where no key has a record of converted values. Two reads."""
    (run,) = yield from call(hmget(DATA_RUNS, [keys.migration_id]))
    if run is None:
        return _damage_before_first_write(keys, (yield from call(get(keys.checkpoint))))
    return [
        Damage(
            "record",
            f"{keys.record} and the undo log {keys.journal} are missing, but {DATA_RUNS} counts runs of this "
            f"migration: {printable(run)}. "
            "Without them converted values cannot be rolled back.",
            keys.restore_hint(),
        )
    ]


def _damage_before_first_write(keys: StateKeys, saved: bytes | None) -> list[Damage]:
    """Return damage before the first conversion. Without an undo log, the other keys are leftovers.

    They remain if a server restarts during a run and loses its last writes. The next run replaces them.
    """
    if saved is None:
        return []
    try:
        _ = checkpoint_from(keys, saved)
    except StateDamagedError as exc:
        return [Damage("checkpoint", exc.message, exc.next_step or keys.start_over_hint(), type(exc))]
    return []


def _damage_of_checkpoint(keys: StateKeys, record: Record, saved: bytes | None) -> list[Damage]:
    if saved is None:
        if not record.unfinished:
            return []
        message = f"{keys.checkpoint}, the checkpoint of an interrupted {record.unfinished}, is missing."
        return [Damage("checkpoint", message, keys.start_over_hint(), CheckpointCorruptError)]
    try:
        checkpoint = checkpoint_from(keys, saved)
    except StateDamagedError as exc:
        return [Damage("checkpoint", exc.message, exc.next_step or keys.start_over_hint(), type(exc))]
    if checkpoint.generation == record.generation:
        return []
    message = (
        f"The checkpoint {keys.checkpoint} is of run {checkpoint.generation}, "
        f"but {keys.record} is of run {record.generation}."
    )
    return [Damage("checkpoint", message, keys.start_over_hint(), CheckpointVersionError)]


def _damage_of_journal(
    keys: StateKeys, record: Record, entries: int, newest: list[StreamEntry]
) -> list[Damage]:
    if entries != record.journal_entries:
        message = wrong_number_of_entries(keys, entries, record.journal_entries)
        return [Damage("journal", message, keys.restore_hint(), UndoLogCorruptError)]
    if newest and record.journal_last and newest[0].id != record.journal_last:
        message = (
            f"The newest entry of the undo log {keys.journal} is {newest[0].id}; "
            f"according to {keys.record} it is {record.journal_last}."
        )
        return [Damage("journal", message, keys.restore_hint(), UndoLogCorruptError)]
    try:
        check_entries(keys, newest)
    except StateDamagedError as exc:
        return [Damage("journal", exc.message, exc.next_step or keys.restore_hint(), type(exc))]
    return []


def require_undoable(context: Context) -> Op[None]:
    """Raise the error that a rollback would be refused with, without writing anything but the lease.

    Raises:
        See `rollback`.

    Effects: acquires and releases the lease; reads the undo log.
    """

    def work(_lease: Lease) -> Op[None]:
        record = yield from read_record(context.keys)
        if record.plan is not None:
            _ = yield from require_whole(context, record, record.plan)
        else:
            yield from require_undo_log(context.keys, record)

    yield from context.under_lease(work)


def require_undo_log(keys: StateKeys, record: Record) -> Op[None]:
    """Raise MigrationError if no original is left to restore, and values are converted, or recorded as converted.

    Raises:
        MigrationError: the undo log was dropped; or redis-om's record has the migration as applied, and there is no
            state of it.
    """
    if record.plan is not None or (yield from unrestored_count(keys)):
        return
    if record.without_undo_log:
        raise MigrationError(
            f"Cannot roll back {keys.migration_id}: its undo log was dropped. "
            f"{record.without_undo_log:,} values stay converted.",
            "To restore the originals, use a backup.",
        )
    if (yield from is_recorded_without_state(keys, record)):
        raise MigrationError(
            f"Cannot roll back {keys.migration_id}: {APPLIED_MIGRATIONS} lists it as applied, but the "
            f"state of Redstart ({keys.record} and others) is missing. It was lost, or redis-om converted the data.",
            Hint(
                "To restore the originals, use a backup. See which format the data has with: ",
                Command("migrate-data verify"),
            ),
        )


def require_intact_for_undo(keys: StateKeys) -> Op[None]:
    """Raise StateDamagedError if a key that a rollback needs is missing or damaged. Reads only."""
    yield from require_intact_data(keys, exempt=("lease", *LISTS))


def require_whole(context: Context, record: Record, plan: Plan) -> Op[tuple[Transformation, int]]:
    """Return the transformation of the runs and the number of undo log entries.

    Raises:
        ConfigurationError, StateDamagedError: see `Transformation.as_recorded`.
        UndoLogCorruptError: the undo log or the census has lost entries.
    """
    transformation = context.transformation.as_recorded(plan.settings, plan.kinds)
    total = yield from check_journal(context.keys)
    yield from check_census(context.keys, record)
    return transformation, total
