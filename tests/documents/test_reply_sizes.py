"""No reply is larger than 16 MB, however large the documents are and whatever was read before."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

import redstart.aio
from redstart import Field, HashModel, JsonModel
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

COUNT = 150
LIMIT = 16_000_000


def large(base: Any) -> Any:
    class Large(base, index=True):  # type: ignore[misc]
        number: int = Field(index=True, sortable=True)
        name: str = Field(index=True, sortable=True)
        text: str = ""

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
    "get_many": lambda model: model.get_many(map(str, range(COUNT))),
}


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


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    "base",
    [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel],
    ids=lambda base: base.__module__,
)
def test_no_reply_is_too_large(client: redis.Redis, base: Any) -> None:
    model = large(base)
    create_indexes(client, model)
    pipeline = client.pipeline(transaction=False)
    text = "x" * 200_000
    for number in range(COUNT):
        held = {"pk": str(number), "number": number, "name": "n", "text": text}
        if model._storage.value == "hash":
            pipeline.hset(model.make_primary_key(str(number)), mapping=held)  # type: ignore[arg-type]
        else:
            pipeline.json().set(model.make_primary_key(str(number)), "$", held)  # type: ignore[no-untyped-call]
    pipeline.execute()

    async def ask() -> None:
        for name, asked in ASKED.items():
            assert len(await _answer(asked(model))) == COUNT, name
        assert len(await _all_of(model.find())) == COUNT

    asyncio.run(ask())
    client.flushall(asynchronous=False)
