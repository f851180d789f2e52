"""What a server says of itself, in both protocols and in the shapes that other versions give it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redstart.commands.server_info import command_known, info, server_time
from redstart.devserver.process import EmbeddedServer
from redstart.effects import Call, call
from redstart.server.clients import open_sync

Ask = Callable[[Call[Any]], Any]


def test_info_is_flat_and_keeps_colons(ask: Ask, client: redis.Redis) -> None:
    found = ask(info("server", "keyspace"))
    assert found["run_id"] == client.info("server")["run_id"]
    assert found["executable"].endswith(client.info("server")["executable"])
    assert not any(name.startswith("#") for name in found)
    assert "used_memory" not in found
    assert "used_memory" in ask(info())


def test_info_of_a_path_with_a_colon() -> None:
    assert info().parse(b"# Server\r\nconfig_file:C:\\redis:1\r\n\r\nempty:\r\n") == {
        "config_file": "C:\\redis:1",
        "empty": "",
    }


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_module_that_is_not_loaded(own_server: Callable[..., EmbeddedServer], protocol: int) -> None:
    server = own_server(with_json=False, with_search=False)
    with open_sync(f"{server.url}?protocol={protocol}") as driver:
        assert driver.run(call(command_known("JSON.GET"))) is False


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("HGETALL", True),
        ("hgetall", True),
        ("JSON.GET", True),
        ("FT.SEARCH", True),
        ("NOSUCH", False),
        ("", False),
    ],
)
def test_command_known(ask: Ask, name: str, known: bool) -> None:
    assert ask(command_known(name)) is known


@pytest.mark.parametrize("reply", [[None], [], {}, {b"x": None}])
def test_an_unknown_command_in_every_shape(reply: Any) -> None:
    assert command_known("x").parse(reply) is False


def test_server_time_is_in_milliseconds(ask: Ask) -> None:
    before = time.time() * 1_000
    assert before - 60_000 < ask(server_time()) < before + 60_000
    assert server_time().parse([b"1700000000", b"999999"]) == 1_700_000_000_999
