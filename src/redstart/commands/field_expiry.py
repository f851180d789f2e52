"""Expiry of hash fields, in Redis 7.4 and Valkey 9. https://redis.io/docs/latest/commands/hexpire/"""

from typing import Any

from redstart.effects import Argument, Call


def hexpire(key: str, field: bytes, seconds: int, condition: str | None = None) -> Call[int]:
    """Have a field go after some seconds.

    Args:
        condition: `NX`, `XX`, `GT` or `LT`.

    Returns:
        1 done; 0 the condition does not hold; 2 deleted at once, for the time is over; -2 no such field.
    """
    words: tuple[Argument, ...] = ("HEXPIRE", key, seconds)
    if condition is not None:
        words = (*words, condition)
    # Sent again, a condition may not hold any more, for the first time made it so.
    return Call((*words, "FIELDS", 1, field), _of_one_field, repeatable=condition is None)


def httl(key: str, field: bytes) -> Call[int]:
    """Return the seconds a field has left; -1 without such a time, -2 without such a field."""
    return Call(("HTTL", key, "FIELDS", 1, field), _of_one_field)


def hpersist(key: str, field: bytes) -> Call[int]:
    """Have a field stay: 1 done; -1 it stays anyway; -2 no such field. Repeated after a lost answer: -1."""
    return Call(("HPERSIST", key, "FIELDS", 1, field), _of_one_field)


def _of_one_field(reply: Any) -> int:
    return int(reply[0])
