# Generated from redstart/aio/schema_migrations.py: change that, then `python -m tools.generate_sync`.
"""Schema migrations of a project's own: what `Migrator` does without files, files may do for single indexes."""

from typing import TYPE_CHECKING

from redstart.migrations.files.kinds import SCHEMA
from redstart.sync.file_migrations import FileMigration, FileMigrator

if TYPE_CHECKING:
    import redis


class BaseSchemaMigration(FileMigration):
    """A change of indexes that a project declares. This version of Redstart lists those, and runs none."""

    _kind = SCHEMA


class SchemaMigrator(FileMigrator):
    """The schema migrations in a directory, and the record of those that are applied. Runs none.

    Args:
        redis_client: a client of the server that has the record; by default one for REDIS_OM_URL.
        migrations_dir: by default `schema-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
    """

    APPLIED_MIGRATIONS_KEY = SCHEMA.record

    _kind = SCHEMA

    def __init__(self, redis_client: "redis.Redis | None" = None, migrations_dir: str | None = None) -> None:
        super().__init__(redis_client, migrations_dir)

    def get_applied(self) -> set[str]:
        """The ids on record as applied, by whomever. One read."""
        return self._applied()

    def mark_applied(self, migration_id: str) -> None:
        """Record an id as applied. One write; safe to repeat."""
        self._mark(migration_id, applied=True)

    def mark_unapplied(self, migration_id: str) -> None:
        """Take an id from the record. One write; safe to repeat."""
        self._mark(migration_id, applied=False)
