"""An index with fields that its model does not declare: of a newer version of the application, or after FT.ALTER."""

import datetime
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redstart import Field, HashModel, JsonModel, Migrator
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.state import hash_key
from redstart.migrations.startup import bring_up_to_date, pending_indexes
from redstart.search.schema import create_arguments
from redstart.sync import index_migrations
from tests.migrations.indexes.conftest import (
    before_1_0,
    drop_all,
    migration,
    perform,
    serving,
    total,
    wait_until_built,
)
from tests.migrations.indexes.there_and_back import expand, forward
from tests.support.snapshot import every_byte

DOCUMENTS = 10


class HashMeta:
    global_key_prefix = "wider"
    model_key_prefix = "hash"
    index_name = "wider:hash:index"


class JsonMeta:
    global_key_prefix = "wider"
    model_key_prefix = "json"
    index_name = "wider:json:index"


class OldHash(HashModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)

    class Meta(HashMeta):
        pass


class NewHash(HashModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)
    size: int = Field(index=True, default=0)
    until: datetime.datetime | None = Field(index=True, default=None)

    class Meta(HashMeta):
        pass


class OldJson(JsonModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)

    class Meta(JsonMeta):
        pass


class NewJson(JsonModel, index=True):
    place: str = Field(index=True)
    at: datetime.datetime = Field(index=True)
    size: int = Field(index=True, default=0)
    until: datetime.datetime | None = Field(index=True, default=None)

    class Meta(JsonMeta):
        pass


PAIRS = [(OldHash, NewHash), (OldJson, NewJson)]
ALTERED = {OldHash: ("extra", "TAG"), OldJson: ("$.extra", "AS", "extra", "TAG")}


@pytest.fixture
def documents(client: redis.Redis) -> Iterator[redis.Redis]:
    drop_all(client)
    for number in range(DOCUMENTS):
        values = {"pk": str(number), "place": "Pier", "at": "2021-05-04T03:02:01", "extra": "x"}
        client.hset(f"wider:hash:{number}", mapping=values)
        client.json().set(f"wider:json:{number}", "$", values)
    for model, _ in PAIRS:
        client.execute_command("FT.CREATE", *create_arguments(before_1_0(model)))
    wait_until_built(client, [HashMeta.index_name, JsonMeta.index_name])
    yield client
    drop_all(client)


def start(url: str, model: Any) -> list[str]:
    """What an application does that calls `Migrator().run()`: the indexes that it left."""
    return [one.planned.name for one in perform(url, bring_up_to_date([declare(model)], migration))]


STATES: dict[str, Callable[[str, Any], object]] = {
    "expanded": expand,
    "cut over": forward,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_an_older_version_that_starts_leaves_the_index_of_the_newer(
    documents: redis.Redis, url: str, old: Any, new: Any, state: str
) -> None:
    name = new._meta.index_name
    STATES[state](url, new)
    before, led = every_byte(documents), serving(documents, name)
    assert start(url, old) == [name]
    assert perform(url, pending_indexes([declare(old)], documents)) == []
    assert every_byte(documents) == before
    assert serving(documents, name) == led
    forward(url, new)
    assert start(url, old) == [name]
    assert total(documents, name, "@at:[-inf +inf]") == DOCUMENTS
    assert start(url, new) == []
    # Asked to, it is replaced.
    expand(url, old)
    assert documents.get(hash_key(name)) == planned_indexes([declare(old)])[0].schema_hash.encode()
    assert start(url, new) == []
    assert documents.get(hash_key(name)) == planned_indexes([declare(new)])[0].schema_hash.encode()


def test_the_application_is_told(
    documents: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forward(url, NewHash)
    monkeypatch.setattr(index_migrations, "registered_models", lambda: [OldHash])
    with caplog.at_level(logging.INFO):
        Migrator(conn=documents).run()
    assert f"The index {HashMeta.index_name} has fields that its model does not declare" in caplog.text
    assert "om migrate run" in caplog.text


def altered(client: redis.Redis, model: Any) -> str:
    """Change the index that serves, as an operator may, in place."""
    led = serving(client, model._meta.index_name)
    client.execute_command("FT.ALTER", led, "SCHEMA", "ADD", *ALTERED[model])
    wait_until_built(client, [led])
    assert total(client, led, "@extra:{x}") == DOCUMENTS
    return led


@pytest.mark.parametrize("state", ["before", *STATES])
@pytest.mark.parametrize("how", ["om migrate run", "om migrate-data run", "Migrator().run()"])
@pytest.mark.parametrize("model", [OldHash, OldJson])
def test_an_altered_index_is_repaired(
    documents: redis.Redis, url: str, model: Any, state: str, how: str
) -> None:
    name = model._meta.index_name
    if state != "before":
        STATES[state](url, model)
    led = altered(documents, model)
    for _ in range(3):
        {"om migrate run": expand, "om migrate-data run": forward, "Migrator().run()": start}[how](url, model)
        assert total(documents, name) == DOCUMENTS
    forward(url, model)
    assert total(documents, name, "@at:[-inf +inf]") == DOCUMENTS
    expand(url, model)
    assert serving(documents, name) != led
    assert "extra" not in str(documents.execute_command("FT.INFO", name))
    perform(url, migration().cleanup())
    assert [one for one in documents.execute_command("FT._LIST") if one.startswith(name.encode())] == [
        serving(documents, name).encode()
    ]
    assert total(documents, name) == DOCUMENTS
