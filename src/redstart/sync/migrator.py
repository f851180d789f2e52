# Generated from redstart/aio/migrator.py: change that, then `python -m tools.generate_sync`.
"""Indexes brought up to date when an application starts: `Migrator().run()`."""

import logging
import time
import uuid
from typing import TYPE_CHECKING, Final

from redstart.mapping.declaration import ModelDeclaration, declare, distinct
from redstart.mapping.registry import registered_models
from redstart.mapping.submodules import import_submodules
from redstart.migrations.at_start import bring_up_to_date
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.holder import this_process
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.indexes.migrate import IndexMigration
from redstart.migrations.lease import when_it_is_free
from redstart.migrations.pending import PendingIndex, pending_indexes
from redstart.sync.connections import client_of, server_of_client

if TYPE_CHECKING:
    import redis

_log = logging.getLogger(__name__)

_HAS_MORE = (
    "The index %s has more than its model needs, and was left as it is. "
    "`om migrate run` with these models replaces it."
)
_SUPERSEDED = (
    "The index %s has a definition that replaced the one of %s, and was left as it is. "
    "`om migrate run` with these models goes back to theirs."
)


class Migrator:
    """Creates and replaces the indexes of all models imported so far, as `om migrate run` does.

    Args:
        module: the name of a package or module to import first, with all modules inside it.
        conn: a client of the server to work on; by default the client of each model.

    Attributes:
        conn: the client that was given, or None.
        migrations: what `detect_migrations` has found.
    """

    def __init__(self, module: str | None = None, conn: "redis.Redis | None" = None) -> None:
        self.module: Final = module
        self.migrations: list[PendingIndex] = []
        self.conn = conn

    def detect_migrations(self) -> None:
        """Set `migrations` to what `run` would do. Writes nothing.

        Raises:
            ImportError: the module cannot be imported.
            UnsupportedServerError: the server has no search module.
            ServerError: the server did not answer, or refused a command.
        """
        self.migrations = []
        for client, declarations in self._by_client():
            self.migrations += server_of_client(client).run(pending_indexes(declarations, client))

    def run(self) -> None:
        """Bring all indexes up to date, as far as the data allows. Queries find every document all the while.

        An index that has all that its model needs, and more, stays: it may be that of a newer version of the
        application. So does one whose definition has replaced that of its model, which is logged as a warning.
        `om migrate run` replaces both.

        If dates change their type, the new index is built beside the old one, and takes over once
        `om migrate-data run` has converted the data. Any number of processes may do this at the same time.

        Raises:
            ImportError: the module cannot be imported.
            MigrationError: an index was not replaced, because queries would no longer find some documents.
            UnsupportedServerError: the server has no search module.
            ServerError: the server did not answer, or refused a command.

        Effects: one read for each index that is up to date already. Safe to repeat. Does nothing where `om` imports
            the module that calls it.
        """
        if is_skipped("Migrator().run()"):
            return
        for client, declarations in self._by_client():
            left = server_of_client(client).run(bring_up_to_date(declarations, index_migration))
            for one in left:
                if one.is_superseded:
                    _log.warning(_SUPERSEDED, one.planned.name, one.planned.model)
                else:
                    _log.info(_HAS_MORE, one.planned.name)

    def _by_client(self) -> "list[tuple[redis.Redis, list[ModelDeclaration]]]":
        """The models of each server."""
        if self.module is not None:
            import_submodules(self.module)
        found: dict[int, tuple[redis.Redis, list[ModelDeclaration]]] = {}
        for declaration in distinct(map(declare, registered_models())):
            client = client_of(declaration.model) if self.conn is None else self.conn
            found.setdefault(id(client), (client, []))[1].append(declaration)
        return list(found.values())


SchemaDetector = Migrator
"""The name that redis-om has used since 1.0."""


def create_index(conn: "redis.Redis", index_name: str, schema: str, current_hash: str) -> None:
    """Create one index from the text of its schema, as redis-om's migration files do. Never replaces or drops an index.

    Does nothing if the name already leads to an index with this schema, directly or as an alias. Waits while another
    process changes indexes.

    Args:
        conn: a client of the server.
        schema: what follows the name in FT.CREATE, as a model's `redisearch_schema()` returns it.
        current_hash: stored in `<index>:hash`, where redis-om looks for it; the schema in `<index>:schema`.

    Raises:
        MigrationError: there is an index with another schema, or the server rejects this one.
        UnsupportedServerError: the server has no search module, or this is not database 0.
        ServerError: the server did not answer, or refused a command.

    Effects: see redstart.migrations.indexes.create. Safe to repeat.
    """
    if is_skipped("create_index()"):
        return
    server_of_client(conn).run(
        when_it_is_free(lambda: index_migration().create(index_name, schema, current_hash))
    )


def index_migration() -> IndexMigration:
    """The index migrations of this process, without reports of progress. Waiting for a lease is logged."""
    return IndexMigration(
        this_process(),
        uuid.uuid4().hex,
        time.monotonic,
        Monitor(waiting=_log.warning),
    )
