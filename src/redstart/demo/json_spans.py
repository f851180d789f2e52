"""Where each value stands in a JSON text, so that texts can be compared to the character.

Reading a document into Python objects would hide what a checker is for: `1.0` become `1`, members in another
order, a member that is there twice.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from redstart.demo.slots import Location

Span: TypeAlias = tuple[int, int]
"""First character, and the one after the last."""

_decode = json.JSONDecoder().raw_decode


def value_spans(text: str) -> dict[Location, Span]:
    """The span of every value in `text`, containers included; of a member that is there twice, the last.

    Args:
        text: JSON without white space between its tokens (RFC 8259), as JSON.GET gives it.

    Raises:
        ValueError: not such a text.
    """
    spans: dict[Location, Span] = {}
    if _read_value(text, 0, (), spans) != len(text):
        raise ValueError("JSON text with something after its end")
    return spans


def _read_value(text: str, start: int, location: Location, spans: dict[Location, Span]) -> int:
    """Note the value that begins at `start`, and all inside it. Returns where it ends."""
    opening = text[start : start + 1]
    if opening == "{":
        end = _read_members(text, start, location, spans)
    elif opening == "[":
        end = _read_items(text, start, location, spans)
    else:
        _, end = _decode(text, start)
    spans[location] = (start, end)
    return end


def _read_members(text: str, start: int, location: Location, spans: dict[Location, Span]) -> int:
    if text.startswith("{}", start):
        return start + 2
    end, separator = start + 1, ","
    while separator == ",":
        name, end = _decode(text, end)
        if not isinstance(name, str) or text[end : end + 1] != ":":
            raise ValueError(f"JSON text without a member's name at character {end}")
        end = _read_value(text, end + 1, (*location, name), spans)
        separator, end = text[end : end + 1], end + 1
    return _closed(separator, "}", end)


def _read_items(text: str, start: int, location: Location, spans: dict[Location, Span]) -> int:
    if text.startswith("[]", start):
        return start + 2
    end, separator, index = start + 1, ",", 0
    while separator == ",":
        end = _read_value(text, end, (*location, index), spans)
        separator, end, index = text[end : end + 1], end + 1, index + 1
    return _closed(separator, "]", end)


def _closed(separator: str, closing: str, end: int) -> int:
    if separator != closing:
        raise ValueError(f"JSON text without {closing!r} at character {end - 1}")
    return end


def text_without(text: str, spans: Mapping[Location, Span], locations: Iterable[Location]) -> str:
    """`text` with each value at `locations`, if it is there, replaced by a mark that no JSON text holds."""
    kept, position = [], 0
    for start, end in sorted(spans[location] for location in locations if location in spans):
        kept.append(text[position:start])
        position = end
    return "\0".join([*kept, text[position:]])
