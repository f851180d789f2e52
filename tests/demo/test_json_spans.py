"""Spans are where the values are, in any JSON text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.demo.checker import text_without, value_spans
from redstart.demo.slots import Location

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def value_at(value: Any, location: Location) -> Any:
    for step in location:
        value = value[step]
    return value


@given(VALUES, st.booleans())
def test_every_span_holds_the_value_of_its_location(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
    spans = value_spans(text)
    for location, (start, end) in spans.items():
        assert json.loads(text[start:end]) == value_at(value, location)
    assert spans[()] == (0, len(text))
    assert len(spans) == count(value)


def count(value: Any) -> int:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(count(item) for item in items)


def test_the_last_of_a_repeated_member() -> None:
    text = '{"a":1,"a":22}'
    assert value_spans(text)["a",] == (11, 13)
    assert text_without(text, value_spans(text), [("a",)]) == '{"a":1,"a":\0}'


def test_a_text_without_some_values() -> None:
    text = '{"at":"x","list":[1.0,{"$date":1}],"keep":1.50}'
    locations: list[Location] = [("list", 1), ("at",), ("nowhere",), ("list", 9)]
    assert text_without(text, value_spans(text), locations) == '{"at":\0,"list":[1.0,\0],"keep":1.50}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[",
        '{"a"}',
        '{"a":}',
        "{1:2}",
        "[1",
        "[1,]",
        '{"a":1,}',
        "[1}",
        "1 ",
        '{"a": 1}',
        "[1, 2]",
        "nope",
    ],
)
def test_invalid_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting"):
        value_spans(text)
