"""Removal of state on request: the checkpoint, the undo log, and leases."""

from redstart.commands.keyspace import hgetall, hlen, hmget, key_type, xlen
from redstart.effects import Argument, Op, batch, call, gather
from redstart.errors import MigrationError, RollbackInProgressError, StateDamagedError, StateVersionError
from redstart.migrations.context import Context
from redstart.migrations.data.checkpoint import RunStage, load_checkpoint
from redstart.migrations.data.damage import LISTS, find_data_damage, require_intact_data
from redstart.migrations.data.record import (
    CLEARED,
    MARKS,
    OTHER_STYLE_FIELDS,
    PROCESSED,
    REVERTED,
    end_progress,
    processed_documents,
    read_record,
    remember_models,
    remove_run_number,
)
from redstart.migrations.data.unrestored import unrestored_count
from redstart.migrations.files.ledger import read_ledger
from redstart.migrations.indexes.damage import unrecorded
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.state import LEASE
from redstart.migrations.lease import Lease, break_lease
from redstart.migrations.lease_state import LeaseState, current, require_own_types
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import (
    DATA_RUNS,
    FILES_LEASE,
    LeaseKeys,
    StateKeys,
    of_other_types,
    require_none,
)
from redstart.migrations.steps.record import forget_documents
from redstart.next_steps import Hint

GIVEN_UP = ("record", "checkpoint", "census", "journal", "processed", "unrestored", *LISTS)
"""Parts of the state that `drop-undo-log` removes even if they are damaged. Keys of another program stay."""

_UNDO_LOG = ("record", "census", "journal", "processed", "unrestored")
"""Those of them without which a run or rollback is refused."""

REFERENCE_STATE = "redis_om:migration_state:{}"
"""The key of redis-om's own progress of the same migration."""


def clear_progress(context: Context) -> Op[bool]:
    """Remove the checkpoint of an interrupted run or rollback. The undo log stays; converted values can be rolled back.

    Returns:
        Whether there was a checkpoint. Also False if the reply was lost and the command was sent again.

    Raises:
        LeaseHeldError: a run is in progress.
        StateDamagedError: another key is damaged, or one of these keys is from another program.

    Effects: removes the checkpoint, and redis-om's own. Safe to repeat.
    """
    keys = context.keys

    def work(lease: Lease) -> Op[bool]:
        yield from require_intact_data(keys, exempt=("lease", "checkpoint", *LISTS))
        commands: list[list[Argument]] = [
            ["REMOVE", "string", REFERENCE_STATE.format(keys.migration_id)],
            *end_progress(keys),
        ]
        (unfinished,) = yield from call(hmget(keys.record, ["unfinished"]))
        if unfinished is not None and (yield from _has_written(keys)):
            commands.append(["HSET", keys.record, CLEARED, unfinished])
        return any((yield from lease.commit(commands)))

    return (yield from context.under_lease(work))


def _has_written(keys: StateKeys) -> Op[bool]:
    """Return whether the interrupted command may have written documents: anything but an initial scan."""
    try:
        found = yield from load_checkpoint(keys)
    except StateDamagedError:
        return True
    return found is None or found.stage is not RunStage.CENSUS


def has_progress(keys: StateKeys) -> Op[bool]:
    """Return whether `clear_progress` would remove anything, or a run that saves its progress has the lease. Reads."""
    (unfinished,) = yield from call(hmget(keys.record, ["unfinished"]))
    names = (keys.checkpoint, REFERENCE_STATE.format(keys.migration_id), keys.lease.lease)
    saved = yield from _any_exists(*names)
    return saved or unfinished is not None


