# Generated from redstart/aio/migrator.py: change that, then `python -m tools.generate_sync`.
"""Indexes brought up to date when an application starts: `Migrator().run()`."""

import time
import uuid
from typing import TYPE_CHECKING

from redstart.mapping.declaration import ModelDeclaration, declare, distinct
from redstart.mapping.registry import registered_models
from redstart.migrations.at_start import bring_up_to_date
from redstart.migrations.holder import this_process
from redstart.migrations.indexes.migrate import IndexMigration
from redstart.sync.connections import client_of, server_of_client

if TYPE_CHECKING:
    import redis


class Migrator:
    """Creates and replaces the indexes of all models that are declared by now, as `om migrate run` does.

    Args:
        conn: a client of the server to do it on; by default each model's own.
    """

    def __init__(self, conn: "redis.Redis | None" = None) -> None:
        self._client = conn

    def run(self) -> None:
        """Bring all indexes as far as the data allows, without a gap in what queries find.

        An index whose dates change their type is made ready beside the one that serves, and takes over when
        `om migrate-data run` has converted the data. Any number of processes may do this at once.

        Raises:
            MigrationError: an index was not replaced, for documents that are found now would not be found.
            CapabilityMissing: the server has no search module.
            ServerError: no answer, or a refusal.

        Effects: a read for each index where all are as they should be. Safe to repeat.
        """
        by_client: dict[int, list[ModelDeclaration]] = {}
        clients: dict[int, redis.Redis] = {}
        for declaration in distinct(map(declare, registered_models())):
            client = client_of(declaration.model) if self._client is None else self._client
            clients[id(client)] = client
            by_client.setdefault(id(client), []).append(declaration)
        for name, declarations in by_client.items():
            server_of_client(clients[name]).run(bring_up_to_date(declarations, _index_migration))


SchemaDetector = Migrator
"""What redis-om calls it since 1.0."""


def _index_migration() -> IndexMigration:
    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, lambda _index, _percent: None)
