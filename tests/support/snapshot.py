"""The exact state of a database, and what differs between two of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import redis

from tests.support.replies import Command, replies

Content: TypeAlias = dict[bytes, bytes] | bytes | list[bytes] | frozenset[bytes] | list[tuple[bytes, float]]
"""Hash; string or JSON text; list; set; sorted set."""

NO_EXPIRY = -1
STATE_PREFIXES = (b"redstart:", b"redis_om:")
"""Where migrations keep their own state: not the user's data."""

SCAN_KEYS = 2_000
EXCERPT_BYTES = 40

READERS: dict[bytes, tuple[str, tuple[str, ...]]] = {
    b"hash": ("HGETALL", ()),
    b"ReJSON-RL": ("JSON.GET", ()),
    b"string": ("GET", ()),
    b"list": ("LRANGE", ("0", "-1")),
    b"set": ("SMEMBERS", ()),
    b"zset": ("ZRANGE", ("0", "-1", "WITHSCORES")),
}
"""By type, the command that reads a key, and what follows the key in it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: its type, its content undecoded, and when it and its fields expire (ms since 1970)."""

    type: bytes
    content: Content
    expires_at_milliseconds: int
    field_expiries: dict[bytes, int] = field(default_factory=dict)


Snapshot: TypeAlias = dict[bytes, Entry]


def snapshot(client: redis.Redis, *, exclude_prefixes: Sequence[bytes] = ()) -> Snapshot:
    """Every key of the database, as it is now. Keys that expire meanwhile are left out.

    Args:
        client: any; its decoding does not matter.
        exclude_prefixes: keys to leave out, as `STATE_PREFIXES`.

    Raises:
        ValueError: a key of a type that is not compared yet; its name is in the message.
    """
    has_field_expiries = replies(client, [("COMMAND", "INFO", "HPEXPIRETIME")])[0] not in ([None], [])
    entries: Snapshot = {}
    for keys in _scan(client):
        entries |= _read(client, [key for key in keys if not key.startswith(tuple(exclude_prefixes))])
    if has_field_expiries:
        _add_field_expiries(client, entries)
    return entries


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """One line for each key, field or expiry that is not the same; empty if the two are equal."""
    lines: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        name = _show(key)
        if key not in after:
            lines.append(f"{name}: is missing")
        elif key not in before:
            lines.append(f"{name}: is new")
        else:
            lines += [f"{name}: {line}" for line in _entry_difference(before[key], after[key])]
    return lines


def _scan(client: redis.Redis) -> Iterator[list[bytes]]:
    cursor = b"0"
    while True:
        cursor, keys = _checked(replies(client, [("SCAN", cursor, "COUNT", SCAN_KEYS)])[0])
        yield keys
        if cursor == b"0":
            return


def _read(client: redis.Redis, keys: list[bytes]) -> Snapshot:
    headers = replies(client, [command for key in keys for command in (("TYPE", key), ("PEXPIRETIME", key))])
    commands: dict[bytes, Command] = {}
    for key, type_ in zip(keys, headers[::2], strict=True):
        if type_ == b"none":
            continue
        if type_ not in READERS:
            raise ValueError(f"{_show(key)}: a snapshot cannot read the type {_show(type_)}")
        name, more = READERS[type_]
        commands[key] = (name, key, *more)
    contents = dict(zip(commands, replies(client, list(commands.values())), strict=True))
    return {
        key: Entry(type_, _content(type_, _checked(contents[key])), _checked(expires_at))
        for key, type_, expires_at in zip(keys, headers[::2], headers[1::2], strict=True)
        if contents.get(key) is not None
    }


def _add_field_expiries(client: redis.Redis, entries: Snapshot) -> None:
    hashes = {key: list(entry.content) for key, entry in entries.items() if isinstance(entry.content, dict)}
    commands: list[Command] = [
        ("HPEXPIRETIME", key, "FIELDS", len(names), *names) for key, names in hashes.items()
    ]
    for (key, names), reply in zip(hashes.items(), replies(client, commands), strict=True):
        for name, at_milliseconds in zip(names, _checked(reply) or (), strict=False):
            if at_milliseconds >= 0:
                entries[key].field_expiries[name] = at_milliseconds


def _checked(reply: Any) -> Any:
    if isinstance(reply, redis.ResponseError):
        raise reply
    return reply


def _content(type_: bytes, reply: Any) -> Content:
    """The reply in one form, whichever protocol the client speaks."""
    if type_ == b"hash" and isinstance(reply, list):
        return dict(zip(reply[::2], reply[1::2], strict=True))
    if type_ == b"set":
        return frozenset(reply)
    if type_ == b"zset":
        pairs = zip(reply[::2], reply[1::2], strict=True) if reply and isinstance(reply[0], bytes) else reply
        return [(member, float(score)) for member, score in pairs]
    content: Content = reply
    return content


def _entry_difference(before: Entry, after: Entry) -> Iterator[str]:
    if before.type != after.type:
        yield f"was a {_show(before.type)}, is a {_show(after.type)}"
        return
    if isinstance(before.content, dict) and isinstance(after.content, dict):
        yield from _field_difference(before.content, after.content, "")
    elif before.content != after.content:
        yield _content_difference(before.content, after.content)
    if before.expires_at_milliseconds != after.expires_at_milliseconds:
        yield (
            f"expired at {_moment(before.expires_at_milliseconds)}, "
            f"expires at {_moment(after.expires_at_milliseconds)}"
        )
    yield from _field_difference(before.field_expiries, after.field_expiries, "expiry of ")


def _field_difference(before: dict[bytes, Any], after: dict[bytes, Any], what: str) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{what}field {_show(name)} is missing, was {_show(before[name])}"
        elif name not in before:
            yield f"{what}field {_show(name)} is new: {_show(after[name])}"
        elif before[name] != after[name]:
            yield f"{what}field {_show(name)} was {_show(before[name])}, is {_show(after[name])}"


def _content_difference(before: Content, after: Content) -> str:
    if not isinstance(before, bytes) or not isinstance(after, bytes):
        return f"was {before!r}, is {after!r}"
    shared = min(len(before), len(after))
    at = next((index for index in range(shared) if before[index] != after[index]), shared)
    window = slice(max(0, at - EXCERPT_BYTES), at + EXCERPT_BYTES)
    return f"differs at byte {at}: was {_show(before[window])}, is {_show(after[window])}"


def _moment(milliseconds: int) -> str:
    return "no time" if milliseconds == NO_EXPIRY else f"{milliseconds} ms"


def _show(value: object) -> str:
    """Bytes as people read them if they are text, and unmistakable if not."""
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return repr(value)
        return text if text.isprintable() and text else repr(text)
    return str(value)