def has_state_of_runs(context: Context) -> Op[bool]:
    """Return whether there is state that `drop_undo_log` removes, intact or damaged, or the lease of a run. Reads."""
    keys = context.keys
    if (yield from find_data_damage(keys)):
        return True
    undo_log = (keys.journal, keys.census, keys.replaced, keys.unrestored, keys.removed, keys.originals)
    if (yield from _any_exists(*undo_log, keys.checkpoint, keys.lease.lease)):
        return True
    if forget_documents(keys, (yield from call(hgetall(keys.steps)))):
        return True
    return (yield from read_record(keys)).plan is not None


def _any_exists(*names: str) -> Op[bool]:
    kinds = yield from batch(gather([key_type(name.encode()) for name in names]))
    return any(kind != b"none" for kind in kinds)


def drop_undo_log_of_data(context: Context) -> Op[bool]:
    """Drop the undo log, the census, and unrestored originals. Converted values can no longer be rolled back.

    Models stay applied, and the failures of the last run stay recorded.

    Returns:
        Whether there was an undo log. Also False if the reply was lost and the command was sent again.

    Raises:
        LeaseHeldError: a run is in progress.
        RollbackInProgressError: an interrupted rollback needs the undo log.
        MigrationError: a run was interrupted, and its undo log is not damaged.
        StateDamagedError: one of these keys is from another program.

    Effects: removes the keys as one unit. Safe to repeat.
    """

    def work(lease: Lease) -> Op[bool]:
        keys = context.keys
        damage = yield from find_data_damage(keys)
        require_none(one for one in damage if one.part not in ("lease", *GIVEN_UP))
        require_none((yield from of_other_types([("steps", keys.steps, "hash")])))
        yield from _require_nothing_unfinished(keys, is_damaged=any(one.part in _UNDO_LOG for one in damage))
        fields = (
            *("plan", OTHER_STYLE_FIELDS, "census_values", "journal_entries", "milestone"),
            *(
                "journal_last",
                "census_members",
                "replaced_members",
                "failures_members",
                "unrestored_members",
                "format",
            ),
        )
        # Without an undo log nothing needs the marks; and a set that has lost members is of no use.
        useless = (MARKS, PROCESSED, REVERTED) if any(one.part == "processed" for one in damage) else (MARKS,)
        named = yield from call(hmget(keys.record, list(useless)))
        sets = [processed_documents(keys, one.decode()) for one in named if one is not None]
        commands: list[list[Argument]] = [
            [
                "REMOVE",
                *("stream", keys.journal, "set", keys.census),
                *("hash", keys.replaced, "hash", keys.unrestored, "stream", keys.removed),
                *("stream", keys.originals),
            ],
            ["HDEL", keys.record, *fields, *useless, *(one.counted_as for one in sets if one is not None)],
            *forget_documents(keys, (yield from call(hgetall(keys.steps)))),
            *end_progress(keys),
        ]
        commands += yield from _record_without_log(keys)
        is_lost = not (yield from call(hlen(keys.record)))
        for one in sets:
            if one is not None:
                yield from one.remove(lease)
        replies = yield from lease.commit(commands)
        return any(replies[:2]) or (is_lost and bool(replies[-1]))

    return (yield from context.under_lease(work))


def _require_nothing_unfinished(keys: StateKeys, *, is_damaged: bool) -> Op[None]:
    """Raise if an interrupted run or rollback needs the undo log.

    Args:
        is_damaged: whether the undo log is useless. Then dropping it is the next step of an interrupted run.
    """
    found = yield from load_checkpoint(keys)
    unfinished, cleared, plan = yield from call(hmget(keys.record, ["unfinished", CLEARED, "plan"]))
    if cleared == b"rollback" if found is None else found.stage.undoes:
        raise RollbackInProgressError(
            "A rollback was interrupted; it cannot be completed without the undo log.",
            Hint("Finish it with: ", keys.rollback_command()),
        )
    if b"run" in (unfinished, plan and cleared) and not is_damaged:
        raise MigrationError(
            "A run was interrupted; without the undo log the values that it has converted cannot be rolled back.",
            Hint(
                "Finish it with: ",
                keys.run_command(),
                "\nOr roll it back with: ",
                keys.rollback_command(),
            ),
        )


