"""The exact state of a database: the bytes of every key, its expiry, and that of its fields."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from redstart.commands.keyspace import scan
from redstart.commands.server_info import command_known
from redstart.effects import Argument, Batch, Op, batch, call
from redstart.errors import CommandError

Content: TypeAlias = dict[bytes, bytes] | bytes | list[bytes] | frozenset[bytes] | list[tuple[bytes, float]]
"""Hash; string or JSON text; list; set; sorted set."""

STATE_PREFIXES = (b"redstart:", b"redis_om:")
"""Prefixes of the state of migrations, which is not the user's data."""

NO_EXPIRY = -1
SCAN_KEYS = 2_000

READERS: dict[bytes, tuple[str, tuple[str, ...]]] = {
    b"hash": ("HGETALL", ()),
    b"ReJSON-RL": ("JSON.GET", ()),
    b"string": ("GET", ()),
    b"list": ("LRANGE", ("0", "-1")),
    b"set": ("SMEMBERS", ()),
    b"zset": ("ZRANGE", ("0", "-1", "WITHSCORES")),
}
"""By type, the command that reads a key, and its arguments after the key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: its type, its undecoded content, and the expiry of key and fields (ms since 1970)."""

    type: bytes
    content: Content
    expires_at_milliseconds: int
    field_expiries: dict[bytes, int] = field(default_factory=dict)


Snapshot: TypeAlias = dict[bytes, Entry]


def read_snapshot(exclude_prefixes: Sequence[bytes] = ()) -> Op[Snapshot]:
    """Return every key of the database. Keys that expire during the read are omitted.

    Args:
        exclude_prefixes: prefixes of keys to omit, such as `STATE_PREFIXES`.

    Raises:
        ValueError: a key has a type without a reader.
        CommandError: the server rejected a command.

    Effects: reads only; four round trips for some 2,000 keys.
    """
    has_field_expiries = yield from call(command_known("HPEXPIRETIME"))
    entries: Snapshot = {}
    cursor = 0
    while True:
        cursor, keys = yield from call(scan(cursor, count=SCAN_KEYS))
        wanted = [key for key in keys if not key.startswith(tuple(exclude_prefixes))]
        page = yield from _read(wanted)
        if has_field_expiries:
            yield from _add_field_expiries(page)
        entries |= page
        if cursor == 0:
            return entries


def _read(keys: Sequence[bytes]) -> Op[Snapshot]:
    types = yield from _replies([("TYPE", key) for key in keys])
    expiries = yield from _replies([("PEXPIRETIME", key) for key in keys])
    present = [found for found in zip(keys, types, expiries, strict=True) if found[1] != b"none"]
    contents = yield from _replies([_reader(key, type_) for key, type_, _ in present])
    return {
        key: Entry(type_, _content(type_, content), expires_at)
        for (key, type_, expires_at), content in zip(present, contents, strict=True)
        if content is not None
    }


def _reader(key: bytes, type_: bytes) -> tuple[Argument, ...]:
    if type_ not in READERS:
        raise ValueError(
            f"{key.decode(errors='backslashreplace')}: a snapshot cannot read the type {type_.decode()}"
        )
    name, more = READERS[type_]
    return (name, key, *more)


def _add_field_expiries(entries: Snapshot) -> Op[None]:
    hashes = {key: list(entry.content) for key, entry in entries.items() if isinstance(entry.content, dict)}
    replies = yield from _replies(
        [("HPEXPIRETIME", key, "FIELDS", len(names), *names) for key, names in hashes.items()]
    )
    for (key, names), reply in zip(hashes.items(), replies, strict=True):
        for name, at_milliseconds in zip(names, reply or (), strict=False):
            if at_milliseconds >= 0:
                entries[key].field_expiries[name] = at_milliseconds


def _replies(commands: Sequence[tuple[Argument, ...]]) -> Op[list[Any]]:
    """Send commands in one round trip and return the replies. Raises the first CommandError among them."""
    replies: list[Any] = (yield from batch(Batch(commands, list))) if commands else []
    _raise_first_error(replies)
    return replies


def _raise_first_error(replies: Iterable[Any]) -> None:
    for reply in replies:
        if isinstance(reply, CommandError):
            raise reply


def _content(type_: bytes, reply: Any) -> Content:
    """Return the content of a reply, the same for both protocols."""
    if type_ == b"hash" and isinstance(reply, list):
        return dict(zip(reply[::2], reply[1::2], strict=True))
    if type_ == b"set":
        return frozenset(reply)
    if type_ == b"zset":
        pairs = zip(reply[::2], reply[1::2], strict=True) if reply and isinstance(reply[0], bytes) else reply
        return [(member, float(score)) for member, score in pairs]
    content: Content = reply
    return content


EXCERPT_BYTES = 40


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """Return a line for each key, field or expiry that differs."""
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
    """Return printable text as it is, and other bytes as Python writes them."""
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return repr(value)
        return text if text.isprintable() and text else repr(text)
    return str(value)
