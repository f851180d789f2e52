"""Documents of models on a server, and the server that a model names."""

from collections.abc import Callable

import pytest
import redis

from redstart import EmbeddedJsonModel, NotFoundError
from redstart.aio import Field, HashModel, JsonModel, get_redis_connection
from redstart.devserver.process import EmbeddedServer
from redstart.errors import ConfigurationError, IndexNotFoundError, ServerConnectionError
from tests.support.lossy_proxy import LossyProxy
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")


class Note(HashModel, index=True):
    number: int = Field(primary_key=True)
    kind: str = Field(default="a", index=True)
    rank: int = Field(default=0, index=True, sortable=True)


class Part(EmbeddedJsonModel):
    name: str = Field(index=True)


class Box(JsonModel, index=True):
    part: Part
    rank: int = Field(default=0, index=True, sortable=True)


async def test_saving_finding_deleting(client: redis.Redis) -> None:
    create_indexes(client, Note, Box)
    notes = [await Note(number=n, rank=n % 3).save() for n in range(60)]
    query = Note.find(Note.rank == 1).sort_by("rank")
    assert await query.count() == 20
    assert {note.number for note in await query.all()} == {n.number for n in notes if n.rank == 1}
    assert [note.number async for note in query] == [note.number for note in await query.all(batch_size=7)]
    assert (await query.first()).rank == 1
    assert len(await query.page(15)) == 5
    assert await Note.delete(0) == 1
    with pytest.raises(NotFoundError):
        await Note.get(0)
    with pytest.raises(NotFoundError):
        await Note.find(Note.rank == 9).first()
    box = await Box(part=Part(name="lid")).save()
    assert await Box.find(Box.part.name == "lid").all() == [box]


async def test_a_missing_index() -> None:
    with pytest.raises(IndexNotFoundError):
        await Note.find().all()


async def test_connections_are_reused(client: redis.Redis) -> None:
    await Note(number=1).save()
    before = client.info("stats")["total_connections_received"]
    for _ in range(20):
        await Note.get(1)
    assert client.info("stats")["total_connections_received"] == before


async def test_the_server_may_be_given_after_the_model(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = own_server(), own_server()
    monkeypatch.setenv("REDIS_OM_URL", first.url)
    await Note(number=1).save()
    monkeypatch.setenv("REDIS_OM_URL", second.url)
    await Note(number=2).save()
    async with get_redis_connection() as here, get_redis_connection(url=first.url) as there:
        assert [key async for key in here.scan_iter()] == [Note.make_primary_key(2)]
        assert [key async for key in there.scan_iter()] == [Note.make_primary_key(1)]
    monkeypatch.setattr(Note._meta, "database", get_redis_connection(url=first.url, decode_responses=False))
    assert (await Note.get(1)).number == 1
    assert await Note.db().keys() == [Note.make_primary_key(1).encode()]


async def test_a_client_by_host_and_port() -> None:
    async with get_redis_connection(host="127.0.0.1", port=1) as client:
        assert client.connection_pool.connection_kwargs["port"] == 1


async def test_a_client_by_url(url: str) -> None:
    async with get_redis_connection(url=url) as client:
        assert await client.set("a", "b")
        assert await client.get("a") == "b"


@pytest.mark.parametrize("wrong", ["redis://localhost", 5])
async def test_anything_but_a_client_is_refused(wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Note._meta, "database", wrong)
    with pytest.raises(ConfigurationError, match="not a redis-py client"):
        await Note(number=1).save()


async def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://127.0.0.1:1")
    with pytest.raises(ServerConnectionError, match=r"127\.0\.0\.1:1"):
        await Note(number=1).save()


async def test_a_lost_reply_is_requested_again(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server()
    with LossyProxy(server.url.removeprefix("unix://")) as proxy:
        monkeypatch.setenv("REDIS_OM_URL", proxy.url)
        note = await Note(number=1).save()
        proxy.lose_answer_to(b"EVALSHA")
        await note.save()
        proxy.lose_answer_to(b"HGETALL")
        assert await Note.get(1) == note
        proxy.lose_answer_to(b"DEL")
        await Note.delete(1)
        assert await Note.db().dbsize() == 0


async def test_a_restarted_server_is_found_again(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", own_server().url)
    await Note(number=1).save()
    await Note.db().client_kill_filter(_type="normal", skipme=True)
    assert (await Note.get(1)).number == 1
