"""`DatetimeFieldMigration` in both colours: as `om migrate-data run` and `rollback`, and an error where they stop."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import redis

import redstart
import redstart.aio
from redstart import Field
from redstart.aio.model.migrations.data.builtin import DatetimeFieldMigration as AsyncMigration
from redstart.demo.models import Ringer, Visit
from redstart.demo.sample import SIGHTING_PREFIX
from redstart.errors import (
    ConfigurationError,
    ConnectionFailed,
    DataMigrationError,
    PlanChanged,
    RollbackUnfinished,
)
from redstart.mapping import registry
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.undoing.rollback import begin_rollback
from tests.aio.test_file_migrations import result
from tests.migrations.indexes.conftest import (
    DOCUMENTS,
    MODELS,
    drop_all,
    legacy,
    perform,
    serving,
    total,
    wait_until_built,
)
from tests.support.cli import run_om
from tests.support.migration import KEYS, documents_of, load_hostile, new_context, own_keys, state_of
from tests.support.models import registry_of_its_own
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy"]  # a fixture

VISIT = "station:visit:broken"
COUNTS = ("processed_keys", "converted_fields", "skipped_fields", "failed_conversions", "error_count")


@pytest.fixture(autouse=True)
def configured(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The station's models, for programs and for `om`, and no others."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    with registry_of_its_own():
        for model in MODELS:
            registry.register(model)
        yield


@pytest.fixture(params=["redstart", "redstart.aio"])
def library(request: pytest.FixtureRequest) -> Any:
    """`...model.migrations.data.builtin` of one colour."""
    return import_module(f"{request.param}.model.migrations.data.builtin")


@pytest.fixture
def hostile(client: redis.Redis) -> redis.Redis:
    """A client of a server with hostile documents, under no index."""
    drop_all(client)
    load_hostile(client)
    return client


def break_a_visit(client: redis.Redis, number: int = 1) -> None:
    for one in range(number):
        client.hset(f"{VISIT}-{one}", mapping={"visit_code": f"broken-{one}", "arrived_at": "never"})


def test_there_and_back_under_indexes(library: Any, legacy: redis.Redis) -> None:
    start = snapshot(legacy)
    migration = library.DatetimeFieldMigration()
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
    assert {(one["current_type"], one["form"]) for one in taken} == {("TAG", "old")}, "the old indexes serve"
    assert run_om("migrate-data", "run", "--yes").code == 0
    assert state_of(legacy) == converted


@pytest.mark.parametrize("mode", list(FailureMode))
def test_each_failure_mode_does_what_it_does_to_om(
    library: Any, hostile: redis.Redis, mode: FailureMode, caplog: pytest.LogCaptureFixture
) -> None:
    start = snapshot(hostile)
    ended = run_om("migrate-data", "run", "--json", "--failure-mode", mode.value, "--batch-size", "40")
    expected = state_of(hostile)
    assert run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps").code == 0
    assert difference(start, snapshot(hostile)) == []

    migration = library.DatetimeFieldMigration(
        failure_mode=library.ConversionFailureMode(mode.value), batch_size=40
    )
    with caplog.at_level(logging.WARNING, "redstart"):
        if mode is FailureMode.FAIL:
            assert ended.code == 5
            with pytest.raises(DataMigrationError, match="failure mode is fail, and this will not convert"):
                result(migration.up())
        else:
            assert ended.code == 0
            result(migration.up())
    assert state_of(hostile) == expected
    said = [record for record in caplog.records if record.name.startswith("redstart")]
    assert len(said) == (0 if mode is FailureMode.SKIP else ended.json["errors"])

    stats = migration.get_migration_stats()
    assert [stats[name] for name in COUNTS] == [
        ended.json["documents"],
        ended.json["converted"],
        ended.json["already_converted"] + ended.json["null"],
        ended.json["errors"],
        ended.json["errors"],
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


def test_max_errors_stops_and_up_goes_on(library: Any, legacy: redis.Redis) -> None:
    drop_all(legacy)
    break_a_visit(legacy, 5)
    migration = library.DatetimeFieldMigration(max_errors=2, batch_size=20)
    with pytest.raises(DataMigrationError, match=r"max-errors reached") as stopped:
        result(migration.up())
    assert stopped.value.hint is not None
    assert "up() once more" in stopped.value.hint
    stats = migration.get_migration_stats()
    assert (stats["failed_conversions"], stats["max_errors"]) == (2, 2)
    assert len(stats["recent_errors"]) == 2
    assert 0 < stats["processed_keys"] < DOCUMENTS + 5
    assert run_om("migrate-data", "progress", "--json").json["state"] == "interrupted"
    again = library.DatetimeFieldMigration(batch_size=20)
    result(again.up())
    stats = again.get_migration_stats()
    assert (stats["processed_keys"], stats["failed_conversions"]) == (DOCUMENTS + 5, 5)
    assert stats["success_rate"] == pytest.approx(
        100 * stats["converted_fields"] / (stats["converted_fields"] + 5)
    )
    assert run_om("migrate-data", "progress", "--json").json["state"] == "none"


def test_what_om_began_up_goes_on_with(library: Any, legacy: redis.Redis) -> None:
    start = snapshot(legacy)
    assert run_om("migrate-data", "run", "--limit-documents", "50").code == 5
    generation = run_om("migrate-data", "progress", "--json").json["generation"]
    migration = library.DatetimeFieldMigration(batch_size=20)
    result(migration.up())
    assert migration.get_migration_stats()["processed_keys"] == DOCUMENTS
    assert int(legacy.hget(KEYS.record, "generation") or 0) == generation
    assert run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps").code == 0
    assert difference(start, snapshot(legacy)) == []


def test_without_resuming_it_begins_anew(library: Any, legacy: redis.Redis) -> None:
    start = snapshot(legacy)
    assert run_om("migrate-data", "run", "--limit-documents", "50").code == 5  # of all three models
    registry.model_registry.clear()
    registry.register(Visit)
    with pytest.raises(PlanChanged):
        result(library.DatetimeFieldMigration().up())
    migration = library.DatetimeFieldMigration(enable_resume=False)
    result(migration.up())
    visits = total(legacy, Visit._meta.index_name)
    assert migration.get_migration_stats()["processed_keys"] == visits
    assert int(legacy.hget(KEYS.record, "generation") or 0) == 2
    result(migration.down())
    assert difference(start, snapshot(legacy)) == [], "what the interrupted run converted is undone too"


@pytest.mark.parametrize("resume", [True, False])
def test_a_rollback_that_began_is_never_given_up(
    library: Any, legacy: redis.Redis, url: str, resume: bool
) -> None:
    start = snapshot(legacy)
    result(library.DatetimeFieldMigration().up())
    perform(url, begin_rollback(new_context()))
    with pytest.raises(RollbackUnfinished):
        result(library.DatetimeFieldMigration(enable_resume=resume).up())
    result(library.DatetimeFieldMigration().down())
    assert difference(start, snapshot(legacy)) == []


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
    library: Any, legacy: redis.Redis, options: dict[str, int], larger: dict[str, int]
) -> None:
    """Each step of the scan is saved with its work, so the number of steps tells."""
    drop_all(legacy)

    def steps(**options: int) -> int:
        legacy.config_resetstat()
        migration = library.DatetimeFieldMigration(**options)
        result(migration.up())
        asked = int(legacy.info("commandstats")["cmdstat_scan"]["calls"])
        result(migration.down())
        return asked

    few, many = steps(**larger), steps(**options)
    assert few <= 20
    assert many >= 3 * DOCUMENTS / 20 / 2


def test_a_cut_over_that_would_lose_documents_is_an_error(library: Any, legacy: redis.Redis) -> None:
    break_a_visit(legacy)
    start = snapshot(legacy)
    migration = library.DatetimeFieldMigration()
    with pytest.raises(
        DataMigrationError, match=f"(?s)not cut over: station:visit:index.* as {VISIT}-0"
    ) as said:
        result(migration.up())
    assert f"In the way: {VISIT}-0 arrived_at" in said.value.message
    assert said.value.hint is not None
    assert "om migrate run --accept-unindexed" in said.value.hint
    stats = migration.get_migration_stats()
    assert (stats["processed_keys"], stats["failed_conversions"]) == (DOCUMENTS + 1, 1)
    assert [one["value"] for one in stats["recent_errors"]] == ["never"]
    with pytest.raises(DataMigrationError, match="not cut over"):  # it is not done, also the second time
        result(migration.up())
    result(library.DatetimeFieldMigration(failure_mode=library.ConversionFailureMode.DEFAULT).up())
    assert total(legacy, Visit._meta.index_name, "@arrived_at:[0 0]") == 1
    result(migration.down())
    assert difference(start, snapshot(legacy)) == []


def test_values_that_have_no_old_form_are_an_error_of_down(library: Any, legacy: redis.Redis) -> None:
    drop_all(legacy)
    migration = library.DatetimeFieldMigration()
    result(migration.up())
    legacy.json().set(
        f"{SIGHTING_PREFIX}new", "$", {"ringed_at": 0, "last_seen_by_place": {" ": 1, "b": 2, "c": 3}}
    )
    with pytest.raises(DataMigrationError, match=r"The rollback is done\. Values .*: 1, as .*new last_seen"):
        result(migration.down())
    assert legacy.json().get(f"{SIGHTING_PREFIX}new", "$.last_seen_by_place.b") == ["1970-01-01T00:00:02"]
    assert own_keys(legacy) == []
    assert result(migration.down()) is None, "nothing is left to undo"


INDEX = "t:parcel:index"
OLD_INDEX = ("$.pk", "AS", "pk", "TAG", "$.at", "AS", "at", "TAG", "$.grade", "AS", "grade")


@pytest.fixture
def declare_parcels(client: redis.Redis) -> Iterator[Callable[[str], None]]:
    """Declares parcels in place of the station's models, under an index that takes their grade as it is told to."""
    drop_all(client)
    registry.model_registry.clear()

    class Parcel(redstart.JsonModel, index=True):
        at: datetime = Field(index=True)
        grade: str | None = Field(index=True)

        class Meta:
            global_key_prefix = "t"
            model_key_prefix = "parcel"
            index_name = INDEX

    def declare(grade: str) -> None:
        for number in range(20):
            document = {"pk": str(number), "at": "2023-01-01T12:00:00", "grade": None}
            client.json().set(f"t:parcel:{number}", "$", document)
        schema = ("ON", "JSON", "PREFIX", 1, "t:parcel:", "SCHEMA", *OLD_INDEX, grade)
        client.execute_command("FT.CREATE", INDEX, *schema)
        wait_until_built(client, [INDEX])

    yield declare
    drop_all(client)


