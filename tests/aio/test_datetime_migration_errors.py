"""Where `DatetimeFieldMigration` refuses or is not done, it says so with an error: in both colours."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import redis

import redstart
import redstart.aio
from redstart import Field
from redstart.demo.models import Visit
from redstart.demo.sample import SIGHTING_PREFIX
from redstart.errors import (
    ConfigurationError,
    DataMigrationError,
    ServerConnectionError,
)
from redstart.mapping import base_model
from tests.aio.conftest import COUNTS, VISIT, break_a_visit, result
from tests.migrations.indexes.conftest import (
    DOCUMENTS,
    drop_all,
    legacy,
    total,
    wait_until_built,
)
from tests.support.migration import documents_of, own_keys
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy"]  # a fixture
pytestmark = pytest.mark.usefixtures("station_models")


@pytest.mark.sample(1)
def test_a_cut_over_that_would_lose_documents_is_an_error(built_in: Any, legacy: redis.Redis) -> None:
    break_a_visit(legacy)
    start = snapshot(legacy)
    migration = built_in.DatetimeFieldMigration()
    with pytest.raises(
        DataMigrationError, match=f"(?s)cutover refused: station:visit:index.* such as {VISIT}-0"
    ) as said:
        result(migration.up())
    assert f"Blocking: {VISIT}-0 arrived_at" in said.value.message
    assert said.value.hint is not None
    assert "om migrate run --accept-unindexed" in said.value.hint
    stats = migration.get_migration_stats()
    assert (stats["processed_keys"], stats["failed_conversions"]) == (DOCUMENTS + 1, 1)
    assert [one["value"] for one in stats["recent_errors"]] == ["never"]
    with pytest.raises(DataMigrationError, match="cutover refused"):  # it is not done, also the second time
        result(migration.up())
    result(built_in.DatetimeFieldMigration(failure_mode=built_in.ConversionFailureMode.DEFAULT).up())
    assert total(legacy, Visit._meta.index_name, "@arrived_at:[0 0]") == 1
    result(migration.down())
    assert difference(start, snapshot(legacy)) == []


def test_values_that_have_no_old_form_are_an_error_of_down(built_in: Any, legacy: redis.Redis) -> None:
    drop_all(legacy)
    migration = built_in.DatetimeFieldMigration()
    result(migration.up())
    legacy.json().set(
        f"{SIGHTING_PREFIX}new", "$", {"ringed_at": 0, "last_seen_by_place": {" ": 1, "b": 2, "c": 3}}
    )
    with pytest.raises(
        DataMigrationError,
        match=r"except for some values\. Values .*: 1, such as .*new last_seen",
    ):
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
    base_model.model_registry.clear()

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
    built_in: Any, client: redis.Redis, declare_parcels: Callable[[str], None]
) -> None:
    declare_parcels("NUMERIC")
    migration = built_in.DatetimeFieldMigration()
    result(migration.up())
    client.json().set("t:parcel:7", "$.grade", "good")
    before = documents_of(client)
    with pytest.raises(
        DataMigrationError, match=r"Rollback refused: .* drop documents, such as t:parcel:7\."
    ):
        result(migration.down())
    assert difference(before, documents_of(client)) == []
    client.json().set("t:parcel:7", "$.grade", 3)
    result(migration.down())
    assert client.json().get("t:parcel:1", "$.at") == ["2023-01-01T12:00:00"]


def test_an_old_index_that_would_lose_documents_is_an_error_of_down(
    built_in: Any, client: redis.Redis, declare_parcels: Callable[[str], None]
) -> None:
    """Numbers that a new application wrote before the run stay numbers, and the old index does not take them."""
    declare_parcels("TAG")
    redstart.Migrator().run()
    client.json().set("t:parcel:3", "$.at", 1672531200.5)
    migration = built_in.DatetimeFieldMigration()
    result(migration.up())
    with pytest.raises(
        DataMigrationError,
        match=r"Rollback complete, except for indexes: .* t:parcel:index, such as t:parcel:3\.",
    ):
        result(migration.down())
    assert client.json().get("t:parcel:1", "$.at") == ["2023-01-01T12:00:00"]
    assert total(client, INDEX) == 20


def test_before_up_all_counts_are_zero(built_in: Any, legacy: redis.Redis) -> None:
    assert built_in.DatetimeFieldMigration(max_errors=3).get_migration_stats() == {
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
        ({"batch_size": 0}, "batch_size has to be from 1 to 100,000, not 0"),
        ({"batch_size": 100_001}, "batch_size has to be from 1 to 100,000, not 100001"),
        ({"max_errors": 0}, "max_errors has to be 1 or more, not 0"),
        ({"progress_save_interval": 0}, "progress_save_interval has to be 1 or more, not 0"),
        ({"failure_mode": "explode"}, "Unknown failure mode 'explode'"),
    ],
    ids=repr,
)
def test_options_that_cannot_be(built_in: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        built_in.DatetimeFieldMigration(**options)


def test_without_models_it_does_not_pretend(built_in: Any, legacy: redis.Redis) -> None:
    base_model.model_registry.clear()
    with pytest.raises(ConfigurationError, match="No models are imported"):
        result(built_in.DatetimeFieldMigration().up())
    assert own_keys(legacy) == []
    assert legacy.smembers("redis_om:applied_migrations") == set()


def test_models_of_another_server_need_the_client_to_be_named(
    built_in: Any, legacy: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_all(legacy)
    monkeypatch.setenv("REDIS_OM_URL", "redis://elsewhere.invalid:1")
    monkeypatch.setattr(Visit._meta, "database", redis.Redis.from_url(url))
    with pytest.raises(ConfigurationError, match=r"demo\.models\.Visit are on .*elsewhere.invalid:1/0"):
        result(built_in.DatetimeFieldMigration().up())
    assert own_keys(legacy) == []
    colour = redis.asyncio if "aio" in built_in.__name__ else redis
    given = colour.Redis.from_url(url, decode_responses=True)
    migration = built_in.DatetimeFieldMigration(given)
    assert migration.redis is given
    result(migration.up())
    assert migration.get_migration_stats()["processed_keys"] == DOCUMENTS


def test_a_server_that_does_not_answer(built_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://localhost:1")
    migration = built_in.DatetimeFieldMigration()
    assert result(migration.can_run()) is False
    with pytest.raises(ServerConnectionError):
        result(migration.up())
