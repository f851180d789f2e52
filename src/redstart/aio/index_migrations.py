"""Update of indexes when an application starts: `await Migrator().run()`."""

import logging
import time
import uuid
from typing import TYPE_CHECKING, Final

from redstart.aio.connections import client_of, server_of_client
from redstart.mapping.base_model import registered_models
from redstart.mapping.model_info import ModelDeclaration, declare, distinct, import_submodules
from redstart.migrations.context import Monitor
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.lease import retry_while_locked
from redstart.migrations.lease_state import this_process
from redstart.migrations.phase import MIGRATE_INDEXES
from redstart.migrations.startup import PendingIndex, bring_up_to_date, pending_indexes

if TYPE_CHECKING:
    import redis.asyncio

logger = logging.getLogger(__name__)
_OF_ANY_ZONE = DatetimeConversion.of_zone("UTC")  # no value is read, so the zone has no effect

_HAS_MORE = (
    "The index %s has fields that its model does not declare, and was not changed. "
    f"Replace it with: {MIGRATE_INDEXES!s}"
)
_SUPERSEDED = (
    "The index %s was not changed: its definition is newer than that of %s. "
    f"Restore the definition of the model with: {MIGRATE_INDEXES!s}"
)


class Migrator:
    """Creation and replacement of the indexes of all imported models, as by `om migrate run`.

    Args:
        module: the name of a package or module to import first, with its submodules.
        conn: a client of the server; by default the client of each model.

    Attributes:
        conn: the argument `conn`.
        migrations: the result of `detect_migrations`.
    """

    def __init__(self, module: str | None = None, conn: "redis.asyncio.Redis | None" = None) -> None:
        self.module: Final = module
        self.migrations: list[PendingIndex] = []
        self.conn = conn

    async def detect_migrations(self) -> None:
        """Set `migrations` to the changes that `run` would make. Writes nothing.

        Raises:
            ImportError: the module cannot be imported.
            UnsupportedServerError: the server has no search module.
            ServerError: the server did not reply, or rejected a command.
        """
        self.migrations = []
        for client, declarations in self._by_client():
            self.migrations += await server_of_client(client).run(pending_indexes(declarations, client))

    async def run(self) -> None:
        """Update all indexes, as far as the stored data allows. Queries find every document all the time.

        Does not replace an index with additional fields, which may be that of a newer version of the application, or
        an index with a newer definition than that of its model (logged as a warning). `om migrate run` replaces both.

        If dates change their type, the new index is built next to the active one, and the cutover follows after
        `om migrate-data run` has converted the data. Any number of processes may call this at the same time.

        Raises:
            ImportError: the module cannot be imported.
            MigrationError: an index was not replaced, because documents would drop out of query results.
            UnsupportedServerError: the server has no search module.
            ServerError: the server did not reply, or rejected a command.

        Effects: one read for each index that is up to date. Safe to repeat. Does nothing while `om` imports the
            calling module.
        """
        if is_skipped("Migrator().run()"):
            return
        for client, declarations in self._by_client():
            left = await server_of_client(client).run(
                bring_up_to_date(declarations, _OF_ANY_ZONE, index_migration)
            )
            for one in left:
                if one.is_superseded:
                    logger.warning(_SUPERSEDED, one.planned.name, one.planned.model)
                else:
                    logger.info(_HAS_MORE, one.planned.name)

    def _by_client(self) -> "list[tuple[redis.asyncio.Redis, list[ModelDeclaration]]]":
        """Return the models of each client."""
        if self.module is not None:
            import_submodules(self.module)
        found: dict[int, tuple[redis.asyncio.Redis, list[ModelDeclaration]]] = {}
        for declaration in distinct(map(declare, registered_models())):
            client = client_of(declaration.model) if self.conn is None else self.conn
            found.setdefault(id(client), (client, []))[1].append(declaration)
        return list(found.values())


SchemaDetector = Migrator
"""The name of `Migrator` in redis-om 1.x."""


async def create_index(conn: "redis.asyncio.Redis", index_name: str, schema: str, current_hash: str) -> None:
    """Create an index from the text of its schema, as redis-om's migration files do. Never replaces or drops an index.

    Does nothing if an index or alias with this name and schema exists. Waits while another process changes indexes.

    Args:
        conn: a client of the server.
        index_name: the name of the index.
        schema: the arguments of FT.CREATE after the name, as returned by `Model.redisearch_schema()`.
        current_hash: the hash to store in `<index>:hash`, as redis-om does; the schema is stored in `<index>:schema`.

    Raises:
        MigrationError: an index with another schema exists, or the server rejects the schema.
        UnsupportedServerError: the server has no search module, or the database is not 0.
        ServerError: the server did not reply, or rejected a command.

    Effects: see redstart.migrations.indexes.swap. Safe to repeat.
    """
    if is_skipped("create_index()"):
        return
    await server_of_client(conn).run(
        retry_while_locked(lambda: index_migration().create(index_name, schema, current_hash))
    )


def index_migration() -> IndexMigration:
    """Return the index migrations of this process. They report no progress, and log the wait for a lease."""
    return IndexMigration(
        this_process(),
        uuid.uuid4().hex,
        time.monotonic,
        Monitor(waiting=logger.warning),
    )
