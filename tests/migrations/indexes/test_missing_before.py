"""Documents missing from the old index before the run do not block a rollback. A refusal changes no index."""

from datetime import datetime
from typing import Any

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.errors import DataMigrationError
from redstart.mapping.model_info import declare
from tests.migrations.indexes.conftest import (
    serving,
    total,
    wait_until_built,
)
from tests.migrations.indexes.there_and_back import back, forward
from tests.support.snapshot import difference, every_byte, snapshot

DOCUMENTS = 10
DATES = "@at:[-inf +inf]"
AS_NUMBER = 1672574400.5


class Sack(HashModel, index=True):
    at: datetime = Field(index=True)
    grade: str = Field(index=True)

    class Meta:
        global_key_prefix = "unserved"
        model_key_prefix = "sack"
        index_name = "unserved:sack:index"


class Crate(JsonModel, index=True):
    at: datetime = Field(index=True)
    grade: str = Field(index=True)
    labels: dict[str, int] = Field(default_factory=dict)

    class Meta:
        global_key_prefix = "unserved"
        model_key_prefix = "crate"
        index_name = "unserved:crate:index"


class Other(JsonModel, index=True):
    at: datetime = Field(index=True)

    class Meta:
        global_key_prefix = "unserved"
        model_key_prefix = "other"
        index_name = "unserved:other:index"


OTHER = Other._meta.index_name


def put(client: redis.Redis, model: Any, number: int, grade: str = "3", **values: Any) -> None:
    stored = {"pk": str(number), "at": "2023-01-01T12:00:00", "grade": grade} | values
    key = f"{declare(model).key_prefix}{number}"
    if model is Sack:
        client.hset(key, mapping=stored)
    else:
        client.json().set(key, "$", stored)


def old_index(client: redis.Redis, model: Any) -> str:
    """Create an index with the grade as NUMERIC and maps as TAG: some documents are missing from it."""
    name = str(model._meta.index_name)
    prefix = ("PREFIX", 1, declare(model).key_prefix, "SCHEMA")
    if model is Sack:
        client.execute_command("FT.CREATE", name, "ON", "HASH", *prefix, "at", "TAG", "grade", "NUMERIC")
    else:
        fields = [("at", "TAG")] if model is Other else [("at", "TAG"), ("labels", "TAG")]
        words = [word for field, kind in fields for word in (f"$.{field}", "AS", field, kind)]
        client.execute_command("FT.CREATE", name, "ON", "JSON", *prefix, *words)
    wait_until_built(client, [name])
    return name


def misfit(client: redis.Redis, model: Any, number: int, **values: Any) -> None:
    """Write a document that the new index accepts and the old one does not."""
    if model is Sack:
        put(client, model, number, grade="good", **values)
    else:
        put(client, model, number, labels={"a": 1}, **values)


@pytest.mark.parametrize("model", [Sack, Crate])
@pytest.mark.parametrize("before", [1, DOCUMENTS])
def test_documents_missing_before_do_not_block_the_rollback(
    without_indexes: redis.Redis, url: str, model: Any, before: int
) -> None:
    name = old_index(without_indexes, model)
    for number in range(DOCUMENTS):
        (misfit if number < before else put)(without_indexes, model, number)
    assert total(without_indexes, name) == DOCUMENTS - before
    start = snapshot(without_indexes)
    assert not forward(url, model).refused
    assert total(without_indexes, name) == DOCUMENTS
    done = back(url)
    assert (done.refused, done.lacks_more_than_before) == ([], False)
    done.raise_for_outcome()
    assert total(without_indexes, name) == DOCUMENTS - before
    assert difference(start, snapshot(without_indexes)) == []


@pytest.mark.parametrize("model", [Sack, Crate])
def test_more_of_them_than_before_are_reported(without_indexes: redis.Redis, url: str, model: Any) -> None:
    name = old_index(without_indexes, model)
    for number in range(DOCUMENTS):
        (put if number else misfit)(without_indexes, model, number)
    assert not forward(url, model).refused
    for number in (1, 2):
        misfit(without_indexes, model, number, at=AS_NUMBER)
    done = back(url)
    assert (done.refused, done.lacking[name].missing, done.lacked_before[name]) == ([], 3, 1)
    with pytest.raises(DataMigrationError, match=r"unserved:\w+:index: 3 \(before the migration 1\)"):
        done.raise_for_outcome()
    assert total(without_indexes, name) == DOCUMENTS - 3


@pytest.mark.parametrize("model", [Sack, Crate])
def test_a_refusal_changes_neither_data_nor_any_index(
    without_indexes: redis.Redis, url: str, model: Any
) -> None:
    """The old index contained every document, and one would be lost: queries of other models work as before."""
    name = old_index(without_indexes, model)
    old_index(without_indexes, Other)
    for number in range(DOCUMENTS):
        put(without_indexes, model, number)
        put(without_indexes, Other, number)
    assert not forward(url, model, Other).refused
    misfit(without_indexes, model, 3, at=AS_NUMBER)
    start, indexes = every_byte(without_indexes), sorted(without_indexes.execute_command("FT._LIST"))
    active = [serving(without_indexes, one) for one in (name, OTHER)]
    refused = back(url)
    assert (refused.data, refused.refused) == (None, [name])
    assert [serving(without_indexes, one) for one in (name, OTHER)] == active
    assert [total(without_indexes, one, DATES) for one in (name, OTHER)] == [DOCUMENTS, DOCUMENTS]
    assert sorted(without_indexes.execute_command("FT._LIST")) == indexes
    assert every_byte(without_indexes) == start
    put(without_indexes, model, 3, at=AS_NUMBER)
    assert back(url).refused == []
