"""Models that change more than once, and indexes with other fields than their model declares."""

import datetime
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import redis

from redstart import Field, HashModel, JsonModel, Migrator
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult, is_expanded
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.state import hash_key
from redstart.migrations.startup import bring_up_to_date, pending_indexes
from redstart.search.schema import create_arguments
from redstart.sync import index_migrations
from tests.migrations.indexes.conftest import (
    before_1_0,
    migration,
    perform,
    serving,
    total,
    wait_until_built,
)
from tests.migrations.indexes.there_and_back import back, expand, forward
from tests.support.migration import UTC_DATES
from tests.support.snapshot import difference, every_byte, snapshot

DOCUMENTS = 30
RINGS, NESTS = "station:ring:index", "station:nest:index"


class RingMeta:
    global_key_prefix = "station"
    model_key_prefix = "ring"


class NestMeta:
    global_key_prefix = "station"
    model_key_prefix = "nest"


class FirstRing(HashModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)

    class Meta(RingMeta):
        pass


class LaterRing(HashModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)
    until: datetime.date | None = Field(default=None, index=True)

    class Meta(RingMeta):
        pass


class CountedRing(HashModel, index=True):
    place: str = Field(index=True)
    birds: int = Field(index=True, default=0)

    class Meta(RingMeta):
        pass


class FirstNest(JsonModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)

    class Meta(NestMeta):
        pass


class LaterNest(JsonModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)
    until: datetime.date | None = Field(default=None, index=True)

    class Meta(NestMeta):
        pass


class WideRing(HashModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)
    birds: int = Field(index=True, default=0)
    until: datetime.date | None = Field(default=None, index=True)

    class Meta(RingMeta):
        pass


class WideNest(JsonModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)
    birds: int = Field(index=True, default=0)
    until: datetime.date | None = Field(default=None, index=True)

    class Meta(NestMeta):
        pass


WIDENED = [(FirstRing, WideRing), (FirstNest, WideNest)]
"""A model, and a newer version that declares more fields."""

ALTERED = {FirstRing: ("extra", "TAG"), FirstNest: ("$.extra", "AS", "extra", "TAG")}
"""What FT.ALTER adds to an index, in addition to what its model declares."""


def outcomes(results: Iterable[IndexResult]) -> set[IndexOutcome]:
    return {one.outcome for one in results}


@pytest.fixture
def documents(without_indexes: redis.Redis) -> redis.Redis:
    for number in range(DOCUMENTS):
        fields = {"pk": str(number), "place": "bay", "at": "2021-01-02T03:04:05", "until": "2022-01-01"}
        fields["extra"] = "x"
        without_indexes.hset(f"station:ring:{number}", mapping=fields)
        without_indexes.execute_command("JSON.SET", f"station:nest:{number}", "$", json.dumps(fields))
    return without_indexes


@pytest.fixture
def with_indexes(documents: redis.Redis) -> redis.Redis:
    for model in (FirstRing, FirstNest):
        documents.execute_command("FT.CREATE", *create_arguments(before_1_0(model)))
    wait_until_built(documents, [RINGS, NESTS])
    return documents


def test_a_date_added_later_takes_nothing_from_the_previous_dates(
    with_indexes: redis.Redis, url: str
) -> None:
    """They are numbers already, and queries by them work while the data of the new date is converted."""
    start = snapshot(with_indexes)
    assert outcomes(forward(url, FirstRing, FirstNest).indexes) == {IndexOutcome.CUT_OVER}
    assert outcomes(expand(url, LaterRing, LaterNest)) == {IndexOutcome.EXPANDED}
    assert outcomes(expand(url, LaterRing, LaterNest)) == {IndexOutcome.EXPANDED}
    for name in (RINGS, NESTS):
        assert (total(with_indexes, name), total(with_indexes, name, "@at:[-inf +inf]")) == (30, 30)
    for one in planned_indexes(map(declare, (LaterRing, LaterNest))):
        assert perform(url, is_expanded(one))
    assert outcomes(forward(url, LaterRing, LaterNest).indexes) == {IndexOutcome.CUT_OVER}
    for name in (RINGS, NESTS):
        assert total(with_indexes, name, "@at:[-inf +inf] @until:[-inf +inf]") == 30
    assert back(url).refused == []
    assert difference(start, snapshot(with_indexes)) == []
    assert [total(with_indexes, name, r"@at:{2021\-01\-02T03\:04\:05}") for name in (RINGS, NESTS)] == [
        30
    ] * 2


