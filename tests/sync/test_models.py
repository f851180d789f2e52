# Generated from tests/aio/test_models.py: change that, then `python -m tools.generate_sync`.
"""Documents of models on a server, and the server that a model names."""

from collections.abc import Callable

import pytest
import redis

from redstart import EmbeddedJsonModel, NotFoundError
from redstart.devserver.process import EmbeddedServer
from redstart.errors import ConfigurationError, IndexNotFoundError, ServerConnectionError
from redstart.sync import Field, HashModel, JsonModel, get_redis_connection
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


def test_saving_finding_deleting(client: redis.Redis) -> None:
    create_indexes(client, Note, Box)
    notes = [Note(number=n, rank=n % 3).save() for n in range(60)]
    query = Note.find(Note.rank == 1).sort_by("rank")
    assert query.count() == 20
    assert {note.number for note in query.all()} == {n.number for n in notes if n.rank == 1}
    assert [note.number for note in query] == [note.number for note in query.all(batch_size=7)]
    assert (query.first()).rank == 1
    assert len(query.page(15)) == 5
    assert Note.delete(0) == 1
    with pytest.raises(NotFoundError):
        Note.get(0)
    with pytest.raises(NotFoundError):
        Note.find(Note.rank == 9).first()
    box = Box(part=Part(name="lid")).save()
    assert Box.find(Box.part.name == "lid").all() == [box]


def test_a_missing_index() -> None:
    with pytest.raises(IndexNotFoundError):
        Note.find().all()


def test_connections_are_reused(client: redis.Redis) -> None:
    Note(number=1).save()
    before = client.info("stats")["total_connections_received"]
    for _ in range(20):
        Note.get(1)
    assert client.info("stats")["total_connections_received"] == before


def test_the_server_may_be_given_after_the_model(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = own_server(), own_server()
    monkeypatch.setenv("REDIS_OM_URL", first.url)
    Note(number=1).save()
    monkeypatch.setenv("REDIS_OM_URL", second.url)
    Note(number=2).save()
    with get_redis_connection() as here, get_redis_connection(url=first.url) as there:
        assert [key for key in here.scan_iter()] == [Note.make_primary_key(2)]
        assert [key for key in there.scan_iter()] == [Note.make_primary_key(1)]
    monkeypatch.setattr(Note._meta, "database", get_redis_connection(url=first.url, decode_responses=False))
    assert (Note.get(1)).number == 1
    assert Note.db().keys() == [Note.make_primary_key(1).encode()]


def test_a_client_by_host_and_port() -> None:
    with get_redis_connection(host="127.0.0.1", port=1) as client:
        assert client.connection_pool.connection_kwargs["port"] == 1


def test_a_client_by_url(url: str) -> None:
    with get_redis_connection(url=url) as client:
        assert client.set("a", "b")
        assert client.get("a") == "b"


@pytest.mark.parametrize("wrong", ["redis://localhost", 5])
def test_anything_but_a_client_is_refused(wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Note._meta, "database", wrong)
    with pytest.raises(ConfigurationError, match="not a redis-py client"):
        Note(number=1).save()


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://127.0.0.1:1")
    with pytest.raises(ServerConnectionError, match=r"127\.0\.0\.1:1"):
        Note(number=1).save()


def test_a_lost_reply_is_requested_again(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server()
    with LossyProxy(server.url.removeprefix("unix://")) as proxy:
        monkeypatch.setenv("REDIS_OM_URL", proxy.url)
        note = Note(number=1).save()
        proxy.lose_answer_to(b"EVALSHA")
        note.save()
        proxy.lose_answer_to(b"HGETALL")
        assert Note.get(1) == note
        proxy.lose_answer_to(b"DEL")
        Note.delete(1)
        assert Note.db().dbsize() == 0


def test_a_restarted_server_is_found_again(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", own_server().url)
    Note(number=1).save()
    Note.db().client_kill_filter(_type="normal", skipme=True)
    assert (Note.get(1)).number == 1
