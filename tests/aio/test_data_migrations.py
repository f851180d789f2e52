"""`DatetimeFieldMigration` in both colours: as `om migrate-data run` and `rollback`, and an error where they stop."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart
import redstart.aio
from redstart.aio.model.migrations.data.builtin import DatetimeFieldMigration as AsyncMigration
from redstart.demo.models import Ringer, Visit
from redstart.errors import (
    DataMigrationError,
    PlanChangedError,
    RollbackInProgressError,
)
from redstart.mapping import base_model
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.rollback import begin_rollback
from tests.aio.conftest import COUNTS, VISIT, break_a_visit, result
from tests.migrations.indexes.conftest import (
    DOCUMENTS,
    MODELS,
    drop_all,
    legacy,
    perform,
    serving,
    total,
)
from tests.support.cli import run_om
from tests.support.migration import KEYS, load_hostile, new_context, state_of
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy"]  # a fixture
pytestmark = pytest.mark.usefixtures("station_models")


@pytest.fixture
def hostile(client: redis.Redis) -> redis.Redis:
    """A client of a server with hostile documents, under no index."""
    drop_all(client)
    load_hostile(client)
    return client


@pytest.mark.sample(1)
def test_there_and_back_under_indexes(built_in: Any, legacy: redis.Redis) -> None:
    start = snapshot(legacy)
    migration = built_in.DatetimeFieldMigration()
    assert migration.migration_id == "001_datetime_fields_to_timestamps"
    assert result(migration.can_run()) is True
    assert result(migration.up()) is None
    converted = state_of(legacy)
    for model in MODELS:
        assert serving(legacy, model._meta.index_name) != model._meta.index_name, "cut over"
    assert total(legacy, Ringer._meta.index_name, "@licensed_at:[-inf +inf]") == total(
        legacy, Ringer._meta.index_name
    )
    assert Visit.find(Visit.arrived_at > 0).count() > 0
    assert legacy.smembers("redis_om:applied_migrations") == {migration.migration_id.encode()}
    assert run_om("migrate-data", "verify", "--check-data").code == 0
    assert result(migration.down()) is None
    assert difference(start, snapshot(legacy)) == []
    taken = run_om("migrate-data", "check-schema", "--json").json["mismatches"]
    assert {(one["current_type"], one["state"]) for one in taken} == {("TAG", "text")}, (
        "the old indexes serve"
    )
    assert run_om("migrate-data", "run", "--yes").code == 0
    assert state_of(legacy) == converted


@pytest.mark.sample(2)
@pytest.mark.parametrize("mode", list(FailureMode))
def test_each_failure_mode_does_what_it_does_to_om(
    built_in: Any, hostile: redis.Redis, mode: FailureMode, caplog: pytest.LogCaptureFixture
) -> None:
    start = snapshot(hostile)
    ended = run_om("migrate-data", "run", "--json", "--failure-mode", mode.value, "--batch-size", "40")
    expected = state_of(hostile)
    assert run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps").code == 0
    assert difference(start, snapshot(hostile)) == []

    migration = built_in.DatetimeFieldMigration(
        failure_mode=built_in.ConversionFailureMode(mode.value), batch_size=40
    )
    with caplog.at_level(logging.WARNING, "redstart"):
        if mode is FailureMode.FAIL:
            assert ended.code == 5
            with pytest.raises(DataMigrationError, match=r"failed value \(--failure-mode fail\)"):
                result(migration.up())
        else:
            assert ended.code == 0
            result(migration.up())
    assert state_of(hostile) == expected
    said = [record for record in caplog.records if record.name.startswith("redstart")]
    assert len(said) == (0 if mode is FailureMode.SKIP else ended.json["failed"])

    stats = migration.get_migration_stats()
    assert [stats[name] for name in COUNTS] == [
        ended.json["documents"],
        ended.json["converted"] + ended.json["rounded"],
        ended.json["already_numeric"] + ended.json["null"],
        ended.json["failed"],
        ended.json["failed"],
    ]
    assert (stats["failure_mode"], stats["batch_size"], stats["max_errors"]) == (mode.value, 40, None)
    recorded = {
        (one["key"], one["path"], one["value"], one["reason"])
        for one in run_om("migrate-data", "errors", "--json").json["errors"]
    }
    assert len(stats["recent_errors"]) == min(10, len(recorded))
    for one in stats["recent_errors"]:
        assert (one["key"], one["field"], one["value"], one["error"]) in recorded
    result(migration.down())
    assert difference(start, snapshot(hostile)) == []


def test_the_failure_modes_differ(hostile: redis.Redis) -> None:
    """What the test above compares with is not one and the same."""
    found = {}
    for mode in FailureMode:
        run_om("migrate-data", "run", "--failure-mode", mode.value)
        found[mode] = state_of(hostile).documents
        assert run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps").code == 0
    assert found[FailureMode.SKIP] == found[FailureMode.LOG_AND_SKIP]  # these differ in what is said
    different = [mode for mode in FailureMode if mode is not FailureMode.SKIP]
    assert all(found[one] != found[other] for one in different for other in different if one != other)


def test_max_errors_stops_and_up_goes_on(built_in: Any, legacy: redis.Redis) -> None:
    drop_all(legacy)
    break_a_visit(legacy, 5)
    migration = built_in.DatetimeFieldMigration(max_errors=2, batch_size=20)
    with pytest.raises(DataMigrationError, match=r"--max-errors \d+ reached") as stopped:
        result(migration.up())
    assert stopped.value.hint is not None
    assert "Resume with up()" in stopped.value.hint
    stats = migration.get_migration_stats()
    assert (stats["failed_conversions"], stats["max_errors"]) == (2, 2)
    assert len(stats["recent_errors"]) == 2
    assert 0 < stats["processed_keys"] < DOCUMENTS + 5
    assert run_om("migrate-data", "progress", "--json").json["state"] == "interrupted"
    again = built_in.DatetimeFieldMigration(batch_size=20)
    result(again.up())
    stats = again.get_migration_stats()
    assert (stats["processed_keys"], stats["failed_conversions"]) == (DOCUMENTS + 5, 5)
    assert stats["success_rate"] == pytest.approx(
        100 * stats["converted_fields"] / (stats["converted_fields"] + 5)
    )
    assert run_om("migrate-data", "progress", "--json").json["state"] == "none"


@pytest.mark.sample(1)
def test_what_om_began_up_goes_on_with(built_in: Any, legacy: redis.Redis) -> None:
    start = snapshot(legacy)
    assert run_om("migrate-data", "run", "--limit-documents", "50").code == 5
    generation = run_om("migrate-data", "progress", "--json").json["generation"]
    migration = built_in.DatetimeFieldMigration(batch_size=20)
    result(migration.up())
    assert migration.get_migration_stats()["processed_keys"] == DOCUMENTS
    assert int(legacy.hget(KEYS.record, "generation") or 0) == generation
    assert run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps").code == 0
    assert difference(start, snapshot(legacy)) == []


@pytest.mark.sample(1)
def test_without_resuming_it_starts_again(built_in: Any, legacy: redis.Redis) -> None:
    start = snapshot(legacy)
    assert run_om("migrate-data", "run", "--limit-documents", "50").code == 5  # of all three models
    base_model.model_registry.clear()
    base_model.register(Visit)
    with pytest.raises(PlanChangedError):
        result(built_in.DatetimeFieldMigration().up())
    migration = built_in.DatetimeFieldMigration(enable_resume=False)
    result(migration.up())
    visits = total(legacy, Visit._meta.index_name)
    assert migration.get_migration_stats()["processed_keys"] == visits
    assert int(legacy.hget(KEYS.record, "generation") or 0) == 2
    result(migration.down())
    assert difference(start, snapshot(legacy)) == [], "what the interrupted run converted is undone too"


@pytest.mark.sample(1)
@pytest.mark.parametrize("resume", [True, False])
def test_a_rollback_that_began_is_never_given_up(
    built_in: Any, legacy: redis.Redis, url: str, resume: bool
) -> None:
    start = snapshot(legacy)
    result(built_in.DatetimeFieldMigration().up())
    perform(url, begin_rollback(new_context()))
    with pytest.raises(RollbackInProgressError):
        result(built_in.DatetimeFieldMigration(enable_resume=resume).up())
    result(built_in.DatetimeFieldMigration().down())
    assert difference(start, snapshot(legacy)) == []


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("options", "larger"),
    [
        ({"batch_size": 20}, {"batch_size": 1_000}),
        ({"progress_save_interval": 20}, {"progress_save_interval": 2_000}),
        ({"batch_size": 500, "progress_save_interval": 20}, {"batch_size": 500}),
    ],
    ids=repr,
)
def test_how_often_progress_is_saved(
    built_in: Any, legacy: redis.Redis, options: dict[str, int], larger: dict[str, int]
) -> None:
    """Each step of the scan is saved with its work, so the number of steps tells."""
    drop_all(legacy)

    def steps(**options: int) -> int:
        legacy.config_resetstat()
        migration = built_in.DatetimeFieldMigration(**options)
        result(migration.up())
        asked = int(legacy.info("commandstats")["cmdstat_scan"]["calls"])
        result(migration.down())
        return asked

    few, many = steps(**larger), steps(**options)
    assert few <= 20
    assert many >= 3 * DOCUMENTS / 20 / 2


FILE = """
from {package}.model.migrations.data.builtin import ConversionFailureMode, DatetimeFieldMigration