def test_a_date_added_later_that_no_document_has_need_not_wait(with_indexes: redis.Redis, url: str) -> None:
    for number in range(DOCUMENTS):
        with_indexes.hdel(f"station:ring:{number}", "until")
    forward(url, FirstRing)
    assert outcomes(expand(url, LaterRing)) == {IndexOutcome.CUT_OVER}


def test_a_date_added_before_the_data_is_converted(with_indexes: redis.Redis, url: str) -> None:
    """The dual-format index for the first dates also accepts both formats of the new one."""
    with_indexes.execute_command("FT.ALTER", NESTS, "SCHEMA", "ADD", "$.until", "AS", "until", "TAG")
    wait_until_built(with_indexes, [NESTS])
    assert outcomes(expand(url, FirstNest)) == {IndexOutcome.EXPANDED}
    assert outcomes(expand(url, LaterNest)) == {IndexOutcome.EXPANDED}
    assert total(with_indexes, NESTS) == DOCUMENTS
    with_indexes.execute_command("JSON.SET", "station:nest:1", "$.at", "1600000000.0")
    with_indexes.execute_command("JSON.SET", "station:nest:2", "$.until", "1600000000.0")
    assert total(with_indexes, NESTS) == DOCUMENTS
    assert outcomes(forward(url, LaterNest).indexes) == {IndexOutcome.CUT_OVER}


@pytest.mark.parametrize(
    "fields",
    [
        ("$.at", "AS", "moment", "TAG"),
        ("$.at", "AS", "at", "TAG", "$.at", "AS", "at_fts", "TEXT", "SORTABLE"),
        ("$.at", "AS", "at", "TEXT"),
    ],
)
def test_dates_by_other_names_or_as_text_are_dates(
    documents: redis.Redis, url: str, fields: tuple[str, ...]
) -> None:
    """In JSON, a number at the path of any text field removes the document from the index."""
    words = ("ON", "JSON", "PREFIX", "1", "station:nest:", "SCHEMA", "$.place", "AS", "place", "TAG", *fields)
    documents.execute_command("FT.CREATE", NESTS, *words)
    wait_until_built(documents, [NESTS])
    assert outcomes(expand(url, FirstNest)) == {IndexOutcome.EXPANDED}
    for number in range(DOCUMENTS):
        documents.execute_command("JSON.SET", f"station:nest:{number}", "$.at", "1600000000.0")
        assert total(documents, NESTS, "@place:{bay}") == DOCUMENTS
    assert forward(url, FirstNest).refused is False
    assert total(documents, NESTS, "@at:[-inf +inf]") == DOCUMENTS


def test_tags_that_become_numbers_and_are_no_dates_wait_for_no_data(documents: redis.Redis, url: str) -> None:
    """No migration converts them: the coverage check finds at once whether the documents fit."""
    words = ("PREFIX", "1", "station:ring:", "SCHEMA", "place", "TAG", "birds", "TAG")
    documents.execute_command("FT.CREATE", RINGS, *words)
    documents.hset("station:ring:1", "birds", "many")
    wait_until_built(documents, [RINGS])
    assert outcomes(expand(url, CountedRing)) == {IndexOutcome.REFUSED}
    documents.hset("station:ring:1", "birds", "3")
    assert outcomes(expand(url, CountedRing)) == {IndexOutcome.CUT_OVER}
    assert total(documents, RINGS, "@birds:[3 3]") == 1


