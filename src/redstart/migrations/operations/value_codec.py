"""Values of fields between their stored form and Python, in hashes and JSON.

`documents.value_encoder` decides how a value is written. This module reads the value again by the type of its field,
as text in a migration file describes it.
"""

import re
from collections.abc import Callable, Sequence
from datetime import time, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, TypeAlias
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from redstart.documents.hash_encoder import packed_vector, unpacked_vector
from redstart.documents.value_decoder import READERS
from redstart.documents.value_encoder import WrittenNumber, hash_values, json_values, text_of
from redstart.errors import ValueConversionError
from redstart.mapping.vectors import VectorFieldOptions
from redstart.migrations.operations.document import BytesOrJson, is_same
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.value_types import (
    ANY,
    ARRAYS,
    LITERAL,
    MAP,
    MOMENTS,
    NONE,
    OBJECT,
    TUPLE,
    UNION,
    VECTOR,
    ValueType,
)
from redstart.values.datetime_parser import read_temporal_text
from redstart.values.lossless_json import JsonNumber, JsonValue
from redstart.values.timestamps import EPOCH, MICROSECOND, NUMBER, microseconds_from_number
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, TemporalKind

UTC: Final = NaiveTimezone.parse("UTC")
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
MAX_DIGITS: Final = 1_000
"""Python parses longer integers slowly, or not at all."""

_STRUCTURES: Final = (*ARRAYS, TUPLE, VECTOR, MAP, OBJECT, UNION, ANY)

Fields: TypeAlias = Sequence[FieldState]


class ValueCodec:
    """Reads and writes values of one storage.

    Args:
        encoding: of text in hashes.
        zone: of datetimes without an offset.
    """

    def __init__(self, storage: Storage, encoding: str = "utf-8", zone: NaiveTimezone = UTC) -> None:
        self.storage = storage
        self.zone = zone
        self._encoding = encoding
        self._hash_values = hash_values(zone)
        self._json_values = json_values(zone)

    def write(self, value: Any) -> BytesOrJson:
        """Return the stored form of a value that is not None. Raises ValueConversionError."""
        if self.storage is Storage.JSON:
            return _lossless(self._json_values.plain(value))
        try:
            return self._hash_values.text(value).encode(self._encoding)
        except UnicodeEncodeError as error:
            raise ValueConversionError(f"the text cannot be encoded as {self._encoding}") from error

    def write_as(self, kind: ValueType, value: Any) -> BytesOrJson:
        """Return the stored form of a value of a type. Raises ValueConversionError."""
        if kind.name == VECTOR and self.storage is Storage.HASH:
            return packed_vector(value, _vector_options(kind))
        return self.write(value)

    def read(self, kind: ValueType, stored: BytesOrJson, fields: Fields = ()) -> Any:
        """Return the value of a stored form. A JSON null is None, whatever the type.

        Args:
            fields: of the embedded model, if the type contains one.

        Raises:
            ValueConversionError: it is not a value of this type.
        """
        if isinstance(stored, bytes):
            if kind.name == VECTOR:
                return unpacked_vector(stored, _vector_options(kind))[1]
            try:
                text = stored.decode(self._encoding)
            except UnicodeDecodeError as error:
                raise ValueConversionError(f"not valid {self._encoding} text") from error
            return self._read_alternatives(kind, stored, text, fields)
        return None if stored is None else self._read_json(kind, stored, fields)

    def is_canonical(self, kind: ValueType, stored: BytesOrJson, fields: Fields = ()) -> bool:
        """Return whether a stored form is the one that is written for its value."""
        try:
            value = self.read(kind, stored, fields)
            return value is not None and is_same(self.write_as(kind, value), stored)
        except ValueConversionError:
            return False

    def _read_json(self, kind: ValueType, stored: JsonValue, fields: Fields) -> Any:
        if kind.name in _STRUCTURES:
            return self._read_structure(kind, stored, fields)
        if kind.name == LITERAL:
            return _choice(kind, [one for one in kind.choices if is_same(self.write(one), stored)])
        if kind.name == "bool" and isinstance(stored, bool):
            return stored
        is_text = isinstance(stored, str) and not isinstance(stored, JsonNumber)
        if not isinstance(stored, str) or (kind.name not in _OF_NUMBERS and not is_text):
            raise ValueConversionError(f"not {_noun(kind)}, but {_json_kind(stored)}")
        return self.parse(kind, str(stored))

    def _read_structure(self, kind: ValueType, stored: JsonValue, fields: Fields) -> Any:
        if kind.name == UNION:
            return self._read_union(kind, stored, fields)
        if kind.name == ANY:
            return _plain(stored)
        if kind.name not in (MAP, OBJECT):
            return self._read_list(kind, stored, fields)
        if not isinstance(stored, dict):
            raise ValueConversionError(f"not an object, but {_json_kind(stored)}")
        return self._read_members(kind, stored, fields)

    def _read_list(self, kind: ValueType, stored: JsonValue, fields: Fields) -> list[Any]:
        if not isinstance(stored, list):
            raise ValueConversionError(f"not a list, but {_json_kind(stored)}")
        if kind.name == TUPLE:
            if len(stored) != len(kind.arguments):
                raise ValueConversionError(f"{len(stored)} items instead of {len(kind.arguments)}")
            kinds = list(kind.arguments)
        else:
            item = ValueType("float") if kind.name == VECTOR else _argument(kind, 0)
            kinds = [item] * len(stored)
        return [self.read(one, item, fields) for one, item in zip(kinds, stored, strict=True)]

    def _read_members(self, kind: ValueType, stored: dict[str, JsonValue], fields: Fields) -> dict[str, Any]:
        if kind.name == MAP:
            return {name: self.read(_argument(kind, 1), value, fields) for name, value in stored.items()}
        known = {one.name: one for one in fields}
        unknown = next((name for name in stored if name not in known), None)
        if unknown is not None:
            raise ValueConversionError(f"it contains {unknown!r}, which its type does not declare")
        return {
            name: self.read(known[name].value_type, value, known[name].fields)
            for name, value in stored.items()
        }

    def _read_alternatives(self, kind: ValueType, stored: bytes, text: str, fields: Fields) -> Any:
        if kind.name == UNION:
            return self._read_union(kind, stored, fields)
        if kind.name == LITERAL:
            return _choice(kind, [one for one in kind.choices if text_of(one) == text])
        return text if kind.name == ANY else self.parse(kind, text)

    def _read_union(self, kind: ValueType, stored: BytesOrJson, fields: Fields) -> Any:
        for one in kind.arguments:
            if self.is_canonical(one, stored, fields):
                return self.read(one, stored, fields)
        raise ValueConversionError(f"not {_noun(kind)}")

    def parse(self, kind: ValueType, text: str) -> Any:
        """Return the value of a text, as a model reads it. Raises ValueConversionError."""
        if kind.name in MOMENTS:
            return self._moment(TemporalKind(kind.name), text)
        parse = PARSERS.get(kind.name)
        if parse is None:
            if kind.is_compound or kind.name in (VECTOR, NONE):
                raise ValueConversionError(f"not {_noun(kind)}")
            return text
        try:
            return parse(text)
        except ValueConversionError:
            raise
        except (ValueError, ArithmeticError) as error:
            raise ValueConversionError(f"not {_noun(kind)}") from error

    def _moment(self, kind: TemporalKind, text: str) -> Any:
        if NUMBER.fullmatch(text) is not None:
            microseconds = microseconds_from_number(text)
        else:
            microseconds = read_temporal_text(text, kind, self.zone).microseconds
        moment = EPOCH + microseconds * MICROSECOND
        return moment.date() if kind is TemporalKind.DATE else moment


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueConversionError(f"an integer of more than {MAX_DIGITS} digits")
    if _INTEGER.fullmatch(text) is not None:
        return int(text)
    number = _float(text)
    if not number.is_integer():
        raise ValueConversionError("not an integer")
    return int(number)


