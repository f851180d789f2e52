"""Sync and async models of one program: what they share, and what only one of them has."""

import asyncio

import pytest
import redis
import redis.asyncio
from hypothesis import HealthCheck, given, settings

import redstart.aio
import redstart.aio.util
import redstart.sync
import redstart.util
from redstart.aio import Field
from redstart.errors import QuerySyntaxError
from redstart.mapping.meta import named_database
from tests.documents.every_type import DEEP, FLAT, Deep, Flat
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")


ON_SERVER = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class SyncNote(redstart.sync.HashModel, index=True):
    number: int = Field(primary_key=True)


class Ranked(redstart.sync.HashModel, index=True):
    rank: int = Field(index=True, sortable=True)


class AsyncNote(redstart.aio.HashModel, index=True):
    number: int = Field(primary_key=True)


class AsyncFlat(redstart.aio.RedisModel, Flat, index=False):
    """An async subclass of a sync model: its own methods come first."""


class AsyncDeep(redstart.aio.RedisModel, Deep, index=False):
    """An async subclass of a sync model: its own methods come first."""


@ON_SERVER
@given(flat=FLAT, deep=DEEP)
async def test_documents_of_async_subclasses_come_back_as_they_were(flat: Flat, deep: Deep) -> None:
    for model, document in ((AsyncFlat, flat), (AsyncDeep, deep)):
        same = model.model_construct(**dict(document))
        assert await same.save() is same
        assert dict(await model.get(document.pk)) == dict(document)


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


def test_a_model_of_both_packages() -> None:
    class Shared:
        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "shared"

    class Sync(redstart.sync.JsonModel):
        text: str

        class Meta(Shared.Meta):
            pass

    class Async(redstart.aio.JsonModel):
        text: str

        class Meta(Shared.Meta):
            pass

    document = Sync(text="é").save()
    assert asyncio.run(Async.get(document.pk)).text == "é"
    asyncio.run(Async(pk=document.pk, text="b").save())
    assert Sync.get(document.pk).text == "b"


def test_a_position_in_brackets_is_for_sync_queries(client: redis.Redis) -> None:
    create_indexes(client, Ranked)
    documents = [Ranked(rank=rank).save() for rank in range(3)]
    query = Ranked.find().sort_by("rank")
    assert query[1] == documents[1]
    assert query.copy(offset=1)[1] == documents[2]
    assert list(query) == documents
    with pytest.raises(IndexError, match="position 7 is beyond the last document"):
        query[7]
    with pytest.raises(QuerySyntaxError, match="position of a document has to be 0 or more, not -1"):
        query[-1]
    with pytest.raises(TypeError):
        AsyncNote.find()[0]  # type: ignore[index]  # the point of the test


def test_which_package_it_is() -> None:
    assert (redstart.util.is_async_mode(), redstart.aio.util.is_async_mode()) == (False, True)
