"""Data migration files of a project."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redstart.aio.file_migrations import FileMigration, FileMigrator
from redstart.migrations.files.kinds import DATA

if TYPE_CHECKING:
    import redis.asyncio


class BaseMigration(FileMigration):
    """Base class of data migrations in files of a project. This version lists them, but does not run them."""

    dependencies: Sequence[str] = ()
    """Ids of migrations that have to be applied first."""

    _kind = DATA

    async def can_run(self) -> bool:
        """Return whether the migration can be applied now."""
        return True


class DataMigrator(FileMigrator):
    """The data migrations of a directory or module, and the record of applied ones. It does not run migrations.

    Args:
        redis_client: a client of the server with the record; by default one for REDIS_OM_URL.
        migrations_dir: a directory; by default `data-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
        migration_module: a module instead of a directory: its list `MIGRATIONS`, or every migration in its namespace.
    """

    APPLIED_MIGRATIONS_KEY = DATA.record

    _kind = DATA

    def __init__(
        self,
        redis_client: "redis.asyncio.Redis | None" = None,
        migrations_dir: str | None = None,
        migration_module: str | None = None,
    ) -> None:
        super().__init__(redis_client, migrations_dir)
        self.migration_module = migration_module

    async def get_applied_migrations(self) -> set[str]:
        """Return the ids that Redstart or redis-om has recorded as applied.

        Effects: one read.
        """
        return await self._applied()

    async def mark_migration_applied(self, migration_id: str) -> None:
        """Record an id as applied.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=True)

    async def mark_migration_unapplied(self, migration_id: str) -> None:
        """Remove an id from the record of applied migrations.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=False)
