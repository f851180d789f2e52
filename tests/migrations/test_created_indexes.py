"""A rollback leaves indexes that Redstart was the first to make as they were before the run: no more, no less."""

import datetime
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.mapping.model_info import declare
from redstart.migrations.coordinator import migrate_back, migrate_forward, rollback_indexes
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import make_plan
from redstart.migrations.data.record import converted_prefixes
from redstart.migrations.data.run import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.plan import planned_indexes
from tests.migrations.indexes.conftest import drop_all, migration, perform, serving, total
from tests.support.migration import KEYS, new_context

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


DECLARATIONS = [declare(model) for model in (Tide, Wave, Rock)]
NAMES = [one.name for one in planned_indexes(DECLARATIONS)]
TEXTS: dict[str, list[Any]] = {
    "no documents": [],
    "text": ["2021-05-04T03:02:01"] * DOCUMENTS,
    "numbers": [1600000000.5] * DOCUMENTS,
    "both": ["2021-05-04T03:02:01", 1600000000.5],
}


@pytest.fixture
def empty(client: redis.Redis) -> Iterator[redis.Redis]:
    drop_all(client)
    yield client
    drop_all(client)


def store(client: redis.Redis, dates: list[Any], name: str = "") -> None:
    for number, at in enumerate(dates):
        fields = {"pk": f"{name}{number}", "place": "bay", "at": at}
        client.hset(f"created:tide:{name}{number}", mapping=fields)
        client.execute_command("JSON.SET", f"created:wave:{name}{number}", "$", json.dumps(fields))


def migrate_run(url: str) -> None:
    converted = partial(
        converted_prefixes, KEYS, make_plan(DECLARATIONS, DatetimeConversion.of_zone("UTC")).models
    )
    perform(url, migration().run(planned_indexes(DECLARATIONS), converted, ExpansionOptions()))


def migrate_data_run(url: str) -> None:
    plan, planned = make_plan(DECLARATIONS, DatetimeConversion.of_zone("UTC")), planned_indexes(DECLARATIONS)
    perform(url, migrate_forward(new_context(), plan, RunOptions(), planned, migration(), ExpansionOptions()))


def roll_back(url: str) -> None:
    found = perform(url, migrate_back(new_context(), migration()))
    assert found.data is not None
    assert not found.refused


def swap_indexes_back(url: str, **options: bool) -> None:
    undone, done = perform(url, rollback_indexes(new_context(), migration(), **options))
    assert undone
    assert all(one.done for one in done.values())


def indexes(client: redis.Redis) -> Any:
    """All that queries and redis-om see of indexes."""
    kept = {key: client.get(key) for key in client.scan_iter("created:*:index:*", count=1_000)}
    active = {name: (serving(client, name), total(client, name)) for name in NAMES}
    return active, sorted(client.execute_command("FT._LIST")), kept


@pytest.mark.parametrize("dates", TEXTS)
def test_they_are_as_before_the_run(empty: redis.Redis, url: str, dates: str) -> None:
    store(empty, TEXTS[dates])
    migrate_run(url)
    before = indexes(empty)
    migrate_data_run(url)
    roll_back(url)
    assert indexes(empty) == before
    roll_back(url)
    swap_indexes_back(url)
    assert indexes(empty) == before
    migrate_data_run(url)
    roll_back(url)
    assert indexes(empty) == before
    # Asked to, it takes away what it made.
    swap_indexes_back(url, drop_created=True)
    assert empty.execute_command("FT._LIST") == []


@pytest.mark.parametrize("dates", TEXTS)
def test_one_that_was_made_after_the_run_keeps_every_document(
    empty: redis.Redis, url: str, dates: str
) -> None:
    store(empty, TEXTS[dates])
    migrate_data_run(url)
    migrate_run(url)
    found = [total(empty, name) for name in NAMES]
    roll_back(url)
    swap_indexes_back(url)
    assert [total(empty, name) for name in NAMES] == found
    migrate_data_run(url)
    assert [total(empty, name) for name in NAMES] == found


def test_text_written_after_a_run_that_met_nothing_is_found_after_its_rollback(
    empty: redis.Redis, url: str
) -> None:
    migrate_run(url)
    migrate_data_run(url)
    roll_back(url)
    store(empty, TEXTS["text"])
    migrate_run(url)
    migrate_data_run(url)
    assert [total(empty, name) for name in NAMES] == [DOCUMENTS, DOCUMENTS, 0]
    roll_back(url)
    assert [total(empty, name) for name in NAMES] == [DOCUMENTS, DOCUMENTS, 0]
