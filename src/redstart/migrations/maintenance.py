"""Removal of state of both engines on request: the undo log, and leases."""

from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.context import Context
from redstart.migrations.data.maintenance import drop_undo_log as drop_data_undo_log
from redstart.migrations.data.maintenance import has_state_of_runs
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


def has_undo_log(context: Context, *, has_indexes: bool) -> Op[bool]:
    """Return whether `drop_undo_log` would remove anything. Some reads."""
    if (yield from has_state_of_runs(context)):
        return True
    return has_indexes and bool((yield from unrecorded()))


def held_leases(context: Context) -> Op[list[LeaseState | StateDamagedError]]:
    """Return the leases of data, indexes and files; for an unreadable lease, the error. Some reads.

    Raises:
        StateDamagedError: another program has written a fence or a lease.
    """
    leases = (context.keys.lease, LEASE, FILES_LEASE)
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


def force_unlock(context: Context) -> Op[list[LeaseState | StateDamagedError]]:
    """Break the leases of data and indexes; their holders stop before the next write.

    Returns:
        The leases that were broken; for an unreadable lease, the error.

    Raises:
        StateDamagedError: another program has written a fence or a lease; nothing was removed.
    """
    held = yield from held_leases(context)
    for keys in (context.keys.lease, LEASE, FILES_LEASE):
        yield from break_lease(keys)
    return held
