"""Models that change more than once, and indexes that name dates in ways of their own."""

import datetime
import json
from collections.abc import Iterable, Iterator

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult, is_expanded
from redstart.migrations.indexes.plan import planned_indexes
from redstart.search.schema import create_arguments
from tests.migrations.indexes.conftest import (
    before_1_0,
    drop_all,
    perform,
    total,
    wait_until_built,
)
from tests.migrations.indexes.there_and_back import back, expand, forward
from tests.support.snapshot import difference, snapshot

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


def outcomes(results: Iterable[IndexResult]) -> set[IndexOutcome]:
    return {one.outcome for one in results}


@pytest.fixture
def documents(client: redis.Redis) -> Iterator[redis.Redis]:
    drop_all(client)
    for number in range(DOCUMENTS):
        fields = {"pk": str(number), "place": "bay", "at": "2021-01-02T03:04:05", "until": "2022-01-01"}
        client.hset(f"station:ring:{number}", mapping=fields)
        client.execute_command("JSON.SET", f"station:nest:{number}", "$", json.dumps(fields))
    yield client
    drop_all(client)


@pytest.fixture
def with_indexes(documents: redis.Redis) -> redis.Redis:
    for model in (FirstRing, FirstNest):
        documents.execute_command("FT.CREATE", *create_arguments(before_1_0(model)))
    wait_until_built(documents, [RINGS, NESTS])
    return documents


def test_a_date_added_later_takes_nothing_from_the_previous_dates(
    with_indexes: redis.Redis, url: str
) -> None:
    """They are numbers already, and queries by them go on while the new one waits for its data."""
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
    """The index that takes both forms of the first dates takes those of the new one as well."""
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
    """In JSON any field of text loses the documents in which a number stands at its path."""
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
    """Nothing would ever convert them: whether the documents fit is seen at once."""
    words = ("PREFIX", "1", "station:ring:", "SCHEMA", "place", "TAG", "birds", "TAG")
    documents.execute_command("FT.CREATE", RINGS, *words)
    documents.hset("station:ring:1", "birds", "many")
    wait_until_built(documents, [RINGS])
    assert outcomes(expand(url, CountedRing)) == {IndexOutcome.REFUSED}
    documents.hset("station:ring:1", "birds", "3")
    assert outcomes(expand(url, CountedRing)) == {IndexOutcome.CUT_OVER}
    assert total(documents, RINGS, "@birds:[3 3]") == 1


def test_keys_of_other_prefixes_are_not_lost_with_a_wider_index(documents: redis.Redis, url: str) -> None:
    """An index of somebody else's making that finds more than the model's documents."""
    documents.hset("station:feather:1", mapping={"place": "bay", "at": "2021-01-02T03:04:05"})
    words = ("PREFIX", "2", "station:ring:", "station:feather:", "SCHEMA", "place", "TAG", "at", "TAG")
    documents.execute_command("FT.CREATE", RINGS, *words)
    wait_until_built(documents, [RINGS])
    result = forward(url, FirstRing)
    assert outcomes(result.indexes) == {IndexOutcome.REFUSED}
    assert total(documents, RINGS) == DOCUMENTS + 1
    (one,) = result.blocking[RINGS]
    assert (one.key, one.reason.startswith("indexed today, but its key belongs")) == (
        "station:feather:1",
        True,
    )
