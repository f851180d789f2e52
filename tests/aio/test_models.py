"""The asynchronous colour: the same documents and queries, from tasks and from one event loop after another."""

import asyncio
from collections.abc import Callable

import pytest
import redis
import redis.asyncio
from hypothesis import HealthCheck, given, settings

import redstart.aio
import redstart.sync
from redstart import EmbeddedJsonModel, NotFoundError
from redstart.aio import Field, HashModel, JsonModel, get_redis_connection
from redstart.devserver.process import EmbeddedServer
from redstart.errors import IndexNotFoundError
from redstart.mapping.meta import named_database
from tests.documents.every_type import DEEP, FLAT, Deep, Flat
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

ON_SERVER = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Note(HashModel, index=True):
    number: int = Field(primary_key=True)
    kind: str = Field(default="a", index=True)
    rank: int = Field(default=0, index=True, sortable=True)


class SyncNote(redstart.sync.HashModel, index=True):
    number: int = Field(primary_key=True)


class AsyncNote(HashModel, index=True):
    number: int = Field(primary_key=True)


class Part(EmbeddedJsonModel):
    name: str = Field(index=True)


class Box(JsonModel, index=True):
    part: Part
    rank: int = Field(default=0, index=True, sortable=True)


class AsyncFlat(redstart.aio.RedisModel, Flat, index=False):
    """As its base in the other colour: its own methods come first."""


class AsyncDeep(redstart.aio.RedisModel, Deep, index=False):
    """As its base in the other colour: its own methods come first."""


def test_the_client_of_a_model_that_names_none_is_in_its_settings(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(AsyncNote.Meta.database, redis.asyncio.Redis)
    assert SyncNote.Meta.database is SyncNote._meta.database is SyncNote.db()
    pipeline = SyncNote.Meta.database.pipeline()
    SyncNote(number=1).save(pipeline)
    assert pipeline.execute() == [1]

    async def queue() -> list[object]:
        assert AsyncNote.Meta.database is AsyncNote.db()
        pipeline = AsyncNote.Meta.database.pipeline()
        await AsyncNote(number=2).save(pipeline)
        return list(await pipeline.execute())

    assert asyncio.run(queue()) == [1]
    assert client.exists(SyncNote(number=1).key(), AsyncNote(number=2).key()) == 2
    SyncNote.Meta.database = client
    assert SyncNote.db() is client
    SyncNote.Meta.database = None
    with monkeypatch.context() as patch:
        patch.setattr(AsyncNote.Meta, "database", client)
        patch.setattr(SyncNote.Meta, "database", client)
        assert SyncNote.db() is AsyncNote.db() is client
    assert (named_database(SyncNote.Meta), named_database(AsyncNote.Meta)) == (None, None)
    assert SyncNote.db() is redstart.sync.HashModel.Meta.database


@ON_SERVER
@given(flat=FLAT, deep=DEEP)
def test_documents_come_back_as_they_were(flat: Flat, deep: Deep) -> None:
    async def work() -> None:
        for model, document in ((AsyncFlat, flat), (AsyncDeep, deep)):
            same = model.model_construct(**dict(document))
            assert await same.save() is same
            assert dict(await model.get(document.pk)) == dict(document)

    asyncio.run(work())


def test_saving_finding_deleting(client: redis.Redis) -> None:
    create_indexes(client, Note, Box)

    async def work() -> None:
        notes = await asyncio.gather(*[Note(number=n, rank=n % 3).save() for n in range(60)])
        query = Note.find(Note.rank == 1).sort_by("rank")
        assert await query.count() == 20
        assert {note.number for note in await query.all()} == {n.number for n in notes if n.rank == 1}
        assert [note.number async for note in query] == [
            note.number for note in await query.all(batch_size=7)
        ]
        assert (await query.first()).rank == 1
        assert len(await query.page(15)) == 5
        assert await Note.delete(0) == 1
        with pytest.raises(NotFoundError):
            await Note.get(0)
        with pytest.raises(NotFoundError):
            await Note.find(Note.rank == 9).first()
        box = await Box(part=Part(name="lid")).save()
        assert await Box.find(Box.part.name == "lid").all() == [box]

    asyncio.run(work())


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


def test_the_same_model_in_both_colours() -> None:
    class Shared:
        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "shared"

    class Sync(redstart.sync.JsonModel):
        text: str

        class Meta(Shared.Meta):
            pass

    class Async(JsonModel):
        text: str

        class Meta(Shared.Meta):
            pass

    document = Sync(text="é").save()
    assert asyncio.run(Async.get(document.pk)).text == "é"
    asyncio.run(Async(pk=document.pk, text="b").save())
    assert Sync.get(document.pk).text == "b"


def test_a_missing_index() -> None:
    with pytest.raises(IndexNotFoundError):
        asyncio.run(Note.find().all())


def test_a_restarted_server_is_found_again(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", own_server().url)

    async def work() -> None:
        await Note(number=1).save()
        await Note.db().client_kill_filter(_type="normal", skipme=True)
        assert (await Note.get(1)).number == 1

    asyncio.run(work())


def test_a_client_of_ones_own(url: str) -> None:
    async def work() -> None:
        async with get_redis_connection(url=url) as client:
            assert await client.set("a", "b")
            assert await client.get("a") == "b"

    asyncio.run(work())
