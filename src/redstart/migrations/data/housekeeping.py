"""Removing state on request: saved progress, the undo log, a stuck lease."""

from redstart.effects import Op
from redstart.migrations.data.context import Context
from redstart.migrations.lease import LeaseState, break_lease, current

REFERENCE_STATE = "redis_om:migration_state:{}"
"""Where redis-om keeps its own progress of the same migration."""


def clear_progress(context: Context) -> Op[None]:
    """Forget how far an interrupted run came. The undo log stays, and what is converted stays undoable.

    Raises:
        LeaseHeld: a run is at work.

    Effects: removes the checkpoint, and redis-om's own. Safe to repeat.
    """
    keys = context.keys
    commands = [["UNLINK", keys.checkpoint, REFERENCE_STATE.format(keys.migration_id)]]
    yield from context.under_lease(lambda lease: lease.commit(commands))


def forget(context: Context) -> Op[None]:
    """Drop the undo log and the census: what is converted can no longer be undone. Applied stays applied.

    Raises:
        LeaseHeld: a run is at work.

    Effects: removes them as one unit. Safe to repeat.
    """
    keys = context.keys
    fields = ("plan", "aware_fields", "census_values", "journal_entries", "milestone", "failures_not_kept")
    commands = [
        ["UNLINK", keys.journal, keys.census, keys.failures, keys.checkpoint],
        ["HDEL", keys.record, *fields],
    ]
    yield from context.under_lease(lambda lease: lease.commit(commands))


def unlock(context: Context) -> Op[LeaseState | None]:
    """Break the lease, whoever holds it; the holder stops before its next write.

    Returns:
        The lease that was broken, or None.
    """
    found = yield from current(context.keys.lease)
    yield from break_lease(context.keys.lease)
    return found
