"""Common base classes of data and schema migration files: their declaration, and the record of applied ones."""

import abc
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from redstart.aio.connections import get_redis_connection, server_of_client
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.declarations import DATA, SCHEMA, Declared, Kind, ListsOnly
from redstart.migrations.files.history import (
    FilesStatus,
    applied_ids,
    files_status,
    mark_applied,
    mark_unapplied,
    refuse,
)
from redstart.migrations.files.loader import Found, load_directory, load_module
from redstart.migrations.import_guard import is_skipped
from redstart.settings import get_root_migrations_dir

if TYPE_CHECKING:
    import redis.asyncio


class FileMigration(abc.ABC):
    """Base class of migrations in files of a project.

    Args:
        redis_client: the client `self.redis` of `up` and `down`; by default one for REDIS_OM_URL.

    Raises:
        DataMigrationError, SchemaMigrationError: the class has no `migration_id`.
    """

    migration_id: str = ""
    """The id in the record of applied migrations. By convention the name of its file, without `.py`."""
    description: str = ""

    _kind: ClassVar[Kind]

    def __init__(self, redis_client: "redis.asyncio.Redis | None" = None) -> None:
        if not self.migration_id:
            raise self._kind.error(
                f"{type(self).__qualname__} has no migration_id, so it cannot be recorded as applied."
            )
        self.redis = get_redis_connection() if redis_client is None else redis_client

    @abc.abstractmethod
    async def up(self) -> None:
        """Apply the migration."""

    async def down(self) -> None:
        """Undo the migration.

        Raises:
            NotImplementedError: the migration does not override this method.
        """
        raise NotImplementedError(f"{self.migration_id} cannot be undone: it does not override down().")


class FileMigrator(ListsOnly):
    """The migrations of one kind in a directory or module, and the record of applied ones."""

    APPLIED_MIGRATIONS_KEY: str
    """The key of the set of applied ids. A subclass or an object may set another one."""

    _kind: ClassVar[Kind]

    def __init__(self, redis_client: "redis.asyncio.Redis | None", migrations_dir: str | None) -> None:
        self.redis = get_redis_connection() if redis_client is None else redis_client
        self.migrations_dir = migrations_dir or str(self._kind.directory(get_root_migrations_dir()))
        self.migration_module: str | None = None

    async def discover_migrations(self) -> dict[str, Declared]:
        """Return the declared migrations, by id. Nothing is sent.

        Raises:
            DataMigrationError, SchemaMigrationError: a file cannot be read, or two migrations have the same id.
            ConfigurationError: the directory cannot be listed, or the module cannot be imported.
        """
        found = self._load()
        refuse(found.problems, found.where, self._kind)
        return found.migrations

    async def get_pending_migrations(self) -> list[Declared]:
        """Return the migrations that are not recorded as applied, each after its dependencies.

        Raises:
            DataMigrationError, SchemaMigrationError: a file cannot be read, or depends on an unknown migration.
            ConfigurationError: the directory cannot be listed, or the module cannot be imported.

        Effects: one read.
        """
        return list((await self._status()).pending)

    async def status(self) -> dict[str, Any]:
        """Return the numbers and ids of all, applied and pending migrations.

        Returns:
            `total_migrations`, `applied_count`, `pending_count`, `applied_migrations`, `pending_migrations`.

        Raises:
            DataMigrationError, SchemaMigrationError, ConfigurationError: see `get_pending_migrations`.

        Effects: one read.
        """
        return (await self._status()).to_redis_om_dict()

    async def _applied(self) -> set[str]:
        return await server_of_client(self.redis).run(applied_ids(self._recorded))

    async def _mark(self, migration_id: str, *, applied: bool) -> None:
        change = mark_applied if applied else mark_unapplied
        if is_skipped(f"{type(self).__name__}().{change.__name__}()"):
            return
        await server_of_client(self.redis).run(change(self._recorded, migration_id))

    async def _status(self) -> FilesStatus:
        found = files_status(self._load(), await self._applied(), [DATETIME_MIGRATION])
        refuse(found.problems, found.where, self._kind)
        return found

    @property
    def _recorded(self) -> Kind:
        """Return the kind of migrations, with the record of this migrator."""
        return dataclasses.replace(self._kind, record=self.APPLIED_MIGRATIONS_KEY)

    def _load(self) -> Found:
        if self.migration_module is not None:
            return load_module(self.migration_module, self._kind)
        return load_directory(Path(self.migrations_dir), self._kind)


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