def _record_without_log(keys: StateKeys) -> Op[list[list[Argument]]]:
    """Return the commands that keep the record's facts about the data when the undo log is dropped."""
    try:
        record = yield from read_record(keys)
    except StateVersionError:
        raise
    except StateDamagedError:  # the record has no facts about the data, either
        return [["REMOVE", "hash", keys.record, "hash", keys.failures], remove_run_number(keys)]
    if not (yield from call(hlen(keys.record))):  # the other keys have no meaning without it
        return [["REMOVE", "hash", keys.failures], remove_run_number(keys)]
    commands: list[list[Argument]] = []
    if record.plan is not None:
        commands.append(remember_models(keys, record, record.plan.settings))
    (converted,) = yield from call(hmget(keys.record, ["converted"]))
    if converted is not None:
        commands.append(["HSET", keys.record, "forgotten", converted])
        commands.append(["HSET", DATA_RUNS, keys.migration_id, record.generation])
    return commands


def last_copies(context: Context) -> Op[int]:
    """Count originals that exist only in the undo log: replaced or quarantined values, and removed documents.

    Of unrestored values, documents are counted. Some reads.

    Raises:
        StateDamagedError: one of these keys is from another program.
    """
    yield from require_intact_data(context.keys, exempt=("lease", *GIVEN_UP))
    replaced = yield from call(hlen(context.keys.replaced))
    removed = yield from call(xlen(context.keys.removed))
    return replaced + removed + (yield from unrestored_count(context.keys))


def drop_undo_log(context: Context, indexes: IndexMigration) -> Op[bool]:
    """Drop the undo log, and keep the active indexes whose record is lost.

    Returns, Raises: see `redstart.migrations.maintenance.drop_undo_log_of_data`.

    Effects: those, and one write if the record of an index is lost. Safe to repeat.
    """
    is_dropped = yield from drop_undo_log_of_data(context)
    if (yield from has_search()):
        names = yield from unrecorded()
        if names:
            yield from indexes.settle(names)
            return True
    return is_dropped


def has_undo_log(context: Context, *, has_indexes: bool) -> Op[bool]:
    """Return whether `drop_undo_log` would remove anything. Some reads."""
    if (yield from has_state_of_runs(context)):
        return True
    return has_indexes and bool((yield from unrecorded()))


def held_leases(context: Context) -> Op[list[LeaseState | StateDamagedError]]:
    """Return the leases of data, indexes and files; for an unreadable lease, the error. A few reads for each file.

    Raises:
        StateDamagedError: another program has written a fence or a lease.
    """
    leases = yield from _leases(context)
    for keys in leases:
        yield from require_own_types(keys)
    held: list[LeaseState | StateDamagedError] = []
    for keys in leases:
        lease: LeaseState | StateDamagedError | None
        try:
            lease = yield from current(keys)
        except StateDamagedError as exc:
            lease = exc
        held += [] if lease is None else [lease]
    return held


def _leases(context: Context) -> Op[list[LeaseKeys]]:
    """Return the leases of data, indexes and files, and those of the data of each file that the server knows."""
    ledger = yield from read_ledger()
    files = dict.fromkeys((*ledger.entries, *ledger.started))
    return [context.keys.lease, LEASE, FILES_LEASE, *(StateKeys(name).lease for name in files)]


def force_unlock(context: Context) -> Op[list[LeaseState | StateDamagedError]]:
    """Remove the leases of data, indexes and migration files; their holders stop before the next write.

    Returns:
        The leases that were removed; for an unreadable lease, the error.

    Raises:
        StateDamagedError: another program has written a fence or a lease; nothing was removed.

    Effects: the reads of `held_leases`, and a script for each lease. Safe to repeat.
    """
    held = yield from held_leases(context)
    for keys in (yield from _leases(context)):
        yield from break_lease(keys)
    return held
