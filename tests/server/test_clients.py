"""From a URL to a driver, and what is shown of a URL."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from redstart.commands.keyspace import get, hgetall
from redstart.devserver.process import EmbeddedServer
from redstart.effects import call
from redstart.errors import ConfigurationError, EmbeddedServerError, ServerConnectionError
from redstart.server.clients import open_async, open_like, open_sync, sync_client, without_password
from redstart.server.pools import where_of
from tests.server.conftest import Driver
from tests.support.processes import wait_until
from tests.support.servers import free_port, require_binaries

SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t"), min_size=1, max_size=12).map(
    lambda text: f"S3cret{text}s3cret"
)
"""With a beginning and an end that stand nowhere else, so that no part of it can hide."""


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@localhost:6379/0", "redis://localhost:6379/0"),
        ("rediss://ann:secret@db.example:6380/2?password=secret", "rediss://ann@db.example:6380/2"),
        ("redis://ann@[::1]:6379", "redis://[::1]:6379"),
        ("unix:///run/redis.sock?password=secret&db=3", "unix:///run/redis.sock"),
        ("unix://:secret@/run/redis.sock", "unix:///run/redis.sock"),
        ("redis://:sec/ret@localhost", "redis://..."),
        ("redis://:sec#ret@localhost", "redis://..."),
        ("redis://:sec?ret@localhost", "redis://..."),
        ("redis://:secret", "redis://..."),
        ("redis://:secret[@localhost", "redis://..."),
        ("secret@localhost:6379", "..."),
        ("http://:secret@localhost", "..."),
        ("localhost:6379", "localhost:6379"),
        ("http://localhost:6379/0", "http://localhost:6379/0"),
        ("localhost:secret", "..."),
        ("secret", "..."),
        ("", "..."),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert without_password(url) == shown


@given(secret=SECRETS, user=st.sampled_from(["", "ann"]), quoted=st.booleans())
def test_a_password_is_never_shown(secret: str, user: str, quoted: bool) -> None:
    """Neither quoted as it should be, nor as people paste it."""
    written = quote(secret, safe="") if quoted else secret
    for url in (
        f"redis://{user}:{written}@localhost:6379/0",
        f"rediss://{user}:{written}@[::1]",
        f"unix://{user}:{written}@/run/redis.sock",
        f"redis://localhost/0?password={written}",
        f"unix:///run/redis.sock?db=1&password={written}",
        f"redis://{user}:{written}@localhost:port",
        f"redis://{user}:{written}@localhost:99999999",
        f"redis://{user}:{written}@[::1",
        f"http://{user}:{written}@localhost",
        f"{user}:{written}@localhost",
    ):
        texts = [without_password(url)]
        for open_driver in (open_sync, open_async):
            try:
                texts.append(repr(open_driver(url)))
            except ConfigurationError as error:
                texts.append(str(error))
        for text in texts:
            assert "3cret" not in text, (url, text)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:port",
        "localhost:6379",
        "http://localhost",
        "redis://localhost?db=x",
        "redis://localhost/shop",
        "rediss://user:s@localhost:6379/0/1",
    ],
)
@pytest.mark.parametrize("open_driver", [open_sync, open_async])
def test_a_url_that_is_none(open_driver: Callable[[str], object], url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a Redis URL") as caught:
        open_driver(url)
    assert "redis://user:password@host:6379/0" in (caught.value.hint or "")


def test_a_database_that_is_no_number() -> None:
    with pytest.raises(ConfigurationError, match="the database has to be a number, not 'shop'"):
        open_sync("redis://user:s@localhost/shop")
    for url in (
        "redis://localhost",
        "redis://localhost/",
        "redis://localhost/3",
        "unix:///run/a/socket?db=1",
    ):
        open_sync(url)


class TestTheServerOfAClient:
    """`open_like`: the server that a model's Meta.database names."""

    @pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
    def test_the_same_server_undecoded(self, client: redis.Redis, url: str, kind: type[redis.Redis]) -> None:
        client.hset("h", "field", b"\xff")
        theirs = kind.from_url(url, decode_responses=True)

        with open_like(theirs) as driver:
            assert driver.run(call(hgetall("h"))) == {b"field": b"\xff"}

    @pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
    def test_its_credentials(
        self, own_server: Callable[..., EmbeddedServer], kind: type[redis.Redis]
    ) -> None:
        server = own_server(password="S3cret")
        with open_like(kind.from_url(server.url)) as driver:
            assert driver.run(call(get("x"))) is None
            assert "S3cret" not in repr(driver)

    @pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
    def test_where_it_is(self, kind: type[redis.Redis]) -> None:
        theirs = kind.from_url("redis://ann:S3cret@127.0.0.1:1/2")
        assert where_of(theirs.connection_pool.connection_kwargs) == "127.0.0.1:1/2"
        with pytest.raises(ServerConnectionError, match=r"127\.0\.0\.1:1/2"), open_like(theirs) as driver:
            driver.run(call(get("x")))

    def test_something_else(self) -> None:
        with pytest.raises(ConfigurationError, match="of the class str, not a redis-py client"):
            open_like("redis://localhost")


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_unix_socket_in_either_protocol(own_server: Callable[..., EmbeddedServer], protocol: int) -> None:
    url = own_server(with_json=False, with_search=False).url
    assert url.startswith("unix:")
    with open_sync(f"{url}?protocol={protocol}") as driver:
        assert driver.run(call(get("nothing"))) is None
    other = redis.asyncio.Redis.from_url(url, protocol=protocol)
    path = url.removeprefix("unix://")
    clients = [
        sync_client(url, protocol=protocol),
        sync_client(url, url=url, protocol=protocol),
        sync_client(url, unix_socket_path=path, protocol=protocol),
    ]
    for client in clients:
        with client:
            assert client.get("nothing") is None
    with open_like(other) as driver:
        assert driver.run(call(get("nothing"))) is None


def test_a_server_that_is_still_loading(opened: Callable[[str], Driver], tmp_path: Path) -> None:
    require_binaries()
    with (
        EmbeddedServer(directory=tmp_path, append_only=True) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        client.mset({f"key {number}": number for number in range(5_000)})
        client.bgrewriteaof()
        wait_until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0, "the rewrite")
    slowly = ("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    port = free_port()
    server = EmbeddedServer(directory=tmp_path, append_only=True, port=port, extra_arguments=slowly)

    def start() -> None:
        with pytest.raises(EmbeddedServerError):  # ended below, before it was ready
            server.start()

    starting = threading.Thread(target=start)
    starting.start()
    try:
        wait_until(lambda: _is_loading(port), "the server to load")
        with pytest.raises(ServerConnectionError, match="is loading its dataset"):
            opened(f"redis://127.0.0.1:{port}").run(call(get("key 1")))
    finally:
        with redis.Redis(port=port, retry=None) as client, suppress(redis.ConnectionError):
            client.execute_command("SHUTDOWN", "NOSAVE")
        starting.join()


def _is_loading(port: int) -> bool:
    with redis.Redis(port=port, retry=None) as client:
        try:
            client.ping()
        except redis.BusyLoadingError:
            return True
        except redis.ConnectionError:
            return False
        return False
