"""Checks before a rollback: the undo log exists, is complete, and is of this migration."""

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.context import Context
from redstart.migrations.data.damage import LISTS, require_intact_data
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.record import Record, check_census, is_recorded_without_state, read_record
from redstart.migrations.data.undo_log import check_journal
from redstart.migrations.data.unrestored import unrestored_count
from redstart.migrations.lease import Lease
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command, Hint


def require_undoable(context: Context) -> Op[None]:
    """Raise the error that a rollback would be refused with, without writing anything but the lease.

    Raises:
        See `rollback`.
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
