"""Commands on keys, and on strings, hashes, sets and streams."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redstart.commands.resp import integer, mapping, optional_bytes
from redstart.effects import Argument, Call


def scan(cursor: int, *, match: bytes | None = None, count: int) -> Call[tuple[int, list[bytes]]]:
    """One step over the keyspace: the next cursor (0 = done) and some keys, possibly seen before."""
    words: tuple[Argument, ...] = ("SCAN", cursor, "COUNT", count)
    return Call(words if match is None else (*words, "MATCH", match), _cursor_and_keys)


def scan_type(
    cursor: int, *, prefix: str, suffix: str = "", kind: bytes, count: int
) -> Call[tuple[int, list[bytes]]]:
    """Scan the keys with a prefix and a suffix that have a type: `hash` or `ReJSON-RL`."""
    words = scan_all(cursor, prefix=prefix, suffix=suffix, count=count).args
    return Call((*words, "TYPE", kind), _cursor_and_keys)


def scan_all(cursor: int, *, prefix: str, suffix: str = "", count: int) -> Call[tuple[int, list[bytes]]]:
    """Scan the keys with a prefix and a suffix."""
    match = f"{_literal(prefix)}*{_literal(suffix)}".encode(errors="surrogateescape")
    return scan(cursor, match=match, count=count)


def key_type(key: bytes) -> Call[bytes]:
    """Return the type of a key: `hash`, `ReJSON-RL`, `none` when missing."""
    return Call(("TYPE", key), lambda reply: reply if isinstance(reply, bytes) else str(reply).encode())


def delete(*keys: str | bytes) -> Call[int]:
    """Return how many keys were removed. Repeated after a lost reply, it returns 0 for keys that it removed before."""
    return Call(("DEL", *keys), integer)


def exists(keys: Sequence[str]) -> Call[int]:
    """Return how many of some keys exist."""
    return Call(("EXISTS", *keys), integer)


def expire(key: str, seconds: int) -> Call[bool]:
    """Set the expiry of a key, in seconds. Return whether the key exists."""
    return Call(("EXPIRE", key, seconds), bool)


def get(key: str) -> Call[bytes | None]:
    """Return a string key's bytes."""
    return Call(("GET", key), optional_bytes)


def hgetall(key: str | bytes) -> Call[dict[bytes, bytes]]:
    """Return all fields of a hash; empty when the key is missing."""
    return Call(("HGETALL", key), mapping)


def sismember(key: str, member: str) -> Call[bool]:
    """Return whether a set contains a member."""
    return Call(("SISMEMBER", key, member), bool)


def smismember(key: str, members: Sequence[bytes]) -> Call[list[bool]]:
    """Return, for each member, whether a set contains it."""
    return Call(("SMISMEMBER", key, *members), lambda reply: [bool(item) for item in reply])


def smembers(key: str) -> Call[set[bytes]]:
    """Return all members of a set; none when it is missing."""
    return Call(("SMEMBERS", key), set)


def sadd(key: str, member: str) -> Call[int]:
    """Return how many members were added: 1, or 0 if the set already contains it."""
    return Call(("SADD", key, member), integer)


def srem(key: str, member: str) -> Call[int]:
    """Return how many members were removed: 1, or 0 if the set does not contain it."""
    return Call(("SREM", key, member), integer)


def scard(key: str) -> Call[int]:
    """Return the number of members of a set."""
    return Call(("SCARD", key), integer)


def hlen(key: str) -> Call[int]:
    """Return the number of fields of a hash."""
    return Call(("HLEN", key), integer)


def hmget(key: str | bytes, fields: Sequence[bytes | str]) -> Call[list[bytes | None]]:
    """Return some fields of a hash, None for each that is missing."""
    return Call(("HMGET", key, *fields), list)


def hscan(key: str, cursor: int, *, count: int) -> Call[tuple[int, dict[bytes, bytes]]]:
    """One step over a hash: the next cursor (0 = done) and some fields."""

    def parse(reply: Any) -> tuple[int, dict[bytes, bytes]]:
        return int(reply[0]), mapping(reply[1])

    return Call(("HSCAN", key, cursor, "COUNT", count), parse)


def _literal(text: str) -> str:
    """Return a pattern that matches only this text."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", text)


def _cursor_and_keys(reply: Any) -> tuple[int, list[bytes]]:
    return int(reply[0]), list(reply[1])


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry: its id as `milliseconds-sequence`, and its fields."""

    id: str
    fields: dict[bytes, bytes]


def xrevrange(key: str, *, before: str | None, count: int) -> Call[list[StreamEntry]]:
    """Entries from the newest to the oldest, those older than `before` (an id) when given."""
    end = "+" if before is None else f"({before}"
    return Call(("XREVRANGE", key, end, "-", "COUNT", count), _entries)


def xlen(key: str) -> Call[int]:
    """Return the number of entries."""
    return Call(("XLEN", key), integer)


def _entries(reply: Any) -> list[StreamEntry]:
    return [StreamEntry(entry[0].decode(), mapping(entry[1])) for entry in reply]
