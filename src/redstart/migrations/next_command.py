"""The next command of a migration. A run builds the new indexes, converts the data, and cuts the indexes over."""

from collections.abc import Collection, Iterable

from redstart.migrations.indexes.status import ActiveIndex, IndexStatus
from redstart.migrations.phase import MigrationPhase
from redstart.next_steps import Command

MIGRATE_INDEXES = Command("migrate run")
CONVERT = Command("migrate-data run")


def roll_back(migration_id: str) -> Command:
    """Return the command that rolls back a migration, or completes its rollback."""
    return Command("migrate-data rollback", migration_id)


def next_command(
    migration_id: str, phase: MigrationPhase, indexes: Iterable[IndexStatus], pending: Collection[str]
) -> Command | None:
    """Return the next command of a migration; None if nothing is left to do.

    Args:
        indexes: those to be migrated, of which some may be up to date.
        pending: key prefixes of the models whose data is not converted.
    """
    if phase is MigrationPhase.ROLLING_BACK:
        return roll_back(migration_id)
    # A run builds the indexes that it needs. It does not create absent ones; one that was replaced is repaired first.
    ready = {ActiveIndex.EXPANDED, ActiveIndex.OUTDATED}
    if phase is MigrationPhase.MIGRATING:
        ready = set(ActiveIndex)
    for one in indexes:
        is_ready = one.planned.key_prefix in pending and one.active in ready
        if one.active is not ActiveIndex.UP_TO_DATE and not is_ready:
            return MIGRATE_INDEXES
    return CONVERT if pending else None
