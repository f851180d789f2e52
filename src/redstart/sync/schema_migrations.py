# Generated from redstart/aio/schema_migrations.py: change that, then `python -m tools.generate_sync`.
"""Schema migrations that a project writes itself, each for single indexes. `Migrator` needs no such files."""

from typing import TYPE_CHECKING

from redstart.migrations.files.kinds import SCHEMA
from redstart.sync.file_migrations import FileMigration, FileMigrator

if TYPE_CHECKING:
    import redis


class BaseSchemaMigration(FileMigration):
    """A change of indexes that a project writes itself. This version of Redstart lists them, but does not run them."""

    _kind = SCHEMA


class SchemaMigrator(FileMigrator):
    """The schema migrations in a directory, and the record of those that are applied. It does not run them.

    Args:
        redis_client: a client of the server with the record; by default one for REDIS_OM_URL.
        migrations_dir: by default `schema-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
    """

    APPLIED_MIGRATIONS_KEY = SCHEMA.record

    _kind = SCHEMA

    def __init__(self, redis_client: "redis.Redis | None" = None, migrations_dir: str | None = None) -> None:
        super().__init__(redis_client, migrations_dir)

    def get_applied(self) -> set[str]:
        """The ids that are recorded as applied, by Redstart or redis-om. One read."""
        return self._applied()

    def mark_applied(self, migration_id: str) -> None:
        """Record an id as applied. One write; safe to repeat."""
        self._mark(migration_id, applied=True)

    def mark_unapplied(self, migration_id: str) -> None:
        """Remove an id from the record. One write; safe to repeat."""
        self._mark(migration_id, applied=False)
