"""Commands of documents: hash fields, their expiry, and JSON paths; single, or packed for many keys."""

from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Any, Final

from redstart.commands.resp import KeyedCommand, integer, items, optional_bytes, raw
from redstart.effects import Argument, Call

NO_SUCH_FIELD: Final = -2
"""The reply of the commands for the expiry of a hash field that does not exist."""


class Condition(Enum):
    """A condition for a key; the value is the argument of commands and scripts."""

    NONE = ""
    NX = "NX"
    """The key does not exist."""
    XX = "XX"
    """The key exists."""

    @property
    def is_repeatable(self) -> bool:
        """Return whether a write may be sent again after a lost reply.

        With NX, the first success makes the second attempt fail.
        """
        return self is not Condition.NX


def hmget_command(fields: Sequence[str | bytes]) -> KeyedCommand:
    """`HMGET key field...`: a list of bytes or None per field."""
    return KeyedCommand("HMGET", fields)


def json_get_command(paths: Sequence[str]) -> KeyedCommand:
    """`JSON.GET key path...`.

    The reply is None for a missing key; for the path `.` the document; for one path with `$` the JSON list of its
    matches; for several a JSON object from path to such a list, in any order.
    """
    return KeyedCommand("JSON.GET", paths)


def hgetall_command() -> KeyedCommand:
    """`HGETALL key`: all fields of a hash, for `redstart.commands.resp.mapping`; empty when the key is missing."""
    return KeyedCommand("HGETALL", ())


def hsetex_new(key: str, fields: Mapping[bytes, bytes]) -> Call[Any]:
    """`HSETEX key FNX`: set fields if the hash has none of them: 1, or 0. Redis 8 and Valkey 9 have it."""
    return Call(("HSETEX", key, "FNX", "FIELDS", len(fields), *chain.from_iterable(fields.items())), raw)


def json_set(key: str, text: bytes, condition: Condition = Condition.NONE) -> Call[Any]:
    """Write a whole document; the reply is nil if the condition is not met. The expiry of the key stays."""
    words: tuple[Argument, ...] = ("JSON.SET", key, "$", text)
    if condition is Condition.NONE:
        return Call(words, raw)
    return Call((*words, condition.value), raw, repeatable=condition.is_repeatable)


def json_memory(key: bytes) -> Call[int]:
    """`JSON.DEBUG MEMORY`: bytes in memory, 0 when the key is missing."""
    return Call(("JSON.DEBUG", "MEMORY", key), integer)


def hget(key: bytes, field: str) -> Call[bytes | None]:
    """One field of a hash."""
    return Call(("HGET", key, field), optional_bytes)


def json_get(key: bytes, *paths: str) -> Call[bytes | None]:
    """Return the text of a document, whole without paths."""
    return Call(("JSON.GET", key, *paths), optional_bytes)


def json_array_length(key: bytes, path: str) -> Call[list[Any]]:
    """`JSON.ARRLEN` for each match of a path; None for a match that is not a list."""
    return Call(("JSON.ARRLEN", key, path), items)


def json_object_keys(key: bytes, path: str) -> Call[list[Any]]:
    """`JSON.OBJKEYS` for each match of a path; None for a match that is not an object."""
    return Call(("JSON.OBJKEYS", key, path), items)


def hexpire(key: str, names: Sequence[bytes], seconds: int, condition: str | None = None) -> Call[int]:
    """Set the expiry of a field, in seconds.

    Args:
        names: the names under which it is stored. The reply is that for the first one that exists.
        condition: `NX`, `XX`, `GT` or `LT`.

    Returns:
        1: done; 0: the condition is not met; 2: deleted immediately, because the time is over; -2: no such field.
    """
    words: tuple[Argument, ...] = ("HEXPIRE", key, seconds)
    if condition is not None:
        words = (*words, condition)
    # After a repetition, the condition may no longer be met because of the first attempt.
    return Call((*words, "FIELDS", len(names), *names), _of_one_field, repeatable=condition is None)


def httl(key: str, names: Sequence[bytes]) -> Call[int]:
    """Return the seconds until a field expires; -1 without an expiry, -2 without such a field.

    Names as in `hexpire`.
    """
    return Call(("HTTL", key, "FIELDS", len(names), *names), _of_one_field)


def hpersist(key: str, names: Sequence[bytes]) -> Call[int]:
    """Remove the expiry of a field. 1: done; -1: it has none; -2: no such field. Repeated after a lost reply: -1.

    Names as in `hexpire`.
    """
    return Call(("HPERSIST", key, "FIELDS", len(names), *names), _of_one_field)


def _of_one_field(reply: Any) -> int:
    return next((int(one) for one in reply if int(one) != NO_SUCH_FIELD), NO_SUCH_FIELD)
