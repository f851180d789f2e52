"""Clients that ask sentinels where the server is: models and `om` go to the same one, in either colour."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel

import redstart
import redstart.aio
from redstart.commands.keyspace import hgetall
from redstart.devserver.binaries import find_binaries
from redstart.devserver.process import EmbeddedServer
from redstart.effects import call
from redstart.errors import ServerConnectionError
from redstart.server.clients import open_like
from tests.support.processes import wait_until
from tests.support.servers import free_port, require_binaries


class Note(redstart.HashModel):
    text: str

    class Meta:
        model_key_prefix = "note"


class AsyncNote(redstart.aio.HashModel):
    text: str

    class Meta(Note.Meta):
        pass


@pytest.fixture(scope="module")
def sentinel_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A sentinel that watches no server yet."""
    require_binaries()
    settings = tmp_path_factory.mktemp("sentinel") / "sentinel.conf"
    port = free_port()
    settings.write_text(f"port {port}\nbind 127.0.0.1\n")
    command = [str(find_binaries().server), str(settings), "--sentinel"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(port), "the sentinel")
            yield port
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with redis.Redis(port=port, retry=None) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


@pytest.fixture(params=[redis.sentinel.Sentinel, redis.asyncio.sentinel.Sentinel], ids=["sync", "asyncio"])
def database(
    request: pytest.FixtureRequest, sentinel_port: int, own_server: Callable[..., EmbeddedServer]
) -> Iterator[Any]:
    """A client of the service `main`, as both models name it."""
    server = own_server(port=free_port())
    with redis.Redis(port=sentinel_port) as sentinel:
        sentinel.sentinel_monitor("main", "127.0.0.1", server.url.rpartition(":")[2], 1)
        client = request.param([("127.0.0.1", sentinel_port)]).master_for("main", decode_responses=True)
        Note._meta.database = AsyncNote._meta.database = client
        yield client
        Note._meta.database = AsyncNote._meta.database = None
        sentinel.sentinel_remove("main")


def test_models_of_both_colours(database: Any) -> None:
    saved = Note(text="é").save()

    async def read() -> str:
        return (await AsyncNote.get(saved.pk)).text

    assert [asyncio.run(read()) for _ in range(2)] == ["é", "é"]
    assert Note.get(saved.pk) == saved


def test_what_om_opens(database: Any) -> None:
    saved = Note(text="x").save()
    with open_like(database) as driver:
        assert driver.run(call(hgetall(saved.key())))[b"text"] == b"x"


@pytest.mark.parametrize("kind", [redis.sentinel.Sentinel, redis.asyncio.sentinel.Sentinel])
def test_a_service_that_is_not_known(sentinel_port: int, kind: Any) -> None:
    """It is named; and what stands at localhost is not taken in its place."""
    client = kind([("127.0.0.1", sentinel_port)]).master_for("other")
    with pytest.raises(ServerConnectionError, match=r"other \(Sentinel\)"), open_like(client) as driver:
        driver.run(call(hgetall("x")))
