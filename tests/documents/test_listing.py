"""The primary keys of all documents."""

import asyncio
import inspect

import pytest
import redis

import redstart.aio
from redstart import Field, HashModel, JsonModel
from redstart.errors import RedisModelError


class Visit(HashModel):
    visitor: str = Field(primary_key=True)

    class Meta:
        global_key_prefix = "a*b"
        model_key_prefix = "visit[1]"
        primary_key_pattern = "v-{pk}-x"


class Box(JsonModel):
    number: int = Field(primary_key=True)

    class Meta:
        model_key_prefix = "box"


class AsyncBox(redstart.aio.RedisModel, Box):
    class Meta:
        model_key_prefix = "box"


pytestmark = pytest.mark.usefixtures("models_url")


def test_all_of_them(client: redis.Redis) -> None:
    Visit.add([Visit(visitor=f"n{number}") for number in range(2_500)])
    Box.add([Box(number=number) for number in range(10)])
    # Not documents: of another type, of another pattern, under what a pattern of SCAN would take for the prefix.
    client.set("a*b:visit[1]:v-string-x", "s")
    client.hset("a*b:visit[1]:v-other-y", "a", "b")
    client.hset("aXb:visit1:v-other-x", "a", "b")
    client.hset(":box:hash", "a", "b")
    assert sorted(Visit.all_pks()) == sorted(f"n{number}" for number in range(2_500))
    assert sorted(Box.all_pks()) == [str(number) for number in range(10)]
    assert len(Visit.get_many(Visit.all_pks())) == 2_500


def test_it_is_a_generator(client: redis.Redis) -> None:
    assert inspect.isgenerator(Box.all_pks())
    assert list(Box.all_pks()) == []


def test_asynchronously(client: redis.Redis) -> None:
    Box.add([Box(number=number) for number in range(3)])

    async def work() -> list[str]:
        found = await AsyncBox.all_pks()
        assert inspect.isasyncgen(found)
        return sorted([pk async for pk in found])

    assert asyncio.run(work()) == ["0", "1", "2"]


def test_abstract_models_have_none() -> None:
    with pytest.raises(RedisModelError, match="no documents of its own"):
        next(HashModel.all_pks())