def test_a_rollback_whose_index_would_lose_documents_undoes_nothing(
    library: Any, client: redis.Redis, declare_parcels: Callable[[str], None]
) -> None:
    declare_parcels("NUMERIC")
    migration = library.DatetimeFieldMigration()
    result(migration.up())
    client.json().set("t:parcel:7", "$.grade", "good")
    before = documents_of(client)
    with pytest.raises(DataMigrationError, match=r"Nothing was undone: .* lose documents, as t:parcel:7\."):
        result(migration.down())
    assert difference(before, documents_of(client)) == []
    client.json().set("t:parcel:7", "$.grade", 3)
    result(migration.down())
    assert client.json().get("t:parcel:1", "$.at") == ["2023-01-01T12:00:00"]


def test_an_old_index_that_would_lose_documents_is_an_error_of_down(
    library: Any, client: redis.Redis, declare_parcels: Callable[[str], None]
) -> None:
    """Numbers that a new application wrote before the run stay numbers, and the old index does not take them."""
    declare_parcels("TAG")
    redstart.Migrator().run()
    client.json().set("t:parcel:3", "$.at", 1672531200.5)
    migration = library.DatetimeFieldMigration()
    result(migration.up())
    with pytest.raises(
        DataMigrationError, match=r"The data is undone, but .* t:parcel:index, as t:parcel:3\."
    ):
        result(migration.down())
    assert client.json().get("t:parcel:1", "$.at") == ["2023-01-01T12:00:00"]
    assert total(client, INDEX) == 20


