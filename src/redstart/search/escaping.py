"""Python values as operands of a query: numbers, text in its stored format, and escaped tags."""

import math
import re
import string
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import index
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from redstart.errors import ValueConversionError
from redstart.search.expressions import Expression, FieldExpression
from redstart.search.query_errors import cannot_find, wrong_operand
from redstart.search.query_field import Operand, QueryField, Where
from redstart.values.lossless_json import SAFE_LENGTH, kept
from redstart.values.stored_text import BOOLEAN_TEXTS, bytes_text, iso_text, reason_against_digits, span_text
from redstart.values.timestamps import (
    EPOCH_ORDINAL,
    MICROSECOND,
    MICROSECONDS_PER_DAY,
    NO_FLOAT,
    NUMBER,
    microseconds_of,
    number_text,
    side_of,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, has_text

PLAIN_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
TEMPORAL: Final[dict[str, type[date]]] = {"datetime": datetime, "date": date}
"""The types of fields with dates, by their name in messages."""
INFINITIES: Final = ("inf", "-inf")
NOT_VALUES: Final = (FieldExpression, Expression, type, slice, BaseModel)


class Number(NamedTuple):
    """A number for the index, which stores floats.

    Args:
        word: its text, which the server accepts in every dialect.
        side: 0 if it is the requested value; 1 if it is the nearest date or timedelta above a value that no float
            represents; -1 if it is the nearest one below.
    """

    word: str
    side: int = 0


def number_word(field: QueryField, value: Any, zone: NaiveTimezone) -> str:
    """Return a number that is equal to a value. Raises QuerySyntaxError, QueryNotSupportedError."""
    number = nearest_number(field, value, zone)
    if number.side != 0:
        raise cannot_find(
            field,
            value,
            f"a NUMERIC field stores floats, and {NO_FLOAT}",
            "Compare with whole seconds, or query a range with < and >.",
        )
    return number.word


def nearest_number(field: QueryField, value: Any, zone: NaiveTimezone) -> Number:
    """Return the number of a value, or of the nearest date or timedelta. Raises QuerySyntaxError for anything else."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, datetime):
        return _nearest(field, _microseconds(field, value, zone))
    if isinstance(value, date):
        return _nearest(field, (value.toordinal() - EPOCH_ORDINAL) * MICROSECONDS_PER_DAY)
    if isinstance(value, timedelta):
        return _nearest(field, value // MICROSECOND)
    return Number(_word(field, value))


def _nearest(field: QueryField, microseconds: int) -> Number:
    word = _kept(field, number_text(microseconds))
    return Number(word, side_of(float(word), microseconds))


def _word(field: QueryField, value: Any) -> str:
    text = _number_text(value)
    if text is None and isinstance(value, float | Decimal):
        raise wrong_operand(field, value, "a number (NaN is not equal to any), or None for missing values")
    if text is None:
        raise wrong_operand(field, value, _expected_number(field, value))
    if text in INFINITIES:
        return text
    # The index stores the digits of a float.
    reason = None if isinstance(value, float) else reason_against_digits(text)
    if reason is not None:
        raise cannot_find(field, value, reason)
    return _kept(field, text if PLAIN_NUMBER.fullmatch(text) else _plain_text(value, text))


def _expected_number(field: QueryField, value: Any) -> str:
    """Return the alternative to a value that is not a number."""
    kind = TEMPORAL.get(field.type_name)
    if kind is None:
        return "a number"
    try:
        _ = kind.fromisoformat(value)
    except (TypeError, ValueError):
        return f"a {field.type_name}"
    return f"a {field.type_name}, for example {field.type_name}.fromisoformat({value!r})"


def _number_text(value: Any) -> str | None:
    """Return the text of a number of any class; `inf` and `-inf`; None for anything else."""
    if isinstance(value, str):
        return str.__str__(value) if NUMBER.fullmatch(value) else None
    if isinstance(value, float):
        return None if math.isnan(value) else float.__repr__(value)
    if isinstance(value, Decimal):
        if value.is_nan():
            return None
        return Decimal.__str__(value) if value.is_finite() else ("-inf" if value < 0 else "inf")
    try:
        return int.__repr__(index(value))
    except TypeError:
        return None


def _plain_text(value: Any, text: str) -> str:
    # Dialect 1 accepts 1e-07 but not 1e+22.
    return text.replace("e+", "e") if isinstance(value, float) else format(Decimal(text), "f")


def _kept(field: QueryField, text: str) -> str:
    """Return the number as it is stored in documents."""
    if field.storage is Storage.HASH or len(text) <= SAFE_LENGTH or text.lstrip("-").isdecimal():
        return text
    number = float(text)
    near = kept(number)
    return text if near == number else repr(near).replace("e+", "e")


def _microseconds(field: QueryField, value: datetime, zone: NaiveTimezone) -> int:
    try:
        aware = value.utcoffset() is not None
        return microseconds_of(value) if aware else zone.microseconds(value)
    except ValueConversionError as error:
        raise wrong_operand(field, value, f"a datetime with an offset ({error.reason})") from error


def stored_text(field: QueryField, value: Any) -> str:
    """Return the text under which a value is stored, for fields that are indexed as tags.

    Raises:
        QuerySyntaxError: the value does not have the type of the field.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        text = value
    elif field.is_list and isinstance(value, list | tuple | set | frozenset | dict):
        raise wrong_operand(field, value, "one str; << finds any of several")
    elif field.operand is Operand.TEXT and isinstance(value, int | float | date | list | tuple | set | dict):
        raise wrong_operand(field, value, "a str, or use << with a list of values")
    elif value is None or isinstance(value, list | tuple | set | frozenset | dict):
        raise wrong_operand(field, value, "one value, or use << with a list of values")
    elif isinstance(value, NOT_VALUES) or not has_text(value):
        raise wrong_operand(field, value, "a value of the type of the field")
    else:
        text = _text_of(value)
    return encodable(field, text)


def encodable(field: QueryField, text: str) -> str:
    """Return the text as a plain str. Raises QuerySyntaxError if it cannot be sent."""
    try:
        return text.encode().decode()
    except UnicodeEncodeError as error:
        raise wrong_operand(
            field, text, "text that can be encoded as UTF-8 (it contains a lone surrogate)"
        ) from error


def _text_of(value: Any) -> str:
    if isinstance(value, bytes):
        return bytes_text(value)
    if isinstance(value, timedelta):
        return span_text(value)
    return iso_text(value) if isinstance(value, time | date) else str(value)


def boolean_word(field: QueryField, value: Any) -> str:
    """Return true or false as stored in the index. `1` and `0` are booleans, too, as in Python."""
    if not isinstance(value, int) or value not in (0, 1):
        raise wrong_operand(field, value, "True or False")
    return BOOLEAN_TEXTS[bool(value)] if field.storage is Storage.HASH else str(bool(value))


WHITE_SPACE: Final = " \t\n\v\f\r"
LONGEST_TAG_BYTES: Final = 4096
ESCAPED: Final = re.compile("([" + re.escape(string.punctuation.replace("_", "") + WHITE_SPACE) + "])")
CONTROLS: Final = re.compile("[\x01-\x08\x0e-\x1f\x7f]")


def tags_of(field: QueryField, text: str) -> list[str]:
    """Return the tags of a value, each once.

    Raises:
        QueryNotSupportedError: there are none, or the index cannot contain one of them.
    """
    parts = text.split(field.separator) if field.separator else [text]
    tags = list(dict.fromkeys(part.strip(WHITE_SPACE) for part in parts))
    tags = [checked(field, tag) for tag in tags if tag]
    if not tags:
        raise cannot_find(
            field,
            text,
            "empty strings are not indexed",
            "Store None or a placeholder value and query that.",
        )
    return tags


def checked(field: QueryField, tag: str) -> str:
    """Return the tag, if the index can contain it. Raises QueryNotSupportedError."""
    if "\0" in tag:
        raise cannot_find(field, tag, "the server truncates a tag at a NUL character")
    size = len(tag.encode())
    if size > LONGEST_TAG_BYTES:
        raise cannot_find(
            field, tag, f"it has {size} bytes, and the server indexes {LONGEST_TAG_BYTES} bytes of a tag"
        )
    return tag


def pattern_of(field: QueryField, text: object, where: Where) -> str:
    """Return the pattern of a part of a tag. Raises QueryError."""
    if not isinstance(text, str):
        raise cannot_find(field, text, "a part of text has to be a str")
    part = encodable(field, text)
    if where is Where.START:
        part = part.lstrip(WHITE_SPACE)
    elif where is Where.END:
        part = part.rstrip(WHITE_SPACE)
    if not part:
        raise cannot_find(field, text, "a part of text must not be empty or only white space")
    if field.separator and field.separator in part:
        raise cannot_find(
            field,
            text,
            f"values are split at the separator {field.separator!r}, so no tag contains it",
            "Query one tag at a time, or give the field another separator.",
        )
    return checked(field, part)


def as_indexed(field: QueryField, tag: str) -> bytes:
    """Return the bytes of a tag, or of a part of one, as stored in the index."""
    return tag.encode() if field.case_sensitive else tag.encode().lower()


def escaped(tag: str) -> str:
    """Return a tag as query text."""
    # An underscore is a letter, except on its own.
    return r"\_" if tag == "_" else ESCAPED.sub(r"\\\1", tag)


class TokenEscaper:
    """Escape text for a query that is written by hand. Conditions on fields need no escaping.

    Args:
        escape_chars_re: the characters to escape; by default all that have a meaning in a query.
    """

    def __init__(self, escape_chars_re: re.Pattern[str] | None = None) -> None:
        self.escaped_chars_re: Final = escape_chars_re or ESCAPED

    def escape(self, value: str) -> str:
        """Return the text with a backslash before each character that has to be escaped."""
        return self.escaped_chars_re.sub(r"\\\g<0>", value)


escaper: Final = TokenEscaper()


def needs_parameter(tag: str) -> bool:
    """Return whether a tag cannot be written into a query."""
    return CONTROLS.search(tag) is not None
