"""Models in threads, in processes that fork, and on the servers that they name."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import redis.asyncio

from redstart import Field, HashModel, JsonModel, get_redis_connection
from redstart.devserver.process import EmbeddedServer
from redstart.errors import ConfigurationError, ServerConnectionError
from tests.support.lossy_proxy import LossyProxy


class Note(HashModel, index=True):
    number: int = Field(primary_key=True)
    text: str = ""


class Box(JsonModel):
    number: int = Field(primary_key=True)


def test_threads_share_a_server(models_url: str) -> None:
    def work(number: int) -> int:
        Note(number=number, text=str(number)).save()
        assert Note.get(number).text == str(number)
        return Note.delete(number)

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(work, range(500))) == 500


def test_more_threads_than_the_pool_has_connections(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-py refuses the fourth; here it waits for its turn."""
    monkeypatch.setattr(Note._meta, "database", redis.Redis.from_url(url, max_connections=3))
    begin = threading.Barrier(30)

    def work(number: int) -> int:
        begin.wait()
        return Note(number=number).save().number

    with ThreadPoolExecutor(30) as threads:
        assert list(threads.map(work, range(30))) == list(range(30))


def test_connections_are_reused(client: redis.Redis, models_url: str) -> None:
    Note(number=1).save()
    before = client.info("stats")["total_connections_received"]
    for _ in range(20):
        Note.get(1)
    assert client.info("stats")["total_connections_received"] == before


@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
def test_a_model_names_its_server(url: str, kind: type[redis.Redis], decoded: bool) -> None:
    client = kind.from_url(url, decode_responses=decoded)

    class Elsewhere(JsonModel):
        text: str

        class Meta:
            database = client

    assert Elsewhere.db() is client
    document = Elsewhere(text="é").save()
    assert Elsewhere.get(document.pk) == document


def test_the_server_may_be_given_after_the_model(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = own_server(), own_server()
    monkeypatch.setenv("REDIS_OM_URL", first.url)
    Note(number=1).save()
    monkeypatch.setenv("REDIS_OM_URL", second.url)
    Note(number=2).save()
    with get_redis_connection() as here, get_redis_connection(url=first.url) as there:
        assert (list(here.scan_iter()), list(there.scan_iter())) == (
            [Note.make_primary_key(2)],
            [Note.make_primary_key(1)],
        )
    monkeypatch.setattr(Note._meta, "database", get_redis_connection(url=first.url, decode_responses=False))
    assert Note.get(1).number == 1
    assert Note.db().keys() == [Note.make_primary_key(1).encode()]


def test_a_client_by_host_and_port() -> None:
    with get_redis_connection(host="127.0.0.1", port=1) as client:
        assert client.connection_pool.connection_kwargs["port"] == 1


@pytest.mark.parametrize("wrong", ["redis://localhost", 5])
def test_anything_but_a_client_is_refused(wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Box._meta, "database", wrong)
    with pytest.raises(ConfigurationError, match="not a redis-py client"):
        Box(number=1).save()


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://127.0.0.1:1")
    with pytest.raises(ServerConnectionError, match=r"127\.0\.0\.1:1"):
        Box(number=1).save()


def test_a_lost_reply_is_requested_again(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server()
    with LossyProxy(server.url.removeprefix("unix://")) as proxy:
        monkeypatch.setenv("REDIS_OM_URL", proxy.url)
        note = Note(number=1, text="a").save()
        for word, act in (
            (b"EVALSHA", note.save),
            (b"HGETALL", lambda: Note.get(1)),
            (b"DEL", lambda: Note.delete(1)),
        ):
            proxy.lose_answer_to(word)
            act()
        assert Note.db().dbsize() == 0


def test_a_restarted_server_is_found_again(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server()
    monkeypatch.setenv("REDIS_OM_URL", server.url)
    note = Note(number=1).save()
    Note.db().client_kill_filter(_type="normal", skipme=True)
    note.save()
    failures: list[BaseException] = []

    def get() -> None:
        try:
            Note.get(1)
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            failures.append(error)

    Note.db().client_kill_filter(_type="normal", skipme=True)
    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
