"""A URL that cannot work ends with a message, never with a traceback: whatever redis-py or a socket makes of it."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from redstart.commands.server_info import server_time
from redstart.devserver.process import EmbeddedServer
from redstart.effects import call
from redstart.errors import ConfigurationError, RedstartError, ServerError
from redstart.server.clients import async_client, open_async, open_sync, sync_client
from tests.support.cli import run_om
from tests.support.servers import require_binaries

OPTIONS = (
    *("protocol=9", "protocol=x", "protocol=-1", "db=x", "db=-1", "db=99999999999999999999", "db="),
    *("socket_timeout=-1", "socket_timeout=x", "socket_timeout=1e999", "socket_connect_timeout=-5"),
    *("encoding=bogus", "encoding_errors=bogus", "decode_responses=x", "health_check_interval=x"),
    *("health_check_interval=-1", "max_connections=0", "max_connections=x", "max_connections=-3"),
    *("credential_provider=x", "retry=x", "retry_on_error=x", "parser_class=x", "redis_connect_func=x"),
    *("client_name=a%20b", "client_name=%0a", "lib_name=%00", "username=u", "password=p", "command_packer=x"),
    *(
        "socket_keepalive_options=x",
        "socket_type=x",
        "socket_read_size=x",
        "event_dispatcher=x",
        "colour=red",
    ),
    *(
        "connection_class=x",
        "host=",
        "path=/x",
        "port=x",
        "timeout=x",
        "maint_notifications_config=x",
        "=",
        "&&=&",
    ),
)
TLS_OPTIONS = (
    *(
        "ssl_cert_reqs=bogus",
        "ssl_ca_certs=/nowhere",
        "ssl_ca_path=/nowhere",
        "ssl_ca_data=x",
        "ssl_ciphers=bogus",
    ),
    *(
        "ssl_certfile=/nowhere",
        "ssl_keyfile=/nowhere",
        "ssl_min_version=x",
        "ssl_min_version=9",
        "ssl_password=x",
    ),
    *("ssl_check_hostname=x", "ssl_validate_ocsp=true", "ssl_ocsp_context=x", "ssl_include_verify_flags=x"),
)
HOSTS = (
    *(
        "a..b",
        "x" * 64 + ".example",
        ".",
        "ä" * 70,
        "\u2028",
        "-",
        "%00",
        "a%20b",
        "[::1",
        "[]",
        "[zz]",
        "256.256.256.256",
    ),
    *("0.0.0.0.0", "exa mple", "\ud800", "%", "a_b", "xn--zz--zz", "٠.٠.٠.٠", "host\\x", "'", '"', "*"),
)
WHOLE = (
    *(
        "",
        " ",
        "redis",
        "redis:",
        "redis:/",
        "redis://",
        "rediss://",
        "unix://",
        "unix:",
        "unix:///",
        "unix://x",
        "://",
    ),
    *(
        "redis:///",
        "redis://:",
        "redis://@",
        "redis://:@",
        "redis://:6379:6379",
        "redis://h:99999",
        "redis://h:-1",
    ),
    *(
        "redis://h:0",
        "redis://127.0.0.1:1/x",
        "redis://127.0.0.1:1/0/0",
        "redis://127.0.0.1:1//",
        "REDIS://h",
        "ftp://h",
    ),
    *(
        "redis+sentinel://h",
        "redis://h,i",
        "valkey://h",
        "redis:\\\\h",
        "\0",
        "redis://\0",
        "redis://h\n",
        "?db=0",
        "#",
    ),
)


pytestmark = pytest.mark.filterwarnings(
    "ignore:Call to '__init__' function with deprecated:DeprecationWarning"
)


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[str, str]]:
    """A server's socket as a URL, and the same server on a port as a URL."""
    require_binaries()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with EmbeddedServer(port=port) as server:
        yield server.url, f"127.0.0.1:{port}"


def urls(places: tuple[str, str]) -> list[str]:
    """All of them."""
    at, tcp = places
    found = [f"redis://{tcp}?{option}" for option in OPTIONS]
    found += [f"rediss://{tcp}?{option}&socket_connect_timeout=0.02" for option in TLS_OPTIONS]
    found += [f"{at.partition('?')[0]}?{option}" for option in OPTIONS]
    found += [f"redis://{host}:1" for host in HOSTS]
    return found + list(WHOLE)


def test_no_command_shows_a_traceback(places: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    # No name server is asked: whether a name is one is the machine's business.
    monkeypatch.setattr(socket, "getaddrinfo", _only_numbers)
    for url in urls(places):
        found = run_om("--url", url, "migrate-data", "progress")
        assert "Traceback" not in found.text, (url, found.text)
        assert found.code in (0, 1, 2), (url, found.text)
        if found.code:
            assert found.stderr.startswith("Error: "), (url, found.text)
            has_next_step = len(found.stderr.splitlines()) >= 2
            assert has_next_step or "Client names cannot contain" in found.stderr, (url, found.text)


def test_no_driver_and_no_client_raises_anything_else(
    places: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _only_numbers)

    async def use_asynchronously(url: str) -> None:
        async with open_async(url) as driver:
            await driver.run(call(server_time()))

    async def all_of_them() -> None:
        for url in urls(places):
            with _only_our_errors(url):
                await use_asynchronously(url)

    asyncio.run(all_of_them())
    for url in urls(places):
        with _only_our_errors(url), open_sync(url) as driver:
            driver.run(call(server_time()))
        for make in (sync_client, async_client):
            with _only_our_errors(url):
                make("redis://localhost:1", url=url)


class _only_our_errors:
    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if error is not None:
            assert isinstance(error, ConfigurationError | ServerError), (self._url, error)
            assert isinstance(error, RedstartError)
        return True


_getaddrinfo = socket.getaddrinfo


def _only_numbers(host: object, *others: object, **more: object) -> object:
    if host not in ("127.0.0.1", b"127.0.0.1", "localhost"):
        if isinstance(host, str):
            host.encode("idna")  # as the function does first
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _getaddrinfo(host, *others, **more)
