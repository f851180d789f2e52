"""Locate each value in a JSON text, so that texts can be compared to the character.

A comparison of Python objects would not show that `1.0` became `1`, that members are in another order, or that a
member occurs twice.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from redstart.demo.slots import Location

Span: TypeAlias = tuple[int, int]
"""The first character, and the one after the last."""

_decode = json.JSONDecoder().raw_decode


def value_spans(text: str) -> dict[Location, Span]:
    """Return the span of every value in `text`, containers included; of a repeated member, the last.

    Args:
        text: JSON without white space between its tokens (RFC 8259), as JSON.GET returns it.

    Raises:
        ValueError: the text is not such JSON.
    """
    spans: dict[Location, Span] = {}
    if _read_value(text, 0, (), spans) != len(text):
        raise ValueError("JSON text with extra data after its end")
    return spans


def _read_value(text: str, start: int, location: Location, spans: dict[Location, Span]) -> int:
    """Add the span of the value at `start` and of all values inside. Return its end."""
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
            raise ValueError(f"JSON text without a member name at character {end}")
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
    """Return `text` with each existing value at `locations` replaced by a character that JSON does not allow."""
    kept, position = [], 0
    for start, end in sorted(spans[location] for location in locations if location in spans):
        kept.append(text[position:start])
        position = end
    return "\0".join([*kept, text[position:]])
