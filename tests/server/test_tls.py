"""`rediss://`: a server behind TLS, a port without it, and the other way round."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from redstart.commands.keyspace import get
from redstart.demo.models import Visit
from redstart.effects import call
from redstart.errors import ServerConnectionError
from redstart.server import clients
from redstart.server.clients import async_client, open_like, sync_client
from tests.server.conftest import Driver
from tests.support.cli import run_om
from tests.support.tls_proxy import TlsProxy

Opened = Callable[[str], Driver]
NO_HANDSHAKE = r"TLS handshake failed: no reply within 0\.2 seconds"
NO_TLS = "Use redis:// in the URL if the port does not use TLS."
TLS = "use rediss:// in the URL"


@pytest.fixture
def proxy(url: str, tmp_path: Path) -> Iterator[TlsProxy]:
    if not url.startswith("unix:"):
        pytest.skip("needs the embedded server's socket")
    with TlsProxy(urlsplit(url).path, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def silent_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """As a server without TLS: it waits for the end of a line."""
    monkeypatch.setattr(clients, "CONNECT_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def trusted(proxy: TlsProxy) -> str:
    return f"rediss://127.0.0.1:{proxy.port}?ssl_ca_certs={proxy.certificate}"


def test_it_is_asked_through_tls(opened: Opened, proxy: TlsProxy, client: redis.Redis) -> None:
    client.set("x", b"y" * 1_000_000)
    assert opened(trusted(proxy)).run(call(get("x"))) == b"y" * 1_000_000


@pytest.mark.parametrize("make", [sync_client, async_client])
def test_so_are_clients_and_drivers_like_them(
    proxy: TlsProxy, client: redis.Redis, make: Callable[..., object]
) -> None:
    client.set("x", "y")
    with open_like(make(trusted(proxy))) as driver:
        assert driver.run(call(get("x"))) == b"y"


def test_a_port_without_tls_is_told_in_the_time_to_connect(opened: Opened, silent_port: int) -> None:
    with pytest.raises(ServerConnectionError, match=NO_HANDSHAKE) as told:
        opened(f"rediss://127.0.0.1:{silent_port}").run(call(get("x")))
    assert told.value.hint is not None
    assert NO_TLS in told.value.hint


@pytest.mark.parametrize("make", [sync_client, async_client])
def test_so_it_is_by_clients(silent_port: int, make: Callable[..., object]) -> None:
    driver = open_like(make(f"rediss://127.0.0.1:{silent_port}"))
    with pytest.raises(ServerConnectionError, match=NO_HANDSHAKE):
        driver.run(call(get("x")))


def test_so_it_is_by_models(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", f"rediss://127.0.0.1:{silent_port}")
    with pytest.raises(ServerConnectionError) as told:
        Visit.get("1")
    assert NO_TLS in str(told.value)


def test_a_port_that_answers_something_else(opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"-ERR Protocol error: unbalanced quotes in request\r\n")
                _ = connection.recv(10_000)

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(ServerConnectionError, match="TLS handshake failed") as told:
            opened(f"rediss://127.0.0.1:{port}").run(call(get("x")))
    assert NO_TLS in str(told.value)


def test_a_certificate_of_an_unknown_authority(opened: Opened, proxy: TlsProxy) -> None:
    with pytest.raises(ServerConnectionError, match="certificate verify failed") as told:
        opened(f"rediss://127.0.0.1:{proxy.port}").run(call(get("x")))
    assert told.value.hint is not None
    assert "ssl_ca_certs=" in told.value.hint
    assert NO_TLS not in told.value.hint


@pytest.mark.sample(3)
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_port_with_tls_that_is_asked_without(opened: Opened, proxy: TlsProxy, protocol: int) -> None:
    with pytest.raises(ServerConnectionError) as told:
        opened(f"redis://127.0.0.1:{proxy.port}?protocol={protocol}").run(call(get("x")))
    assert TLS in str(told.value)


def test_om_says_it(proxy: TlsProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    ended = run_om("--url", f"redis://127.0.0.1:{proxy.port}", "migrate-data", "status")
    assert (ended.code, TLS in ended.stderr) == (1, True)
    assert run_om("--url", trusted(proxy), "migrate-data", "status").code == 0
