# pyright: standard
"""Migration files as users write them, and what reads them, with the types they have to have: checked, never run."""

from typing import Any, assert_type

import redis
import redis.asyncio

import redstart
import redstart.aio
from redstart.aio.model.migrations.data import BaseMigration
from redstart.aio.model.migrations.data.builtin import (
    ConversionFailureMode,
    DatetimeFieldDetector,
    DatetimeFieldMigration,
)
from redstart.aio.model.migrations.schema import BaseSchemaMigration, SchemaMigrator
from redstart.aio.model.migrations.schema.legacy_migrator import (
    create_index,
    schema_hash_key,
    schema_text_key,
)
from redstart.model.migrations.data import BaseMigration as SyncMigration
from redstart.model.migrations.data.builtin import DatetimeFieldDetector as SyncDetector
from redstart.model.migrations.data.builtin import DatetimeFieldMigration as SyncDatetimeFieldMigration
from redstart.model.migrations.migrator import create_index as sync_create_index


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


class Dates(DatetimeFieldMigration):
    migration_id = "20251122_154825_dates"

    def __init__(self, redis_client: redis.asyncio.Redis | None = None) -> None:
        super().__init__(redis_client, failure_mode=ConversionFailureMode.DEFAULT, batch_size=500)

    async def up(self) -> None:
        await super().up()
        assert_type(self.get_migration_stats(), dict[str, Any])


class Visit(redstart.HashModel, index=True):
    page: str


async def of_dates(client: redis.asyncio.Redis) -> None:
    migration = DatetimeFieldMigration(
        client,
        failure_mode=ConversionFailureMode.LOG_AND_SKIP,
        batch_size=1000,
        max_errors=5,
        enable_resume=True,
        progress_save_interval=100,
    )
    assert_type(migration.failure_mode, ConversionFailureMode)
    assert_type(await migration.can_run(), bool)
    assert_type(await migration.up(), None)
    assert_type(await migration.down(), None)
    modes = (ConversionFailureMode.SKIP, ConversionFailureMode.FAIL, ConversionFailureMode.QUARANTINE)
    assert_type([mode.value for mode in modes], list[str])
    assert_type(await DatetimeFieldDetector(client).check_for_schema_mismatches([Visit]), dict[str, Any])
    assert_type(await create_index(client, "i", Visit.redisearch_schema(), "h"), None)
    assert_type(schema_hash_key("i") + schema_text_key("i"), str)


def of_dates_synchronously(client: redis.Redis) -> None:
    assert_type(SyncDatetimeFieldMigration(client).up(), None)
    assert_type(SyncDatetimeFieldMigration(max_errors=None).can_run(), bool)
    assert_type(SyncDetector(client).check_for_schema_mismatches([Visit]), dict[str, Any])
    assert_type(sync_create_index(client, "i", "ON HASH PREFIX 1 v: SCHEMA a TAG", "h"), None)


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
