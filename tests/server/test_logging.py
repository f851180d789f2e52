"""What is logged of connections and scripts: each event once, without passwords or values."""

import logging
from collections.abc import Callable

import pytest
import redis

from redstart.commands.keyspace import get
from redstart.commands.scripts import Script, run_script
from redstart.devserver.process import EmbeddedServer
from redstart.effects import Call, call
from redstart.errors import ServerConnectionError
from tests.server.conftest import Driver, socket_path
from tests.support.lossy_proxy import LossyProxy

Open = Callable[[str], Driver]
Events = list[tuple[str, int, str]]

VALUE = "v4lue of a document"


def events(caplog: pytest.LogCaptureFixture) -> Events:
    """The records of the package."""
    assert VALUE not in caplog.text
    return [found for found in caplog.record_tuples if found[0].startswith("redstart")]


def set_value() -> Call[object]:
    return Call(("SET", "x", VALUE), lambda reply: reply)


def test_a_lost_connection_is_a_warning(
    opened: Open, own_server: Callable[..., EmbeddedServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "redstart")
    with LossyProxy(socket_path(own_server())) as proxy:
        driver = opened(proxy.url)
        driver.run(call(get("x")))
        proxy.lose_answer_to(b"SET")
        assert driver.run(call(set_value())) == b"OK"
    ((name, level, message),) = events(caplog)
    assert (name, level) == ("redstart.server.protocol", logging.WARNING)
    assert message.startswith(f"Repeating a request after 0.05 s: The server at {proxy.url} did not reply:")


def test_an_outage_is_one_warning_for_each_request(
    opened: Open,
    own_server: Callable[..., EmbeddedServer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("redstart.server.protocol.REPEAT_PAUSES_SECONDS", (0.0, 0.0, 0.0))
    caplog.set_level(logging.DEBUG, "redstart")
    server = own_server()
    with LossyProxy(socket_path(server)) as proxy:
        driver = opened(proxy.url)
        driver.run(call(get("x")))
        server.kill()
        with pytest.raises(ServerConnectionError):
            driver.run(call(set_value()))
    assert [level for _, level, _ in events(caplog)] == [logging.WARNING, logging.DEBUG, logging.DEBUG]


def test_a_refusal_that_passes_is_named_by_its_code(
    opened: Open, url: str, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "redstart")
    driver = opened(url)
    refused = Script.of(
        "local n = redis.call('INCR', KEYS[1]) "
        "return n < 2 and redis.error_reply('TRYAGAIN ' .. ARGV[1]) or n"
    )
    client.script_load(refused.source)
    assert driver.run(run_script(refused, ("n",), (VALUE,))) == 2
    assert events(caplog) == [
        (
            "redstart.server.protocol",
            logging.WARNING,
            "Repeating a request after 0.05 s: the server replied TRYAGAIN",
        )
    ]


def test_a_script_that_is_not_cached(
    opened: Open, url: str, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "redstart")
    client.script_flush()
    assert opened(url).run(run_script(Script.of("return ARGV[1]"), (), (VALUE,))) == VALUE.encode()
    assert events(caplog) == [
        (
            "redstart.commands.scripts",
            logging.DEBUG,
            "The server has not cached a script; sending its source.",
        )
    ]


def test_nothing_is_logged_of_work_that_succeeds(
    opened: Open, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "redstart")
    assert opened(url).run(call(set_value())) == b"OK"
    assert events(caplog) == []
