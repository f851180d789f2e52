"""Indexes brought up to date when an application starts: `await Migrator().run()`."""

import time
import uuid
from typing import TYPE_CHECKING, Final

from redstart.aio.connections import client_of, server_of_client
from redstart.mapping.declaration import ModelDeclaration, declare, distinct
from redstart.mapping.registry import registered_models
from redstart.mapping.submodules import import_submodules
from redstart.migrations.at_start import bring_up_to_date
from redstart.migrations.holder import this_process
from redstart.migrations.indexes.migrate import IndexMigration
from redstart.migrations.lease import when_it_is_free
from redstart.migrations.pending import PendingIndex, pending_indexes

if TYPE_CHECKING:
    import redis.asyncio


class Migrator:
    """Creates and replaces the indexes of all models that are declared by now, as `om migrate run` does.

    Args:
        module: the name of a package or module that is imported first, with all modules inside it.
        conn: a client of the server to do it on; by default each model's own.

    Attributes:
        migrations: what `detect_migrations` found.
    """

    def __init__(self, module: str | None = None, conn: "redis.asyncio.Redis | None" = None) -> None:
        self.module: Final = module
        self.migrations: list[PendingIndex] = []
        self._client = conn

    async def detect_migrations(self) -> None:
        """Put into `migrations` what `run` would have to do. Writes nothing.

        Raises:
            ImportError: the module cannot be imported.
            CapabilityMissing: the server has no search module.
            ServerError: no answer, or a refusal.
        """
        self.migrations = []
        for client, declarations in self._by_client():
            self.migrations += await server_of_client(client).run(pending_indexes(declarations, client))

    async def run(self) -> None:
        """Bring all indexes as far as the data allows, without a gap in what queries find.

        An index whose dates change their type is made ready beside the one that serves, and takes over when
        `om migrate-data run` has converted the data. Any number of processes may do this at once.

        Raises:
            ImportError: the module cannot be imported.
            MigrationError: an index was not replaced, for documents that are found now would not be found.
            CapabilityMissing: the server has no search module.
            ServerError: no answer, or a refusal.

        Effects: a read for each index where all are as they should be. Safe to repeat.
        """
        for client, declarations in self._by_client():
            await server_of_client(client).run(bring_up_to_date(declarations, index_migration))

    def _by_client(self) -> "list[tuple[redis.asyncio.Redis, list[ModelDeclaration]]]":
        """The models of each server."""
        if self.module is not None:
            import_submodules(self.module)
        found: dict[int, tuple[redis.asyncio.Redis, list[ModelDeclaration]]] = {}
        for declaration in distinct(map(declare, registered_models())):
            client = client_of(declaration.model) if self._client is None else self._client
            found.setdefault(id(client), (client, []))[1].append(declaration)
        return list(found.values())


SchemaDetector = Migrator
"""What redis-om calls it since 1.0."""


async def create_index(conn: "redis.asyncio.Redis", index_name: str, schema: str, current_hash: str) -> None:
    """Create one index from the text of its schema, as redis-om's migration files do. None is replaced or dropped.

    Where there is an index of this schema, also through an alias, nothing happens. While another process changes
    indexes, this waits.

    Args:
        conn: a client of the server.
        schema: what FT.CREATE says behind the name, as `redisearch_schema()` of a model gives it.
        current_hash: kept in `<index>:hash`, the schema in `<index>:schema`, where redis-om looks for them.

    Raises:
        MigrationError: there is an index of another schema, or the server does not take this one.
        CapabilityMissing: the server has no search module, or this is another database than 0.
        ServerError: no answer, or a refusal.

    Effects: see redstart.migrations.indexes.create. Safe to repeat.
    """
    await server_of_client(conn).run(
        when_it_is_free(lambda: index_migration().create(index_name, schema, current_hash))
    )


def index_migration() -> IndexMigration:
    """The index migrations of this process, which say nothing of how far a build is."""
    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, lambda _index, _percent: None)
