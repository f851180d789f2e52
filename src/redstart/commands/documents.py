"""Reading many documents in one round trip: hashes by field, RedisJSON values by path."""

from collections.abc import Sequence
from typing import Any

from redstart.commands.packing import KeyedCommand
from redstart.commands.replies import items, optional_bytes
from redstart.effects import Batch, Call


def hmget_command(fields: Sequence[str]) -> KeyedCommand:
    """`HMGET key field...`: a list of bytes or None per field."""
    return KeyedCommand("HMGET", fields)


def json_get_command(paths: Sequence[str]) -> KeyedCommand:
    """`JSON.GET key path...`.

    The reply is None for a missing key; for one path the JSON list of its matches; for several a JSON object
    from path to such a list, in any order.
    """
    return KeyedCommand("JSON.GET", paths)


def json_memory_batch(keys: Sequence[bytes]) -> Batch[list[Any]]:
    """`JSON.DEBUG MEMORY` of each key: bytes in memory, 0 when missing, a CommandFailed for another type."""
    return Batch([("JSON.DEBUG", "MEMORY", key) for key in keys], list)


def json_get(key: bytes, *paths: str) -> Call[bytes | None]:
    """The text of a document, whole without paths."""
    return Call(("JSON.GET", key, *paths), optional_bytes)


def json_get_batch(key: bytes, paths: Sequence[str]) -> Batch[list[Any]]:
    """One `JSON.GET` for each path of one document, in order: each a JSON list of matches, or None."""
    return Batch([("JSON.GET", key, path) for path in paths], list)


def json_array_length(key: bytes, path: str) -> Call[list[Any]]:
    """`JSON.ARRLEN` for each match of a path; None for a match that is not a list."""
    return Call(("JSON.ARRLEN", key, path), items)


def json_object_keys(key: bytes, path: str) -> Call[list[Any]]:
    """`JSON.OBJKEYS` for each match of a path; None for a match that is not an object."""
    return Call(("JSON.OBJKEYS", key, path), items)
