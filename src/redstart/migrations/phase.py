"""Derive the phase of a migration, and its lease holder, from the state of data and indexes."""

from collections.abc import Callable, Collection
from dataclasses import replace

from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.context import Context, Monitor
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.status import MigrationPhase, Status
from redstart.migrations.data.survey import survey
from redstart.migrations.holder import Holder
from redstart.migrations.indexes.state import LEASE, IndexRecord, read_records
from redstart.migrations.lease import LeaseState, break_lease, current, require_own_types
from redstart.migrations.server_checks import has_search
from redstart.migrations.transformation import Outcome, Transformation

_LOOKED_AT = 1_000
"""Documents of each model that a status reads, and pages in which it searches for them."""


def with_rewritten(status: Status, transformation: Transformation) -> Op[Status]:
    """Return the status, with a model as pending if documents in text format were written after its run.

    Effects: reads of the first 1,000 documents of each applied model, among at most 1,000,000 keys.
    """
    rewritten = []
    for model in status.applied if status.phase is MigrationPhase.CONVERTED else ():
        found = yield from survey(
            Plan((model,), transformation.settings),
            transformation,
            batch_documents=_LOOKED_AT,
            monitor=Monitor(),
            stage="",
            most_documents=_LOOKED_AT,
            most_pages=_LOOKED_AT,
        )
        if found.tally.total(Outcome.CONVERTIBLE) or found.tally.total(Outcome.LOSSY):
            rewritten.append(model)
    if not rewritten:
        return status
    return replace(
        status,
        phase=MigrationPhase.PENDING,
        applied=[model for model in status.applied if model not in rewritten],
        pending=[*status.pending, *rewritten],
        rewritten=rewritten,
    )


def phase_with_indexes(status: Status) -> Op[MigrationPhase]:
    """Return the phase with the indexes considered: prepared before the data, cut over after it. Three reads."""
    if status.phase in (MigrationPhase.MIGRATING, MigrationPhase.ROLLING_BACK):
        return status.phase
    return _phase(status.phase, (yield from _records(status)))


def is_cutover_pending(status: Status) -> Op[bool]:
    """Return whether the data is converted and a dual-format index is still active. Three reads."""
    if status.phase is not MigrationPhase.CONVERTED:
        return False
    records = yield from _records(status)
    return any(not (record.cut_over or record.stepping_back) for record in records)


def with_indexes_at_work(status: Status, is_gone: Callable[[Holder], bool]) -> Op[Status]:
    """Return the status, with the lease of the work in progress: of the data, or of the indexes."""
    lease = yield from current(LEASE)
    if lease is None or is_gone(lease.holder):
        return status
    # A run looks at the indexes once more under its own lease: then that is what it does.
    is_alone = status.lease is None or is_gone(status.lease.holder) or status.lease.holder == lease.holder
    return replace(status, lease=lease, lease_is_of_indexes=True) if is_alone else status


def unlock(context: Context) -> Op[list[LeaseState | StateDamagedError]]:
    """Break the leases of data and indexes; their holders stop before the next write.

    Returns:
        The leases that were broken; for an unreadable lease, the error.

    Raises:
        StateDamagedError: another program has written a fence or a lease; nothing was removed.
    """
    for keys in (context.keys.lease, LEASE):
        yield from require_own_types(keys)
    broken: list[LeaseState | StateDamagedError] = []
    for keys in (context.keys.lease, LEASE):
        found: LeaseState | StateDamagedError | None
        try:
            found = yield from current(keys)
        except StateDamagedError as exc:
            found = exc
        yield from break_lease(keys)
        broken += [] if found is None else [found]
    return broken


def _records(status: Status) -> Op[list[IndexRecord]]:
    """Return the records of the indexes whose dates change their type with the data."""
    if not (yield from has_search()):
        return []
    prefixes = {model.key_prefix for model in (*status.applied, *status.pending)}
    records = (yield from read_records()).values()
    return [record for record in records if record.moving and record.key_prefix in prefixes]


def _phase(data: MigrationPhase, records: Collection[IndexRecord]) -> MigrationPhase:
    if any(record.stepping_back for record in records):
        return MigrationPhase.ROLLING_BACK
    if not records:
        return data
    if data is MigrationPhase.PENDING:
        return data if all(record.cut_over for record in records) else MigrationPhase.EXPANDED
    if not all(record.cut_over for record in records):
        return data
    return (
        MigrationPhase.CONTRACTED if all(record.contracted for record in records) else MigrationPhase.CUT_OVER
    )
