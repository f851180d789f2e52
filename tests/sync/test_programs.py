"""Models in threads, in processes that fork, and on the servers that they name."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import redis.asyncio

from redstart import Field, HashModel, JsonModel
from redstart.devserver.process import EmbeddedServer


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
