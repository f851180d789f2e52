"""Schema migration files of a project. `Migrator` does not need them."""

from typing import TYPE_CHECKING

from redstart.aio.file_migrations import FileMigration, FileMigrator
from redstart.migrations.files.kinds import SCHEMA

if TYPE_CHECKING:
    import redis.asyncio


class BaseSchemaMigration(FileMigration):
    """Base class of schema migrations in files of a project. This version lists them, but does not run them."""

    _kind = SCHEMA


class SchemaMigrator(FileMigrator):
    """The schema migrations of a directory, and the record of applied ones. It does not run migrations.

    Args:
        redis_client: a client of the server with the record; by default one for REDIS_OM_URL.
        migrations_dir: by default `schema-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
    """

    APPLIED_MIGRATIONS_KEY = SCHEMA.record

    _kind = SCHEMA

    def __init__(
        self, redis_client: "redis.asyncio.Redis | None" = None, migrations_dir: str | None = None
    ) -> None:
        super().__init__(redis_client, migrations_dir)

    async def get_applied(self) -> set[str]:
        """Return the ids that Redstart or redis-om has recorded as applied.

        Effects: one read.
        """
        return await self._applied()

    async def mark_applied(self, migration_id: str) -> None:
        """Record an id as applied.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=True)

    async def mark_unapplied(self, migration_id: str) -> None:
        """Remove an id from the record of applied migrations.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=False)
