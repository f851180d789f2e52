"""Commands on keys, each against what redis-py says of the same data."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from redstart.commands import keyspace
from redstart.effects import Call
from redstart.errors import CommandError

Ask = Callable[[Call[Any]], Any]

BINARY = bytes(range(256))


def test_scan_meets_every_key(ask: Ask, client: redis.Redis) -> None:
    keys = {b"k:%d" % number for number in range(500)} | {b"k:" + BINARY, b"other"}
    client.mset(dict.fromkeys(keys, "x"))

    assert _scanned(ask, None) == keys
    assert _scanned(ask, b"k:*") == keys - {b"other"}
    assert _scanned(ask, b"nothing*") == set()


def _scanned(ask: Ask, match: bytes | None) -> set[bytes]:
    found: set[bytes] = set()
    cursor = None
    while cursor != 0:
        cursor, keys = ask(keyspace.scan(cursor or 0, match=match, count=50))
        found.update(keys)
    return found


def test_get(ask: Ask, client: redis.Redis) -> None:
    client.set("a", BINARY)
    client.set("empty", b"")
    assert [ask(keyspace.get(key)) for key in ("a", "empty", "none")] == [BINARY, b"", None]


@pytest.mark.parametrize(
    "fields", [{}, {b"one": b"1"}, {BINARY: b"", b"": BINARY}, {b"%d" % n: b"x" for n in range(999)}]
)
def test_hgetall(ask: Ask, client: redis.Redis, fields: dict[bytes, bytes]) -> None:
    if fields:
        client.hset("h", mapping=fields)
    assert ask(keyspace.hgetall("h")) == fields
    assert ask(keyspace.hgetall(b"h")) == fields


def test_hmget(ask: Ask, client: redis.Redis) -> None:
    client.hset("h", mapping={b"a": BINARY, b"empty": b""})
    assert ask(keyspace.hmget("h", ["a", b"none", "empty"])) == [BINARY, None, b""]
    assert ask(keyspace.hmget("missing", ["a"])) == [None]


def test_hscan_meets_every_field(ask: Ask, client: redis.Redis) -> None:
    fields = {b"field %d" % number: b"%d" % number for number in range(2_000)} | {BINARY: BINARY}
    client.hset("h", mapping=fields)
    found: dict[bytes, bytes] = {}
    cursor = None
    while cursor != 0:
        cursor, page = ask(keyspace.hscan("h", cursor or 0, count=100))
        found |= page
    assert found == fields
    assert ask(keyspace.hscan("missing", 0, count=10)) == (0, {})


def test_sets(ask: Ask, client: redis.Redis) -> None:
    client.sadd("s", b"a", BINARY)
    assert ask(keyspace.scard("s")) == 2
    assert ask(keyspace.smismember("s", [BINARY, b"b", b"a"])) == [True, False, True]
    assert ask(keyspace.smismember("missing", [b"a"])) == [False]
    assert ask(keyspace.sismember("s", "a")) is True
    assert ask(keyspace.sismember("s", "b")) is False
    assert ask(keyspace.smembers("s")) == {b"a", BINARY}
    assert ask(keyspace.smembers("missing")) == set()


def test_members_come_and_go(ask: Ask, client: redis.Redis) -> None:
    assert [ask(keyspace.sadd("s", "é")), ask(keyspace.sadd("s", "é"))] == [1, 0]
    assert client.smembers("s") == {"é".encode()}
    assert [ask(keyspace.srem("s", "é")), ask(keyspace.srem("s", "é"))] == [1, 0]
    assert not client.exists("s")


def test_counting_fields(ask: Ask, client: redis.Redis) -> None:
    client.hset("h", mapping={"x": 1, "y": 2})
    assert ask(keyspace.hlen("h")) == 2
    assert ask(keyspace.hlen("missing")) == 0


def test_the_wrong_type(ask: Ask, client: redis.Redis) -> None:
    client.set("text", "x")
    with pytest.raises(CommandError) as caught:
        ask(keyspace.hgetall("text"))
    assert caught.value.code == "WRONGTYPE"


def test_delete(ask: Ask, client: redis.Redis) -> None:
    client.set("a", "b")
    assert (ask(keyspace.delete("a")), ask(keyspace.delete("a"))) == (1, 0)
