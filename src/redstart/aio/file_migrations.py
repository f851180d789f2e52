"""What a project's own data and schema migrations have in common: how they are declared, and which are applied."""

import abc
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from redstart.aio.connections import get_redis_connection, server_of_client
from redstart.migrations.files.applied import (
    FilesStatus,
    applied_ids,
    files_status,
    mark_applied,
    mark_unapplied,
    refuse,
)
from redstart.migrations.files.declared import Declared
from redstart.migrations.files.kinds import Kind
from redstart.migrations.files.lists_only import ListsOnly
from redstart.migrations.files.load import Found, load_directory, load_module
from redstart.migrations.import_guard import is_skipped
from redstart.settings import get_root_migrations_dir

if TYPE_CHECKING:
    import redis.asyncio


class FileMigration(abc.ABC):
    """A migration that a project declares in a file of its own.

    Args:
        redis_client: what `up` and `down` find as `self.redis`; by default a client for REDIS_OM_URL.
    """

    migration_id: str = ""
    """Under this id it is recorded as applied. By convention the name of its file, without `.py`."""
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
        """Apply it."""

    async def down(self) -> None:
        """Undo it. A migration that does not override this cannot be undone."""
        raise NotImplementedError(f"{self.migration_id} cannot be undone: it does not override down().")


class FileMigrator(ListsOnly):
    """The migrations of one kind in a directory or module, and the record of those that are applied."""

    APPLIED_MIGRATIONS_KEY: str
    """The set of ids that are applied. A subclass or an object may name another."""

    _kind: ClassVar[Kind]

    def __init__(self, redis_client: "redis.asyncio.Redis | None", migrations_dir: str | None) -> None:
        self.redis = get_redis_connection() if redis_client is None else redis_client
        self.migrations_dir = migrations_dir or str(self._kind.directory(get_root_migrations_dir()))
        self.migration_module: str | None = None

    async def discover_migrations(self) -> dict[str, Declared]:
        """The declared migrations, by id. Nothing is sent.

        Raises:
            DataMigrationError, SchemaMigrationError: a file cannot be read, or two migrations have the same id.
            ConfigurationError: the directory cannot be listed, or the module does not import.
        """
        found = self._load()
        refuse(found.problems, found.where, self._kind)
        return found.migrations

    async def get_pending_migrations(self) -> list[Declared]:
        """The migrations that are not recorded as applied, each after those it depends on.

        Raises:
            DataMigrationError, SchemaMigrationError: one of them cannot be read, or depends on an unknown migration.
            ConfigurationError: the directory cannot be listed, or the module does not import.

        Effects: one read.
        """
        return list((await self._status()).pending)

    async def status(self) -> dict[str, Any]:
        """How many migrations there are, how many are applied and pending, and their ids. One read.

        Returns:
            `total_migrations`, `applied_count`, `pending_count`, `applied_migrations`, `pending_migrations`.

        Raises:
            DataMigrationError, SchemaMigrationError, ConfigurationError: see `get_pending_migrations`.
        """
        return (await self._status()).as_redis_om_says_it()

    async def _applied(self) -> set[str]:
        return await server_of_client(self.redis).run(applied_ids(self._recorded))

    async def _mark(self, migration_id: str, *, applied: bool) -> None:
        change = mark_applied if applied else mark_unapplied
        if is_skipped(f"{type(self).__name__}().{change.__name__}()"):
            return
        await server_of_client(self.redis).run(change(self._recorded, migration_id))

    async def _status(self) -> FilesStatus:
        found = files_status(self._load(), await self._applied())
        refuse(found.problems, found.where, self._kind)
        return found

    @property
    def _recorded(self) -> Kind:
        """The kind, with the record of this migrator."""
        return dataclasses.replace(self._kind, record=self.APPLIED_MIGRATIONS_KEY)

    def _load(self) -> Found:
        if self.migration_module is not None:
            return load_module(self.migration_module, self._kind)
        return load_directory(Path(self.migrations_dir), self._kind)
