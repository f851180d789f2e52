"""Reading an append-only stream."""

from dataclasses import dataclass
from typing import Any

from redstart.commands.resp import integer, mapping
from redstart.effects import Call


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