def _float(text: str) -> float:
    if NUMBER.fullmatch(text) is None and text not in ("inf", "-inf", "nan"):
        raise ValueConversionError("not a number")
    return float(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueConversionError("not a number") from error


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _bool(text: str) -> bool:
    try:
        truth: bool = _adapter(bool).validate_python(text)
    except ValidationError as error:
        raise ValueConversionError("not a boolean") from error
    return truth


def _bytes(text: str) -> bytes:
    data = READERS[bytes](text)
    if not isinstance(data, bytes):
        raise ValueConversionError("not base64")
    return data


def _span(text: str) -> timedelta:
    span = READERS[timedelta](text)
    if not isinstance(span, timedelta):
        raise ValueConversionError("not a number of seconds")
    return span


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "str": str.__str__,
    "int": _integer,
    "float": _float,
    "bool": _bool,
    "Decimal": _decimal,
    "UUID": UUID,
    "time": time.fromisoformat,
    "timedelta": _span,
    "bytes": _bytes,
}
"""Parsers of text by type; the text of other types is their value."""

_OF_NUMBERS: Final = ("int", "float", "bool", "Decimal", "timedelta", *MOMENTS)
"""Types whose values JSON may store as numbers."""


def _lossless(value: Any) -> JsonValue:
    """Return what `JsonValues.plain` returns with its numbers as text."""
    if isinstance(value, WrittenNumber):
        return JsonNumber(value.text)
    if isinstance(value, dict):
        return {str(name): _lossless(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_lossless(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return JsonNumber(text_of(value).replace("e+", "e"))  # as RedisJSON writes it
    return str(value)


def _plain(stored: JsonValue) -> Any:
    if isinstance(stored, dict):
        return {name: _plain(value) for name, value in stored.items()}
    if isinstance(stored, list):
        return [_plain(item) for item in stored]
    if isinstance(stored, JsonNumber):
        return int(stored) if _INTEGER.fullmatch(stored) else float(stored)
    return stored


def _choice(kind: ValueType, found: Sequence[Any]) -> Any:
    if not found:
        raise ValueConversionError(f"not one of {', '.join(map(repr, kind.choices))}")
    return found[0]


def _argument(kind: ValueType, position: int) -> ValueType:
    return kind.arguments[position] if len(kind.arguments) > position else ValueType(ANY)


def _vector_options(kind: ValueType) -> VectorFieldOptions:
    component, dimension = kind.choices
    return VectorFieldOptions.flat(
        VectorFieldOptions.TYPE(str(component)), int(dimension), VectorFieldOptions.DISTANCE_METRIC.L2
    )


_NOUNS: Final = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "Decimal": "a number",
    "bool": "a boolean",
    "UUID": "a UUID",
    "datetime": "a datetime",
    "date": "a date",
    "time": "a time",
    "timedelta": "a number of seconds",
    "bytes": "base64",
    NONE: "null",
}


def _noun(kind: ValueType) -> str:
    return _NOUNS.get(kind.name, f"a value of the type {kind}")


def _json_kind(stored: JsonValue) -> str:
    if isinstance(stored, bool):
        return "a JSON boolean"
    if isinstance(stored, JsonNumber):
        return "a JSON number"
    if isinstance(stored, str):
        return "a JSON string"
    if isinstance(stored, list):
        return "a JSON array"
    return "null" if stored is None else "a JSON object"
