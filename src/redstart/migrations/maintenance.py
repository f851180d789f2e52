"""Removal of state of both engines on request: the undo log, and leases."""

from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.context import Context
from redstart.migrations.data.maintenance import drop_undo_log as drop_data_undo_log
from redstart.migrations.indexes.damage import unrecorded
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.state import LEASE
from redstart.migrations.lease import break_lease
from redstart.migrations.lease_state import LeaseState, current, require_own_types
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import FILES_LEASE


def drop_undo_log(context: Context, indexes: IndexMigration) -> Op[bool]:
    """Drop the undo log, and keep the active indexes whose record is lost.

    Returns, Raises: see `redstart.migrations.data.maintenance.drop_undo_log`.

    Effects: those, and one write if the record of an index is lost. Safe to repeat.
    """
    is_dropped = yield from drop_data_undo_log(context)
    if (yield from has_search()):
        names = yield from unrecorded()
        if names:
            yield from indexes.settle(names)
            return True
    return is_dropped


def force_unlock(context: Context) -> Op[list[LeaseState | StateDamagedError]]:
    """Break the leases of data and indexes; their holders stop before the next write.

    Returns:
        The leases that were broken; for an unreadable lease, the error.

    Raises:
        StateDamagedError: another program has written a fence or a lease; nothing was removed.
    """
    for keys in (context.keys.lease, LEASE, FILES_LEASE):
        yield from require_own_types(keys)
    broken: list[LeaseState | StateDamagedError] = []
    for keys in (context.keys.lease, LEASE, FILES_LEASE):
        lease: LeaseState | StateDamagedError | None
        try:
            lease = yield from current(keys)
        except StateDamagedError as exc:
            lease = exc
        yield from break_lease(keys)
        broken += [] if lease is None else [lease]
    return broken
