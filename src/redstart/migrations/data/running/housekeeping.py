"""Removing state on request: saved progress, the undo log."""

from redstart.commands.keyspace import hmget
from redstart.effects import Argument, Op, call
from redstart.errors import RollbackUnfinished
from redstart.migrations.data.running.context import Context
from redstart.migrations.data.state.checkpoint import load_checkpoint
from redstart.migrations.lease import Lease

REFERENCE_STATE = "redis_om:migration_state:{}"
"""Where redis-om keeps its own progress of the same migration."""


def clear_progress(context: Context) -> Op[bool]:
    """Forget how far an interrupted run or rollback came. The undo log stays, and what is converted stays undoable.

    Returns:
        Whether there was any. Also False if it had to be sent twice, and the answer to the first was lost.

    Raises:
        LeaseHeld: a run is at work.

    Effects: removes the checkpoint, and redis-om's own. Safe to repeat.
    """
    keys = context.keys
    commands = [["UNLINK", keys.checkpoint, REFERENCE_STATE.format(keys.migration_id)]]
    (removed,) = yield from context.under_lease(lambda lease: lease.commit(commands))
    return bool(removed)


def forget(context: Context) -> Op[bool]:
    """Drop the undo log and the census: what is converted can no longer be undone. Applied stays applied, and the
    last run's record of what did not convert stays.

    Returns:
        Whether there was an undo log. Also False if it had to be sent twice, and the answer to the first was lost.

    Raises:
        LeaseHeld: a run is at work.
        RollbackUnfinished: a rollback is half-way, and needs the log to end.

    Effects: removes them as one unit. Safe to repeat.
    """

    def work(lease: Lease) -> Op[bool]:
        keys = context.keys
        found = yield from load_checkpoint(keys)
        if found is not None and found.stage.undoes:
            raise RollbackUnfinished(
                "A rollback began and has not ended; without the undo log it could not end.",
                f"Finish it with: om migrate-data rollback {keys.migration_id}",
            )
        fields = ("plan", "aware_fields", "census_values", "journal_entries", "milestone")
        commands: list[list[Argument]] = [
            ["UNLINK", keys.journal, keys.census, keys.replaced],
            ["HDEL", keys.record, *fields],
            ["UNLINK", keys.checkpoint],
        ]
        (converted,) = yield from call(hmget(keys.record, ["converted"]))
        if converted is not None:
            commands.append(["HSET", keys.record, "forgotten", converted])
        replies = yield from lease.commit(commands)
        return any(replies[:2])

    return (yield from context.under_lease(work))
