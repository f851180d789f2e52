"""All that models can do, one operation after the other."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import redis

import redstart.aio
from redstart import HashModel, JsonModel


class Operations:
    """All that a model can do, of either flavour, one after the other. The server is empty before and afterwards."""

    def __init__(self, model: Any, client: redis.Redis) -> None:
        self.model, self.client = model, client
        self.is_hash = model._storage.value == "hash"
        self.migrator = (
            redstart.Migrator if issubclass(model, HashModel | JsonModel) else redstart.aio.Migrator
        )

    async def run(self, keys_of: Callable[[str], str]) -> None:
        model, done = self.model, self._done
        pipeline = redis.Redis().pipeline()
        first, *others = documents = [model(pk=pk, name=pk, age=age) for age, pk in enumerate("ABCD")]
        await done(self.migrator().run())
        await done(first.save())
        await done(model.add(others))
        assert self._keys() == set(map(keys_of, "ABCD"))
        assert await done(model.get("A")) == first
        assert await done(model.get_many(["D", "A"])) == [documents[3], first]
        assert sorted(await self._all(await done(model.all_pks()))) == list("ABCD")
        query = model.find(model.age < 9).sort_by("age")
        while await done(query.count()) < 4:
            await asyncio.sleep(0.01)
        assert await done(query.all()) == await self._all(query) == documents
        assert await done(query.first()) == await done(query.get_item(0)) == first
        assert await done(query.page(1, 2)) == documents[1:3]
        assert [one.pk for one in await done(query.only("pk").all())] == list("ABCD")
        assert await done(query.values("name").all()) == [{"name": name} for name in "ABCD"]
        assert model.from_redis(await done(query.execute(return_raw_result=True))) == documents
        await done(first.update(name="new"))
        await done(model.find(model.age == 1).update(name="other"))
        assert [one.name for one in await done(model.get_many(["A", "B"]))] == ["new", "other"]
        if self.is_hash:
            assert await done(first.expire_field("age", 90)) == 1
            assert 0 < await done(first.field_ttl("age")) <= 90
            assert await done(first.persist_field("age")) == 1
        await done(first.expire(90))
        assert 0 < self.client.ttl(keys_of("A")) <= 90
        await done(model.delete("A", pipeline=pipeline))
        await done(first.save(pipeline=pipeline))
        assert all(keys_of("A").encode() in map(_encoded, words) for words, _ in pipeline.command_stack)
        assert await done(model.delete("A")) == 1
        assert await done(model.find(model.age == 1).delete()) == 1
        assert await done(model.delete_many(documents)) == 4
        assert not self._keys()

    def _keys(self) -> set[str]:
        keys = {key.decode() for key in self.client.scan_iter(_type="hash" if self.is_hash else "ReJSON-RL")}
        return {key for key in keys if not key.startswith("redstart:")}

    @staticmethod
    async def _done(result: Any) -> Any:
        return await result if inspect.isawaitable(result) else result

    @staticmethod
    async def _all(items: Any) -> list[Any]:
        return [item async for item in items] if hasattr(items, "__aiter__") else list(items)


async def ask_and_wait(ask: Callable[[], Any]) -> Any:
    """What a method gives, of either flavour; called inside an event loop."""
    result = ask()
    return await result if inspect.isawaitable(result) else result


def _encoded(word: Any) -> Any:
    return word.encode() if isinstance(word, str) else word