def test_keys_of_other_prefixes_are_not_lost_with_a_wider_index(documents: redis.Redis, url: str) -> None:
    """An index of another tool contains more than the documents of the model."""
    documents.hset("station:feather:1", mapping={"place": "bay", "at": "2021-01-02T03:04:05"})
    words = ("PREFIX", "2", "station:ring:", "station:feather:", "SCHEMA", "place", "TAG", "at", "TAG")
    documents.execute_command("FT.CREATE", RINGS, *words)
    wait_until_built(documents, [RINGS])
    result = forward(url, FirstRing)
    assert outcomes(result.indexes) == {IndexOutcome.REFUSED}
    assert total(documents, RINGS) == DOCUMENTS + 1
    (one,) = result.blocking[RINGS]
    assert (one.key, one.reason.startswith("in the active index, but its key belongs")) == (
        "station:feather:1",
        True,
    )


def start(url: str, model: Any) -> list[str]:
    """Return the active indexes after `Migrator().run()` in an application."""
    return [
        one.planned.name for one in perform(url, bring_up_to_date([declare(model)], UTC_DATES, migration))
    ]


FIRST_STEPS: dict[str, Callable[[str, Any], object]] = {
    "expanded": expand,
    "cut over": forward,
}


@pytest.mark.parametrize("state", FIRST_STEPS)
@pytest.mark.parametrize(("old", "new"), WIDENED)
def test_an_older_version_that_starts_leaves_the_index_of_the_newer(
    with_indexes: redis.Redis, url: str, old: Any, new: Any, state: str
) -> None:
    name = new._meta.index_name
    FIRST_STEPS[state](url, new)
    before, led = every_byte(with_indexes), serving(with_indexes, name)
    assert start(url, old) == [name]
    assert perform(url, pending_indexes([declare(old)], with_indexes)) == []
    assert every_byte(with_indexes) == before
    assert serving(with_indexes, name) == led
    forward(url, new)
    assert start(url, old) == [name]
    assert total(with_indexes, name, "@at:[-inf +inf]") == DOCUMENTS
    assert start(url, new) == []
    # `om migrate run` replaces it.
    expand(url, old)
    assert with_indexes.get(hash_key(name)) == planned_indexes([declare(old)])[0].schema_hash.encode()
    assert start(url, new) == []
    assert with_indexes.get(hash_key(name)) == planned_indexes([declare(new)])[0].schema_hash.encode()


def test_the_application_is_told(
    with_indexes: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forward(url, WideRing)
    monkeypatch.setattr(index_migrations, "registered_models", lambda: [FirstRing])
    with caplog.at_level(logging.INFO):
        Migrator(conn=with_indexes).run()
    assert f"The index {RINGS} has fields that its model does not declare" in caplog.text
    assert "om migrate run" in caplog.text


def altered(client: redis.Redis, model: Any) -> str:
    """Alter the active index, as an operator may."""
    led = serving(client, model._meta.index_name)
    client.execute_command("FT.ALTER", led, "SCHEMA", "ADD", *ALTERED[model])
    wait_until_built(client, [led])
    assert total(client, led, "@extra:{x}") == DOCUMENTS
    return led


@pytest.mark.sample(3)
@pytest.mark.parametrize("state", ["before", *FIRST_STEPS])
@pytest.mark.parametrize("how", ["om migrate run", "om migrate-data run", "Migrator().run()"])
@pytest.mark.parametrize("model", [FirstRing, FirstNest])
def test_an_altered_index_is_repaired(
    with_indexes: redis.Redis, url: str, model: Any, state: str, how: str
) -> None:
    name = model._meta.index_name
    if state != "before":
        FIRST_STEPS[state](url, model)
    led = altered(with_indexes, model)
    for _ in range(3):
        {"om migrate run": expand, "om migrate-data run": forward, "Migrator().run()": start}[how](url, model)
        assert total(with_indexes, name) == DOCUMENTS
    forward(url, model)
    assert total(with_indexes, name, "@at:[-inf +inf]") == DOCUMENTS
    expand(url, model)
    assert serving(with_indexes, name) != led
    assert "extra" not in str(with_indexes.execute_command("FT.INFO", name))
    perform(url, migration().cleanup())
    assert [one for one in with_indexes.execute_command("FT._LIST") if one.startswith(name.encode())] == [
        serving(with_indexes, name).encode()
    ]
    assert total(with_indexes, name) == DOCUMENTS
