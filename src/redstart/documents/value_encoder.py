"""Writer of values as JSON, and as the text of a hash field.

The format depends on the type of the value, not on that of its field: a datetime is always a number.
"""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final

from pydantic import Secret, SecretBytes, SecretStr
from pydantic_core import PydanticSerializationError, to_jsonable_python

from redstart.errors import ValueConversionError
from redstart.mapping.models import LISTS
from redstart.mapping.value_paths import Segment
from redstart.values.lossless_json import exact_text, kept
from redstart.values.stored_text import (
    BOOLEAN_TEXTS,
    MAX_INT64,
    MIN_INT64,
    bytes_text,
    inexact_text,
    iso_text,
)
from redstart.values.timestamps import (
    EPOCH_ORDINAL,
    FIRST_MICROSECOND,
    LAST_MICROSECOND,
    MICROSECOND,
    MICROSECONDS_PER_DAY,
    NO_FLOAT,
    is_near,
    microseconds_of,
    number_of,
    seconds_of,
    side_of,
)
from redstart.values.timezones import NaiveTimezone

ADDRESSES: Final = (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)
"""Types that pydantic before 2.12.5 can serialize only as a field."""

SECRETS: Final = (SecretStr, SecretBytes, Secret)


class UnencodableValueError(ValueConversionError):
    """A value that cannot be stored. `segments` is its path, which is completed while the error propagates."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.segments: list[Segment] = []


class HashValues:
    """Converts values to JSON values: None, booleans, numbers, text, lists and maps."""

    def __init__(self, zone: NaiveTimezone) -> None:
        self._zone = zone
        self._of_types: dict[type, Callable[[Any], Any]] = {
            type(None): _same,
            bool: _same,
        }
        self.texts: dict[type, Callable[[Any], str]] = {
            str: str,
            int: str,
            float: repr,
            bool: BOOLEAN_TEXTS.__getitem__,
            datetime: lambda moment: text_of(self._datetime(moment)),
        }
        """Encoders of exactly these types, which most values have; `text` encodes all others."""

    def text(self, value: Any) -> str:
        """Return the text of a value in a field of a hash. Raises ValueConversionError."""
        if isinstance(value, Decimal):
            return _decimal_text(value)
        plain = self.plain(value)
        if isinstance(plain, str | int | float | WrittenNumber):
            return text_of(plain)
        raise UnencodableValueError("hashes cannot store nested values; use a JsonModel")

    def plain(self, value: Any) -> Any:
        """Return a value as a JSON value. Raises UnencodableValueError."""
        kind = type(value)
        write = self._of_types.get(kind)
        if write is None:
            write = self._of_types[kind] = self._for_kind(kind)
        return write(value)

    def _for_kind(self, kind: type) -> Callable[[Any], Any]:
        # The order matters: a datetime is a date, and a member of an enum may have any type.
        for kinds, write in (
            (Enum, self._member),
            (datetime, self._datetime),
            (date, self._date),
            (time, iso_text),
            (timedelta, self._span),
            (Decimal, self._decimal),
            (int, self._integer),
            (float, self._float),
            (str, self._text),
            ((bytes, bytearray, memoryview), bytes_text),
            (Mapping, self._map),
            (LISTS, self._list),
            (SECRETS, _refuse_secret),
            (ADDRESSES, str),
        ):
            if issubclass(kind, kinds):
                return write
        return _jsonable

    def _member(self, member: Enum) -> Any:
        return self.plain(member.value)

    def _datetime(self, moment: datetime) -> Any:
        is_naive = moment.utcoffset() is None
        try:
            number = number_of(self._zone.microseconds(moment)) if is_naive else seconds_of(moment)
        except ValueConversionError as error:
            raise UnencodableValueError(f"{moment.isoformat()} has no offset: {error.reason}") from error
        if is_near(number):
            return number
        microseconds = self._zone.microseconds(moment) if is_naive else microseconds_of(moment)
        if not FIRST_MICROSECOND <= microseconds <= LAST_MICROSECOND:
            raise UnencodableValueError(
                f"{moment.isoformat()} is out of range: it would round to a number outside the years 1 to 9999"
            )
        return self._far(number, microseconds)

    def _far(self, number: float, microseconds: int) -> Any:
        """Return seconds so far from 0 that floats do not distinguish all microseconds."""
        text = inexact_text(number, microseconds)
        return number if text is None else WrittenNumber(text, is_rounded=True)

    def _date(self, day: date) -> float:
        return number_of((day.toordinal() - EPOCH_ORDINAL) * MICROSECONDS_PER_DAY)

    def _span(self, span: timedelta) -> Any:
        number = span.total_seconds()
        return number if is_near(number) else self._far(number, span // MICROSECOND)

    def _integer(self, number: int) -> int:
        return int(number)

    def _float(self, number: float) -> Any:
        return float(number)

    def _text(self, text: str) -> str:
        return text

    def _decimal(self, number: Decimal) -> Any:
        if _is_whole(number) and MIN_INT64 <= number <= MAX_INT64:
            return int(number)
        return self._float(float(number))

    def _list(self, items: Any) -> list[Any]:
        written: list[Any] = []
        try:
            for item in items:
                written.append(self.plain(item))
        except UnencodableValueError as refused:
            refused.segments.insert(0, len(written))
            raise
        return written

    def _map(self, members: Mapping[Any, Any]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        name: Any = ""
        try:
            for key, value in members.items():
                name = self._text(key if type(key) is str else _member_name(key))
                if name in written:
                    raise UnencodableValueError(
                        f"{key!r} and another key of the map have the same JSON name, {name!r}"
                    )
                written[name] = self.plain(value)
        except UnencodableValueError as refused:
            refused.segments.insert(0, name)
            raise
        return written


class WrittenNumber:
    """A number whose text differs from that of its float.

    Args:
        text: what is sent.
        is_rounded: whether the value has more digits than its float.
    """

    __slots__ = ("is_rounded", "text")

    def __init__(self, text: str, *, is_rounded: bool = False) -> None:
        self.text = text
        self.is_rounded = is_rounded


class JsonValues(HashValues):
    """Like HashValues, but rejects values that JSON cannot store exactly. Some numbers are a `WrittenNumber`.

    Args:
        zone: what a datetime without an offset means.
        near: accept floats as RedisJSON reads their shortest text: for every tenth float with 17 digits, the adjacent
            float.
    """

    def __init__(self, zone: NaiveTimezone, *, near: bool = False) -> None:
        super().__init__(zone)
        self._near = near

    def _far(self, number: float, microseconds: int) -> Any:
        if side_of(kept(number), microseconds) != 0:
            raise UnencodableValueError(f"JSON stores floats, and {NO_FLOAT}")
        return self._float(number)

    def _integer(self, number: int) -> int:
        if not MIN_INT64 <= number <= MAX_INT64:
            raise UnencodableValueError("RedisJSON would round an integer of more than 64 bits")
        return int(number)

    def _float(self, number: float) -> Any:
        if not math.isfinite(number):
            raise UnencodableValueError(f"JSON cannot represent the number {number}")
        plain = float(number)
        if self._near:
            return plain
        text = exact_text(plain)
        return plain if text == repr(plain) else WrittenNumber(text)

    def _decimal(self, number: Decimal) -> Any:
        written = super()._decimal(number)
        if isinstance(written, int) or Decimal(repr(float(number))) == number:
            return written
        return WrittenNumber(exact_text(float(number)), is_rounded=True)

    def _text(self, text: str) -> str:
        if not text.isascii():
            try:
                _ = text.encode()
            except UnicodeEncodeError as error:
                raise UnencodableValueError("lone surrogate: not encodable as UTF-8") from error
        return text


@cache
def hash_values(zone: NaiveTimezone) -> HashValues:
    """Return the writer of the values in hashes."""
    return HashValues(zone)


@cache
def json_values(zone: NaiveTimezone) -> JsonValues:
    """Return the writer of the values in JSON documents."""
    return JsonValues(zone)


@cache
def vector_values(zone: NaiveTimezone) -> JsonValues:
    """Return the writer of vectors in JSON documents.

    The precision of an index is lower than the difference of adjacent floats.
    """
    return JsonValues(zone, near=True)


def text_of(value: Any) -> str:
    """Return the text of a plain value in a hash."""
    if isinstance(value, bool):
        return BOOLEAN_TEXTS[value]
    if isinstance(value, WrittenNumber):
        return value.text
    if isinstance(value, str):
        return str.__str__(value)  # a subclass may return another text
    return repr(value) if isinstance(value, float) else str(value)


def _same(value: Any) -> Any:
    return value


def _refuse_secret(value: Any) -> Any:
    raise UnencodableValueError(
        f"{type(value).__name__} hides its value; add a field_serializer that returns the text to store"
    )


def _jsonable(value: Any) -> Any:
    try:
        return to_jsonable_python(value)
    except (PydanticSerializationError, ValueError) as error:
        raise UnencodableValueError(f"the type {type(value).__name__} is not supported") from error


def _decimal_text(number: Decimal) -> str:
    """Return the text that redis-om writes, unless a float cannot represent all digits."""
    if _is_whole(number):
        return str(int(number))
    near = repr(float(number))
    return near if Decimal(near) == number or not number.is_finite() else Decimal.__str__(number)


def _is_whole(number: Decimal) -> bool:
    """Return whether it is written without decimals. `1E+99` is not, because it would have a hundred digits."""
    return number.as_tuple().exponent == 0


def _member_name(key: Any) -> str:
    try:
        return str(next(iter(to_jsonable_python({key: None}))))
    except (PydanticSerializationError, ValueError) as error:
        raise UnencodableValueError(f"{type(key).__name__} cannot be a key of a stored map") from error
