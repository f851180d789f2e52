"""A query on a field that the index does not have, or has with another type, is refused and never answered."""

import asyncio
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

import redstart.aio
from redstart import Field, HashModel, JsonModel, KNNExpression, VectorFieldOptions, col
from redstart.documents import index_fields
from redstart.errors import IndexNotFoundError, IndexOutdatedError
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

VECTOR = VectorFieldOptions.flat(VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2)


class Keys:
    global_key_prefix = "served"
    model_key_prefix = "thing"
    index_name = "served:thing:index"


def older(base: Any) -> Any:
    class Older(base, index=True):  # type: ignore[misc]
        name: str = Field(index=True, sortable=True)
        kind: str = Field(index=True)

        class Meta(Keys):
            pass

    return Older


def newer(base: Any) -> Any:
    class Newer(base, index=True):  # type: ignore[misc]
        name: str = Field(index=True, sortable=True, full_text_search=True)
        kind: int = Field(default=1, index=True, sortable=True)
        added: str = Field(default="x", index=True, sortable=True)
        number: int = Field(default=1, index=True, sortable=True)
        vector: list[float] = Field(default=[0.0, 0.0], vector_options=VECTOR)
        score: float | None = None

        class Meta(Keys):
            pass

    return Newer


@pytest.fixture
def always_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_fields, "VALID_SECONDS", -1)


@pytest.fixture(params=[HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel])
def model(request: pytest.FixtureRequest, client: redis.Redis, always_looked_at: None) -> Any:
    create_indexes(client, older(request.param))
    return newer(request.param)


def run(model: Any, asked: Callable[[], Any]) -> Any:
    if issubclass(model, redstart.aio.HashModel | redstart.aio.JsonModel):

        async def ask() -> Any:
            return await asked()

        return asyncio.run(ask())
    return asked()


def queries(model: Any) -> list[tuple[str, Any]]:
    added, number = col(model.added), col(model.number)
    nearest = KNNExpression(
        k=1,
        vector_field=col(model.vector),
        score_field=col(model.score),
        reference_vector=struct.pack("<2f", 0, 0),
    )
    return [
        ("added", model.find(added == "x")),
        ("added", model.find(added != "x")),
        ("added", model.find(~(added == "x"))),
        ("added", model.find(added << ["x"])),
        ("added", model.find(added.startswith("xy"))),
        ("added", model.find(~added.contains("xy"))),
        ("number", model.find(number > 3)),
        ("number", model.find(~(number > 3))),
        ("number", model.find((col(model.name) == "a") & ((number == 3) | (number == 4)))),
        ("name", model.find(col(model.name) % "word")),
        ("kind", model.find(col(model.kind) == 1)),
        ("kind", model.find(col(model.kind) != 1)),
        ("number", model.find().sort_by("number")),
        ("added", model.find(col(model.name) == "a").sort_by("name", "-added")),
        ("vector", model.find(knn=nearest)),
    ]


@pytest.mark.sample(2)
def test_fields_missing_from_an_older_index_are_never_queried(client: redis.Redis, model: Any) -> None:
    client.hset("served:thing:other", "name", "a")
    for field, query in queries(model):
        asked = [query.all, query.count, query.first, query.page, query.execute]
        if query.knn is None:
            asked += [query.delete, lambda query=query: query.update(added="lost")]
        for ask in asked:
            with pytest.raises(IndexOutdatedError, match=rf"'served:thing:index' .*\b{field}\b") as raised:
                run(model, ask)
            assert (
                raised.value.hint
                == "Update it with: om migrate run --models tests.documents.test_index_fields"
            )
    assert client.hgetall("served:thing:other") == {b"name": b"a"}
    assert run(model, model.find(col(model.name) == "nobody").all) == []
    client.delete("served:thing:other")


def test_once_the_index_is_up_to_date_all_is_answered(client: redis.Redis, model: Any) -> None:
    for _, query in queries(model):
        with pytest.raises(IndexOutdatedError):
            run(model, query.count)
    client.execute_command("FT.DROPINDEX", "served:thing:index")
    with pytest.raises(IndexNotFoundError):
        run(model, model.find().count)
    create_indexes(client, model)
    for _, query in queries(model):
        assert run(model, query.count) == 0


def test_an_index_that_is_replaced_by_an_older_one_is_noticed(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_fields, "VALID_SECONDS", 0.05)
    time.sleep(0.06)
    new, old = newer(HashModel), older(HashModel)
    create_indexes(client, new)
    query = new.find(new.added != "x")
    assert query.count() == 0
    client.execute_command("FT.DROPINDEX", "served:thing:index")
    create_indexes(client, old)
    time.sleep(0.06)
    with pytest.raises(IndexOutdatedError):
        query.count()


def test_the_index_is_looked_at_once_a_second_at_most(client: redis.Redis) -> None:
    new = newer(HashModel)
    create_indexes(client, new)
    before = client.info("commandstats")["cmdstat_FT.INFO"]["calls"]

    def ask() -> None:
        for _ in range(50):
            new.find(new.added == "x").count()

    began = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    looked = client.info("commandstats")["cmdstat_FT.INFO"]["calls"] - before
    assert looked <= 4 * (2 + int(time.monotonic() - began))


OTHER_INDEXES = {
    "another separator": "ON {storage} PREFIX 1 served:tags: SCHEMA {name} AS name TAG SEPARATOR ,",
    "case-sensitive": "ON {storage} PREFIX 1 served:tags: SCHEMA {name} AS name TAG SEPARATOR | CASESENSITIVE",
    "another prefix": "ON {storage} PREFIX 1 served:other: SCHEMA {name} AS name TAG SEPARATOR |",
    "a narrower prefix": "ON {storage} PREFIX 1 served:tags:a SCHEMA {name} AS name TAG SEPARATOR |",
    "another storage": "ON {other} PREFIX 1 served:tags: SCHEMA {name} AS name TAG SEPARATOR |",
}


@pytest.mark.parametrize("base", [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel])
@pytest.mark.parametrize("schema", OTHER_INDEXES)
def test_an_index_that_would_find_other_documents_is_refused(
    client: redis.Redis, always_looked_at: None, base: Any, schema: str
) -> None:
    class Tagged(base, index=True):  # type: ignore[misc]
        name: str = Field(index=True)

        class Meta:
            global_key_prefix = "served"
            model_key_prefix = "tags"
            index_name = "served:tags:index"

    storages = ["HASH", "JSON"] if issubclass(base, HashModel | redstart.aio.HashModel) else ["JSON", "HASH"]
    name = "$.name" if storages[0] == "JSON" else "name"
    words = OTHER_INDEXES[schema].format(storage=storages[0], other=storages[1], name=name)
    client.execute_command("FT.CREATE", "served:tags:index", *words.split())
    run(Tagged, Tagged(name="a").save)
    for ask in (Tagged.find(Tagged.name == "a").all, Tagged.find(Tagged.name != "a").delete):
        with pytest.raises(IndexOutdatedError, match="om migrate run"):
            run(Tagged, ask)
    assert list(client.scan_iter("served:tags:0*"))
