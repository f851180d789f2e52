"""Tasks that use models at once, and tasks that are cancelled."""

import asyncio

import pytest
import redis
import redis.asyncio

from redstart.aio import Field, HashModel

pytestmark = pytest.mark.usefixtures("models_url")


class Note(HashModel):
    number: int = Field(primary_key=True)


def test_more_at_once_than_the_pool_has_connections(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Note._meta, "database", redis.asyncio.Redis.from_url(url, max_connections=3))

    async def work(first: int) -> None:
        await asyncio.gather(*[Note(number=first + number).save() for number in range(50)])

    asyncio.run(work(0))
    asyncio.run(work(50))
    assert client.dbsize() == 100


def test_a_client_outside_of_a_loop() -> None:
    client = Note.db()

    async def work() -> bool:
        return bool(await client.ping()) and Note.db() is Note.db()

    assert asyncio.run(work())


def test_a_task_that_is_cancelled_leaves_no_answer_to_others() -> None:
    async def work() -> None:
        await asyncio.gather(*[Note(number=n).save() for n in range(20)])
        for wait in range(20):
            tasks = [asyncio.ensure_future(Note.get(n)) for n in range(20)]
            for _ in range(wait):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            for number, note in enumerate(found):
                assert isinstance(note, asyncio.CancelledError) or note.number == number
            assert (await Note.get(7)).number == 7

    asyncio.run(work())
