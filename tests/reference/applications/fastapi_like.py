"""Coroutines as handlers, a model as body and response, indexes at the start."""

import asyncio
from typing import List, Optional

from aredis_om import Field, JsonModel, Migrator, NotFoundError
from pydantic import BaseModel


class Hero(JsonModel, index=True):
    name: str = Field(index=True)
    power: str = Field(index=True, full_text_search=True)
    level: int = Field(default=1, index=True, sortable=True)


class HeroPatch(BaseModel):
    name: Optional[str] = None
    level: Optional[int] = None


class HTTPError(Exception):
    pass


async def start():
    await Migrator().run()


async def create(hero: Hero) -> dict:
    return (await hero.save()).model_dump()


async def read(pk: str) -> Hero:
    try:
        return await Hero.get(pk)
    except NotFoundError:
        raise HTTPError(404) from None


async def patch(pk: str, body: HeroPatch) -> Hero:
    hero = await read(pk)
    await hero.update(**body.model_dump(exclude_unset=True))
    return hero


async def search(word: str, offset: int = 0, limit: int = 10) -> List[Hero]:
    return await Hero.find(Hero.power % word).sort_by("-level").page(offset=offset, limit=limit)


async def story():
    await start()
    print(await create(Hero(pk="1", name="Ann", power="flies high", level=3)))
    print(await create(Hero.model_validate({"pk": "2", "name": "Bob", "power": "flies low"})))
    print(await create(Hero(**{"pk": "3", "name": "Cid", "power": "swims", "level": "7"})))
    print(await read("3"))
    try:
        await read("nobody")
    except HTTPError as error:
        print("error", error)
    print(await patch("2", HeroPatch(level=9)))
    print([hero.name for hero in await search("flies")])
    print([hero.name for hero in await search("flies", offset=1, limit=1)])
    print(await Hero.find(Hero.level > 2).count(), (await Hero.find(Hero.name == "Ann").first()).pk)
    print(sorted([pk async for pk in await Hero.all_pks()]))
    print(await Hero.delete("1"), await Hero.find().count())
    print(Hero.model_json_schema()["properties"]["level"])


def main():
    asyncio.run(story())
