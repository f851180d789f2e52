"""A snapshot notices every kind of difference, one at a time, and nothing else."""

import pytest
import redis

from tests.support.replies import replies, send
from tests.support.servers import client_with_protocol
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

EXPIRY = 4_102_444_800_123

COMMANDS: list[tuple[bytes | str | int, ...]] = [
    ("HSET", "h", "a", b"\xff\x00", "b", "2"),
    ("PEXPIREAT", "h", EXPIRY),
    ("HPEXPIREAT", "h", EXPIRY, "FIELDS", 1, "a"),
    ("JSON.SET", "j", "$", '{"x":1.0,"y":[1,2],"z":"é"}'),
    ("SET", "s", "text"),
    ("RPUSH", "l", "1", "2"),
    ("SADD", "t", "1", "2"),
    ("ZADD", "z", "1.5", "m"),
]


@pytest.fixture
def loaded(client: redis.Redis) -> redis.Redis:
    send(client, COMMANDS)
    return client


CHANGES = {
    "a byte of a hash field": (("HSET", "h", "b", "3"), "h: field b was 2, is 3"),
    "a new hash field": (("HSET", "h", "c", ""), "h: field c is new: ''"),
    "a missing hash field": (("HDEL", "h", "b"), "h: field b is missing, was 2"),
    "an expiry by 1 ms": (
        ("PEXPIREAT", "h", EXPIRY + 1),
        f"h: expired at {EXPIRY} ms, expires at {EXPIRY + 1} ms",
    ),
    "no expiry any more": (("PERSIST", "h"), f"h: expired at {EXPIRY} ms, expires at no time"),
    "a field expiry by 1 ms": (
        ("HPEXPIREAT", "h", EXPIRY - 1, "FIELDS", 1, "a"),
        f"h: expiry of field a was {EXPIRY}, is {EXPIRY - 1}",
    ),
    "a field expiry lost": (
        ("HSET", "h", "a", b"\xff\x00"),
        f"h: expiry of field a is missing, was {EXPIRY}",
    ),
    "a field expiry more": (
        ("HPEXPIREAT", "h", EXPIRY, "FIELDS", 1, "b"),
        f"h: expiry of field b is new: {EXPIRY}",
    ),
    "a number's text in JSON": (
        ("JSON.SET", "j", "$.x", "1"),
        'j: differs at byte 6: was {"x":1.0,"y":[1,2],"z":"é"}, is {"x":1,"y":[1,2],"z":"é"}',
    ),
    "the order of members in JSON": (
        ("JSON.SET", "j", "$", '{"y":[1,2],"x":1.0,"z":"é"}'),
        'j: differs at byte 2: was {"x":1.0,"y":[1,2],"z":"é"}, is {"y":[1,2],"x":1.0,"z":"é"}',
    ),
    "a missing key": (("DEL", "s"), "s: is missing"),
    "a new key": (("SET", "new", ""), "new: is new"),
    "a string": (("APPEND", "s", "!"), "s: differs at byte 4: was text, is text!"),
    "the order of a list": (("LSET", "l", "0", "9"), "l: was [b'1', b'2'], is [b'9', b'2']"),
    "a score": (("ZADD", "z", "2.5", "m"), "z: was [(b'm', 1.5)], is [(b'm', 2.5)]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_change_is_one_line(loaded: redis.Redis, change: str) -> None:
    command, line = CHANGES[change]
    before = snapshot(loaded)
    send(loaded, [command])
    assert difference(before, snapshot(loaded)) == [line]


def test_a_member_of_a_set(loaded: redis.Redis) -> None:
    before = snapshot(loaded)
    send(loaded, [("SREM", "t", "2")])
    (line,) = difference(before, snapshot(loaded))
    assert line.startswith("t: was ")


def test_a_key_of_another_type_is_one_line(loaded: redis.Redis) -> None:
    before = snapshot(loaded)
    send(loaded, [("DEL", "s"), ("RPUSH", "s", "text")])
    assert difference(before, snapshot(loaded)) == ["s: was a string, is a list"]


def test_without_changes_there_is_no_difference(loaded: redis.Redis) -> None:
    before = snapshot(loaded)
    assert set(before) == {b"h", b"j", b"s", b"l", b"t", b"z"}
    assert difference(before, snapshot(loaded)) == []


def test_bytes_come_back_undecoded(loaded: redis.Redis) -> None:
    entries = snapshot(loaded)
    assert entries[b"h"].content == {b"a": b"\xff\x00", b"b": b"2"}
    assert entries[b"h"].field_expiries == {b"a": EXPIRY}
    assert entries[b"j"].content == '{"x":1.0,"y":[1,2],"z":"é"}'.encode()


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_client_does_not_matter(loaded: redis.Redis, url: str, protocol: int) -> None:
    with client_with_protocol(url, protocol, decode_responses=True) as other:
        assert difference(snapshot(loaded), snapshot(other)) == []


def test_state_of_migrations_can_be_left_out(loaded: redis.Redis) -> None:
    before = snapshot(loaded)
    send(loaded, [("SET", "redstart:x:lease", "1"), ("SADD", "redis_om:applied_migrations", "x")])
    assert difference(before, snapshot(loaded, exclude_prefixes=STATE_PREFIXES)) == []
    assert len(difference(before, snapshot(loaded))) == 2


def test_more_keys_than_one_scan_reads(client: redis.Redis) -> None:
    commands: list[tuple[bytes | str | int, ...]] = [
        ("HSET", f"k{number}", "f", number) for number in range(5_000)
    ]
    send(client, commands)
    before = snapshot(client)
    assert len(before) == 5_000
    send(client, [("HSET", "k4321", "f", "x"), ("DEL", "k17")])
    assert difference(before, snapshot(client)) == ["k17: is missing", "k4321: field f was 4321, is x"]


def test_a_type_it_cannot_read_is_an_error(client: redis.Redis) -> None:
    send(client, [("XADD", "stream", "*", "a", "1")])
    with pytest.raises(ValueError, match="stream: a snapshot cannot read the type stream"):
        snapshot(client)


def test_replies_hold_errors_and_send_raises_them(client: redis.Redis) -> None:
    commands: list[tuple[bytes | str | int, ...]] = [("SET", "s", "1"), ("HGETALL", "s"), ("GET", "s")]
    ok, error, value = replies(client, commands)
    assert (ok, value) == (b"OK", b"1")
    assert isinstance(error, redis.ResponseError)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        send(client, commands)