def test_before_up_all_counts_are_zero(library: Any, legacy: redis.Redis) -> None:
    assert library.DatetimeFieldMigration(max_errors=3).get_migration_stats() == {
        **dict.fromkeys(COUNTS, 0),
        "success_rate": 0,
        "recent_errors": [],
        "failure_mode": "log_and_skip",
        "batch_size": 1_000,
        "max_errors": 3,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; it has to be from 1 to 100,000"),
        ({"batch_size": 100_001}, "batch_size is 100001"),
        ({"max_errors": 0}, "max_errors is 0; it has to be 1 or more"),
        ({"progress_save_interval": 0}, "progress_save_interval is 0"),
        ({"failure_mode": "explode"}, "There is no failure mode 'explode'"),
    ],
    ids=repr,
)
def test_options_that_cannot_be(library: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        library.DatetimeFieldMigration(**options)


def test_without_models_it_does_not_pretend(library: Any, legacy: redis.Redis) -> None:
    registry.model_registry.clear()
    with pytest.raises(ConfigurationError, match="No models are declared"):
        result(library.DatetimeFieldMigration().up())
    assert own_keys(legacy) == []
    assert legacy.smembers("redis_om:applied_migrations") == set()


def test_models_of_another_server_need_the_client_to_be_named(
    library: Any, legacy: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_all(legacy)
    monkeypatch.setenv("REDIS_OM_URL", "redis://elsewhere.invalid:1")
    monkeypatch.setattr(Visit._meta, "database", redis.Redis.from_url(url))
    with pytest.raises(ConfigurationError, match=r"demo\.models\.Visit are at .*elsewhere.invalid:1/0"):
        result(library.DatetimeFieldMigration().up())
    assert own_keys(legacy) == []
    colour = redis.asyncio if "aio" in library.__name__ else redis
    given = colour.Redis.from_url(url, decode_responses=True)
    migration = library.DatetimeFieldMigration(given)
    assert migration.redis is given
    result(migration.up())
    assert migration.get_migration_stats()["processed_keys"] == DOCUMENTS


def test_a_server_that_does_not_answer(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://localhost:1")
    migration = library.DatetimeFieldMigration()
    assert result(migration.can_run()) is False
    with pytest.raises(ConnectionFailed):
        result(migration.up())


FILE = """
from {package}.model.migrations.data.builtin import ConversionFailureMode, DatetimeFieldMigration

class Dates(DatetimeFieldMigration):
    migration_id = "20251122_154825_dates"
    description = "Our dates"

    def __init__(self, redis_client=None):
        super().__init__(redis_client, failure_mode=ConversionFailureMode.DEFAULT, batch_size=50)
"""


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
