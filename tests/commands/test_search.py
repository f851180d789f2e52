"""Replies of the search commands in both protocols."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import redis

from redstart.commands.search import (
    SearchReply,
    ft_aggregate_keys,
    ft_create,
    ft_info,
    ft_list,
    ft_search,
)
from redstart.devserver.process import EmbeddedServer
from redstart.effects import Call
from redstart.search.index_info import read_info
from tests.support.processes import wait_until
from tests.support.servers import client_with_protocol

T = TypeVar("T")


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def server(request: pytest.FixtureRequest, url: str) -> Iterator[redis.Redis]:
    with client_with_protocol(url, request.param, decode_responses=False) as connection:
        connection.execute_command(
            "FT.CREATE", *["i", "ON", "HASH", "PREFIX", "1", "p:", "SCHEMA", "n", "NUMERIC"]
        )
        connection.hset("p:1", mapping={"n": 1, "t": "x"})
        connection.hset("p:2", mapping={"n": 2})
        yield connection


def answer(connection: redis.Redis, request: Call[T]) -> T:
    return request.parse(connection.execute_command(*request.args))


def search(connection: redis.Redis, *words: str | int, content: bool = True) -> SearchReply:
    return answer(connection, ft_search(("FT.SEARCH", "i", *words), content=content))


def test_documents_with_their_fields(server: redis.Redis) -> None:
    assert search(server, "@n:[1 1]") == SearchReply(1, [b"p:1"], [{b"n": b"1", b"t": b"x"}])
    assert search(server, "@n:[1 1]", "RETURN", 1, "t").fields == [{b"t": b"x"}]


def test_keys_alone(server: redis.Redis) -> None:
    reply = search(server, "*", "SORTBY", "n", "NOCONTENT", content=False)
    assert reply == SearchReply(2, [b"p:1", b"p:2"], [])


def test_keys_in_order_without_one_that_has_just_expired(own_server: Callable[..., EmbeddedServer]) -> None:
    """The server still counts it, and has nothing to say of it."""
    started = own_server(extra_arguments=("--enable-debug-command", "yes"))
    words = ("FT.AGGREGATE", "i", "*", "LOAD", 1, "@__key", "SORTBY", 2, "@n", "ASC")
    for protocol in (2, 3):
        with client_with_protocol(started.url, protocol) as connection:
            connection.flushall()
            connection.execute_command(
                "FT.CREATE", *["i", "ON", "HASH", "PREFIX", "1", "p:", "SCHEMA", "n", "NUMERIC"]
            )
            connection.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
            for number in range(3):
                connection.hset(f"p:{number}", "n", number)
            connection.pexpire("p:1", 1)
            wait_until(lambda: connection.exists("p:1") == 0, "the expiry")
            assert answer(connection, ft_aggregate_keys(words)) == [b"p:0", b"p:2"]


def test_no_document_and_a_count_alone(server: redis.Redis) -> None:
    assert search(server, "@n:[7 7]") == SearchReply(0, [], [])
    assert search(server, "*", "LIMIT", 0, 0) == SearchReply(2, [], [])


def test_an_index_and_its_alias(server: redis.Redis) -> None:
    assert answer(server, ft_create(["j", "ON", "HASH", "SCHEMA", "t", "TAG"])) is None
    assert sorted(answer(server, ft_list())) == ["i", "j"]
    server.execute_command("FT.ALIASADD", "a", "j")
    assert read_info(answer(server, ft_info("a"))).name == "j", "of an alias it is its index"
    assert sorted(answer(server, ft_list())) == ["i", "j"], "aliases are not listed"
    server.execute_command("FT.DROPINDEX", "j")
    assert answer(server, ft_list()) == ["i"]
