"""`DatetimeFieldDetector` in both colours: dates that an index takes as another type than their model asks for."""

from typing import Any

import pytest
import redis

import redstart
from redstart.demo.models import Capture, Ringer, Sighting, Visit
from redstart.errors import RedisModelError
from redstart.mapping.index_schema import index_of
from redstart.search.schema import create_arguments
from tests.aio.conftest import result
from tests.migrations.indexes.conftest import MODELS, drop_all, legacy
from tests.support.cli import run_om
from tests.support.snapshot import snapshot

__all__ = ["legacy"]  # a fixture
pytestmark = pytest.mark.usefixtures("station_models")

DATES = {
    ("Ringer", "born_on"),
    ("Ringer", "licensed_at"),
    ("Ringer", "last_seen_at"),
    ("Sighting", "ringed_at"),
    ("Sighting", "hatched_on"),
    ("Visit", "arrived_at"),
    ("Visit", "left_at"),
    ("Visit", "permit_until"),
}
"""Those that are indexed."""

NONE = {
    "has_mismatches": False,
    "mismatches": [],
    "total_affected_models": 0,
    "recommendation": "No schema mismatches.",
}


@pytest.fixture
def check(built_in: Any, url: str) -> Any:
    """Asks the detector of one colour, with a client of that colour that decodes, as redis-om's."""
    colour = redis.asyncio if "aio" in built_in.__name__ else redis

    def ask(*models: Any) -> dict[str, Any]:
        detector = built_in.DatetimeFieldDetector(colour.Redis.from_url(url, decode_responses=True))
        found: dict[str, Any] = result(detector.check_for_schema_mismatches(list(models or MODELS)))
        return found

    return ask


@pytest.mark.sample(1)
def test_from_text_to_numbers_and_back(built_in: Any, legacy: redis.Redis, check: Any) -> None:
    before = snapshot(legacy)
    found = check()
    assert (found["has_mismatches"], found["total_affected_models"]) == (True, 3)
    assert {(one["model"], one["field"]) for one in found["mismatches"]} == DATES
    for one in found["mismatches"]:
        assert set(one) == {"model", "field", "current_type", "expected_type", "index_name"}
        assert (one["current_type"], one["expected_type"]) == ("TAG", "NUMERIC")
        assert one["index_name"] in {model._meta.index_name for model in MODELS}
    assert "om migrate-data run" in found["recommendation"]
    assert snapshot(legacy) == before

    assert run_om("migrate", "run", "--yes").code == 0
    found = check()  # of JSON an index serves now that takes both forms
    assert {(one["model"], one["field"]) for one in found["mismatches"]} == DATES
    assert "om migrate-data run" in found["recommendation"]

    migration = built_in.DatetimeFieldMigration()
    result(migration.up())
    assert check() == NONE
    result(migration.down())
    assert check()["total_affected_models"] == 3


def test_only_the_models_that_are_named(legacy: redis.Redis, check: Any) -> None:
    found = check(Visit)
    assert (found["total_affected_models"], len(found["mismatches"])) == (1, 3)
    assert found["mismatches"][0] == {
        "model": "Visit",
        "field": "arrived_at",
        "current_type": "TAG",
        "expected_type": "NUMERIC",
        "index_name": "station:visit:index",
    }
    assert found["recommendation"].endswith("om migrate-data run (station:visit:index)")


def test_a_missing_index_is_not_a_mismatch(client: redis.Redis, check: Any) -> None:
    """As in redis-om: an application that starts on an empty server creates it next."""
    drop_all(client)
    assert check() == NONE


def test_a_date_missing_from_an_index_is_not_a_mismatch_but_text_is(client: redis.Redis, check: Any) -> None:
    drop_all(client)
    words = list(create_arguments(index_of(Visit)))
    at = words.index("left_at")
    client.execute_command("FT.CREATE", *words[:at], *words[at + 2 :])
    assert check(Visit) == NONE
    drop_all(client)
    words[at + 1] = "TEXT"
    client.execute_command("FT.CREATE", *words)
    (one,) = check(Ringer, Visit, Sighting)["mismatches"]
    assert (one["field"], one["current_type"], one["expected_type"]) == ("left_at", "TEXT", "NUMERIC")


def test_sortable_or_not_is_not_a_mismatch(client: redis.Redis, check: Any) -> None:
    drop_all(client)
    words = list(create_arguments(index_of(Visit)))
    words.insert(words.index("left_at") + 2, "SORTABLE")
    client.execute_command("FT.CREATE", *words)
    assert check(Visit) == NONE


def test_a_model_of_both_colours_counts_once(legacy: redis.Redis, check: Any) -> None:
    assert check(Visit, Visit)["total_affected_models"] == 1


def test_models_without_dates_and_without_documents(legacy: redis.Redis, check: Any) -> None:
    class Net(redstart.HashModel, index=True):
        length_metres: int

    assert check(Net) == NONE
    assert check(Net, Visit)["total_affected_models"] == 1
    with pytest.raises(RedisModelError, match="Capture has no documents"):
        check(Capture)
