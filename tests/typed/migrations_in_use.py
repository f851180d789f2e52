# pyright: standard
"""Migration files as users write them, and what reads them, with the types they have to have: checked, never run."""

from typing import Any, assert_type

import redis
import redis.asyncio

import redstart
import redstart.aio
from redstart.aio.model.migrations.data import BaseMigration
from redstart.aio.model.migrations.schema import BaseSchemaMigration, SchemaMigrator
from redstart.model.migrations.data import BaseMigration as SyncMigration


class FillSites(BaseMigration):
    migration_id = "20251122_154825_fill_sites"
    description = "Fill Sites"
    dependencies = ["20251001_000000_first"]  # noqa: RUF012 - as redis-om's own files have it

    async def up(self) -> None:
        assert_type(self.redis, redis.asyncio.Redis)
        await self.redis.set("a", "b")

    async def down(self) -> None:
        await self.redis.delete("a")

    async def can_run(self) -> bool:
        return bool(await self.redis.exists("a"))


class AddVisits(BaseSchemaMigration):
    migration_id = "20251122_154825_add_visits"

    operations = ({"index_name": "station:visit:index"},)

    async def up(self) -> None:
        for operation in self.operations:
            await self.redis.delete(operation["index_name"])


class Synchronous(SyncMigration):
    migration_id = "20251122_154825_synchronous"

    def up(self) -> None:
        assert_type(self.redis, redis.Redis)
        self.redis.set("a", "b")


async def of_both_kinds(client: redis.asyncio.Redis) -> None:
    migrator = redstart.aio.DataMigrator(client, migrations_dir="migrations/data-migrations")
    for found in await migrator.get_pending_migrations():
        assert_type(found.migration_id, str)
        assert_type(found.dependencies, tuple[str, ...])
        await migrator.mark_migration_applied(found.migration_id)
    assert_type(await SchemaMigrator().status(), dict[str, Any])
    assert_type(await SchemaMigrator(client).get_applied(), set[str])


def synchronously() -> None:
    assert_type(redstart.DataMigrator().get_applied_migrations(), set[str])
    redstart.SchemaMigrator(migrations_dir="a").mark_applied("b")
