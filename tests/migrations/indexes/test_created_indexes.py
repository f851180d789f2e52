"""A rollback keeps indexes that did not exist before Redstart as they were before the run."""

import datetime
import json
from typing import Any

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.mapping.model_info import declare
from redstart.migrations.coordinator import rollback_indexes
from redstart.migrations.indexes.plan import planned_indexes
from tests.migrations.indexes.conftest import migration, perform, serving, total
from tests.migrations.indexes.there_and_back import back, expand, forward
from tests.support.migration import new_context

DOCUMENTS = 5


class Tide(HashModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)

    class Meta:
        global_key_prefix = "created"
        model_key_prefix = "tide"


class Wave(JsonModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)

    class Meta:
        global_key_prefix = "created"
        model_key_prefix = "wave"


class Rock(HashModel, index=True):
    """Without dates."""

    place: str = Field(index=True)

    class Meta:
        global_key_prefix = "created"
        model_key_prefix = "rock"


MODELS = (Tide, Wave, Rock)
NAMES = [one.name for one in planned_indexes(map(declare, MODELS))]
TEXTS: dict[str, list[Any]] = {
    "no documents": [],
    "text": ["2021-05-04T03:02:01"] * DOCUMENTS,
    "numbers": [1600000000.5] * DOCUMENTS,
    "both": ["2021-05-04T03:02:01", 1600000000.5],
}


def store(client: redis.Redis, dates: list[Any], name: str = "") -> None:
    for number, at in enumerate(dates):
        fields = {"pk": f"{name}{number}", "place": "bay", "at": at}
        client.hset(f"created:tide:{name}{number}", mapping=fields)
        client.execute_command("JSON.SET", f"created:wave:{name}{number}", "$", json.dumps(fields))


def roll_back(url: str) -> None:
    found = back(url)
    assert found.data is not None
    assert not found.refused


def swap_indexes_back(url: str, **options: bool) -> None:
    undone, done = perform(url, rollback_indexes(new_context(), migration(), **options))
    assert undone
    assert all(one.done for one in done.values())


def indexes(client: redis.Redis) -> Any:
    """Return what queries and redis-om read of indexes."""
    kept = {key: client.get(key) for key in client.scan_iter("created:*:index:*", count=1_000)}
    active = {name: (serving(client, name), total(client, name)) for name in NAMES}
    return active, sorted(client.execute_command("FT._LIST")), kept


@pytest.mark.sample(2)
@pytest.mark.parametrize("dates", TEXTS)
def test_they_are_as_before_the_run(without_indexes: redis.Redis, url: str, dates: str) -> None:
    store(without_indexes, TEXTS[dates])
    expand(url, *MODELS)
    before = indexes(without_indexes)
    forward(url, *MODELS)
    roll_back(url)
    assert indexes(without_indexes) == before
    roll_back(url)
    swap_indexes_back(url)
    assert indexes(without_indexes) == before
    forward(url, *MODELS)
    roll_back(url)
    assert indexes(without_indexes) == before
    # With --drop-created it drops them.
    swap_indexes_back(url, drop_created=True)
    assert without_indexes.execute_command("FT._LIST") == []


@pytest.mark.sample(3)
@pytest.mark.parametrize("dates", TEXTS)
def test_one_that_was_made_after_the_run_keeps_every_document(
    without_indexes: redis.Redis, url: str, dates: str
) -> None:
    store(without_indexes, TEXTS[dates])
    forward(url, *MODELS)
    expand(url, *MODELS)
    found = [total(without_indexes, name) for name in NAMES]
    roll_back(url)
    swap_indexes_back(url)
    assert [total(without_indexes, name) for name in NAMES] == found
    forward(url, *MODELS)
    assert [total(without_indexes, name) for name in NAMES] == found


def test_text_written_after_a_run_that_met_nothing_is_found_after_its_rollback(
    without_indexes: redis.Redis, url: str
) -> None:
    expand(url, *MODELS)
    forward(url, *MODELS)
    roll_back(url)
    store(without_indexes, TEXTS["text"])
    expand(url, *MODELS)
    forward(url, *MODELS)
    assert [total(without_indexes, name) for name in NAMES] == [DOCUMENTS, DOCUMENTS, 0]
    roll_back(url)
    assert [total(without_indexes, name) for name in NAMES] == [DOCUMENTS, DOCUMENTS, 0]
