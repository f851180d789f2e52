# Generated from redstart/aio/data_migrations.py: change that, then `python -m tools.generate_sync`.
"""Data migrations that a project writes itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redstart.migrations.files.kinds import DATA
from redstart.sync.file_migrations import FileMigration, FileMigrator

if TYPE_CHECKING:
    import redis


class BaseMigration(FileMigration):
    """A change of data that a project writes itself. This version of Redstart lists them, but does not run them."""

    dependencies: Sequence[str] = ()
    """Ids of the migrations that have to be applied before this one."""

    _kind = DATA

    def can_run(self) -> bool:
        """Whether it may be applied now."""
        return True


class DataMigrator(FileMigrator):
    """The data migrations in a directory or module, and the record of those that are applied. It does not run them.

    Args:
        redis_client: a client of the server with the record; by default one for REDIS_OM_URL.
        migrations_dir: by default `data-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
        migration_module: a module instead of a directory: its list `MIGRATIONS`, or every migration in its namespace.
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
        """The ids that are recorded as applied, by Redstart or redis-om. One read."""
        return self._applied()

    def mark_migration_applied(self, migration_id: str) -> None:
        """Record an id as applied. One write; safe to repeat."""
        self._mark(migration_id, applied=True)

    def mark_migration_unapplied(self, migration_id: str) -> None:
        """Remove an id from the record. One write; safe to repeat."""
        self._mark(migration_id, applied=False)
