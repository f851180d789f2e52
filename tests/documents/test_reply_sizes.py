"""No reply is larger than 16 MB, however large the documents are and whatever was read before."""

import asyncio
import inspect
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

import redstart.aio
from redstart import Field, HashModel, JsonModel, KNNExpression, VectorFieldOptions, col
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

COUNT = 100
LIMIT = 16_000_000
FLAT = VectorFieldOptions.flat(VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2)


def large(base: Any) -> Any:
    class Large(base, index=True):  # type: ignore[misc]
        number: int = Field(index=True, sortable=True)
        name: str = Field(index=True, sortable=True)
        text: str = ""
        vector: list[float] = Field(vector_options=FLAT)
        distance: float | None = None

    return Large


ASKED: dict[str, Callable[[Any], Any]] = {
    "all": lambda model: model.find().all(),
    "sorted": lambda model: model.find().sort_by("number").all(),
    "sorted by two": lambda model: model.find().sort_by("number", "name").all(),
    "limited": lambda model: model.find().copy(limit=COUNT).all(),
    "page": lambda model: model.find().page(0, COUNT),
    "execute": lambda model: model.find().execute(exhaust_results=False),
    "values": lambda model: model.find().values("text").all(),
    "only": lambda model: model.find().only("text", "number").all(),
    "nearest": lambda model: neighbours(model).all(),
    "nearest, page": lambda model: neighbours(model).page(0, COUNT),
    "nearest, values": lambda model: neighbours(model).values("text", "distance").all(),
    "get_many": lambda model: model.get_many(map(str, range(COUNT))),
}
AFTER_SMALL = ("all", "only", "nearest", "get_many")
"""One for each way to read pages."""


@pytest.fixture
def limited(client: redis.Redis) -> Iterator[None]:
    """A server that drops whoever has more than so much to receive."""
    before = client.config_get("client-output-buffer-limit")["client-output-buffer-limit"]
    client.config_set("client-output-buffer-limit", f"normal {LIMIT} 0 0")
    yield
    client.config_set("client-output-buffer-limit", before)


async def _answer(asked: Any) -> Any:
    return await asked if inspect.isawaitable(asked) else asked


async def _all_of(query: Any) -> list[Any]:
    return [one async for one in query] if hasattr(query, "__aiter__") else list(query)


@pytest.mark.sample(1)
@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    "base",
    [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel],
    ids=lambda base: base.__module__,
)
@pytest.mark.parametrize("are_small_before", [False, True])
def test_no_reply_is_too_large(client: redis.Redis, base: Any, are_small_before: bool) -> None:
    model = large(base)
    create_indexes(client, model)

    async def ask() -> None:
        if not are_small_before:
            store(client, model, "x" * 200_000)
        for name in AFTER_SMALL if are_small_before else ASKED:
            if are_small_before:
                store(client, model, "x")
                for _ in range(5):  # larger pages each time
                    assert len(await _answer(model.find().all())) == COUNT
                store(client, model, "x" * 200_000)
            assert len(await _answer(ASKED[name](model))) == COUNT, name
        assert len(await _all_of(model.find())) == COUNT

    asyncio.run(ask())
    client.flushall(asynchronous=False)


def store(client: redis.Redis, model: Any, text: str) -> None:
    """Store documents with this text, without the model: it learns nothing from that."""
    pipeline = client.pipeline(transaction=False)
    for number in range(COUNT):
        vector: Any = (
            struct.pack("<2f", number, 0) if model._storage.value == "hash" else [float(number), 0.0]
        )
        fields = {"pk": str(number), "number": number, "name": "n", "text": text, "vector": vector}
        if model._storage.value == "hash":
            pipeline.hset(model.make_primary_key(str(number)), mapping=fields)
        else:
            pipeline.json().set(model.make_primary_key(str(number)), "$", fields)  # type: ignore[no-untyped-call]
    pipeline.execute()


def neighbours(model: Any) -> Any:
    """A query of all documents by their distance."""
    knn = KNNExpression(COUNT, col(model.vector), col(model.distance), struct.pack("<2f", 0, 0))
    return model.find(knn=knn)