class Dates(DatetimeFieldMigration):
    migration_id = "20251122_154825_dates"
    description = "Our dates"

    def __init__(self, redis_client=None):
        super().__init__(redis_client, failure_mode=ConversionFailureMode.DEFAULT, batch_size=50)
"""


@pytest.mark.sample(3)
@pytest.mark.parametrize("package", ["redstart", "redstart.aio", "redis_om", "aredis_om"])
def test_a_class_of_a_projects_own_in_a_migration_file(
    legacy: redis.Redis, tmp_path: Path, package: str
) -> None:
    """As it is found by `om` and the migrators, and run as docs/from-redis-om.md has it."""
    drop_all(legacy)
    break_a_visit(legacy)
    (tmp_path / "20251122_154825_dates.py").write_text(FILE.format(package=package), encoding="utf-8")
    listed = run_om("migrate-data", "status", "--migrations-dir", str(tmp_path), "--json").json["files"]
    assert listed["pending"] == ["20251122_154825_dates"]
    is_async = package.startswith(("aredis_om", "redstart.aio"))
    migrator: Any = (redstart.aio if is_async else redstart).DataMigrator(migrations_dir=str(tmp_path))
    (found,) = result(migrator.get_pending_migrations())
    assert (found.description, found.dependencies) == ("Our dates", ())
    migration = found.declaration(migrator.redis)
    assert inspect.iscoroutinefunction(migration.up) is is_async
    assert result(migration.can_run())
    result(migration.up())
    result(migrator.mark_migration_applied(found.migration_id))
    assert legacy.hget(f"{VISIT}-0", "arrived_at") == b"0.0"
    assert result(migrator.get_pending_migrations()) == []
    assert run_om("migrate-data", "status", "--check").code == 0


def test_a_file_that_only_imports_it_declares_it(tmp_path: Path) -> None:
    (tmp_path / "20251122_154825_dates.py").write_text(
        "from aredis_om.model.migrations.data.builtin.datetime_migration import DatetimeFieldMigration\n",
        encoding="utf-8",
    )
    migrator = redstart.DataMigrator(migrations_dir=str(tmp_path))
    assert list(migrator.discover_migrations()) == ["001_datetime_fields_to_timestamps"]


async def beside(migration: Any, look: Callable[[], Any]) -> int:
    """How often the event loop did other work while a migration ran."""
    task, looked = asyncio.ensure_future(migration.up()), 0
    while not task.done():
        await look()
        looked += 1
    await task
    return looked


def test_an_event_loop_goes_on_meanwhile(legacy: redis.Redis, url: str) -> None:
    client = redis.asyncio.Redis.from_url(url)

    async def look() -> None:
        assert (await client.ft(Visit._meta.index_name).search("*")).total > 0

    async def both() -> int:
        async with client:
            migration = AsyncMigration(batch_size=20)
            return await beside(migration, look)

    assert asyncio.run(both()) >= 20
