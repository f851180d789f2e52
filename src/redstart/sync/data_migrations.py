# Generated from redstart/aio/data_migrations.py: change that, then `python -m tools.generate_sync`.
"""Data migrations of a project's own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redstart.migrations.files.kinds import DATA
from redstart.sync.file_migrations import FileMigration, FileMigrator

if TYPE_CHECKING:
    import redis


class BaseMigration(FileMigration):
    """A change of data that a project declares. This version of Redstart lists those, and runs none."""

    dependencies: Sequence[str] = ()
    """Ids of migrations that come before it."""

    _kind = DATA

    def can_run(self) -> bool:
        """Whether it may be applied now."""
        return True


class DataMigrator(FileMigrator):
    """The data migrations in a directory or module, and the record of those that are applied. Runs none.

    Args:
        redis_client: a client of the server that has the record; by default one for REDIS_OM_URL.
        migrations_dir: by default `data-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
        migration_module: a module in place of a directory: its list `MIGRATIONS`, or all that it declares or imports.
    """

    APPLIED_MIGRATIONS_KEY = DATA.record

    _kind = DATA

    def __init__(
        self,
        redis_client: "redis.Redis | None" = None,
        migrations_dir: str | None = None,
        migration_module: str | None = None,
    ) -> None:
        super().__init__(redis_client, migrations_dir)
        self.migration_module = migration_module

    def get_applied_migrations(self) -> set[str]:
        """The ids on record as applied, by whomever. One read."""
        return self._applied()

    def mark_migration_applied(self, migration_id: str) -> None:
        """Record an id as applied. One write; safe to repeat."""
        self._mark(migration_id, applied=True)

    def mark_migration_unapplied(self, migration_id: str) -> None:
        """Take an id from the record. One write; safe to repeat."""
        self._mark(migration_id, applied=False)
