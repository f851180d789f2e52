"""Conversions of values between the types of fields: from text, to text, between numbers, dates and lists.

A conversion is exact, fails, or loses something; `ValueConverter` finds out which.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from redstart.documents.value_encoder import hash_values, text_of
from redstart.errors import ValueConversionError
from redstart.migrations.operations.document import BytesOrJson, is_same
from redstart.migrations.operations.value_codec import MAX_DIGITS, ValueCodec
from redstart.migrations.operations.value_types import (
    ANY,
    ARRAYS,
    LITERAL,
    MOMENTS,
    NUMBERS,
    TEXTS,
    VALUES,
    ValueType,
)
from redstart.values.timestamps import (
    EPOCH,
    MICROSECOND,
    MICROSECONDS_PER_SECOND,
    microseconds_from_number,
    microseconds_of,
    number_of,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage

Cast: TypeAlias = Callable[[Any], Any]
"""Makes a value of the new type. Raises ValueConversionError."""


class ConvertedValue(NamedTuple):
    """A converted value.

    Attributes:
        stored: its stored form.
        is_lossy: whether the old bytes cannot be made from it.
    """

    stored: BytesOrJson
    is_lossy: bool


class ValueConverter:
    """Converts stored values of one type to another.

    Args:
        before, after: the types.
        codec: reads and writes the values.
        zone: the zone of datetimes without an offset in text; None if such text cannot be converted.
        parse: makes a value of the new type instead of the conversion of this module.
        format: the same for the inverse.
    """

    def __init__(
        self,
        before: ValueType,
        after: ValueType,
        codec: ValueCodec,
        *,
        zone: NaiveTimezone | None = None,
        parse: Cast | None = None,
        format: Cast | None = None,  # noqa: A002 - the word that users write
    ) -> None:
        self._before, self._after, self._codec = before, after, codec
        casts = Casts(codec, zone)
        self._cast = None if parse is None else _guarded(parse)
        self._cast_back = None if format is None else _guarded(format)
        if parse is None:
            self._cast, self._cast_back = casts.cast(before, after), casts.cast(after, before)

    @property
    def is_supported(self) -> bool:
        """Return whether values of these types can be converted."""
        return self._cast is not None

    @property
    def is_reversible(self) -> bool:
        """Return whether values can be converted back."""
        return self._cast_back is not None

    def convert(self, stored: BytesOrJson) -> ConvertedValue:
        """Convert a stored value. Raises ValueConversionError."""
        assert self._cast is not None  # callers ask is_supported
        new = self._convert(stored, self._before, self._after, self._cast)
        try:
            is_lossy = not is_same(self.convert_back(new), stored)
        except ValueConversionError:
            is_lossy = True
        return ConvertedValue(new, is_lossy)

    def convert_back(self, stored: BytesOrJson) -> BytesOrJson:
        """Return the stored value of the old type for one of the new type. Raises ValueConversionError."""
        if self._cast_back is None:
            raise ValueConversionError("the conversion has no inverse")
        return self._convert(stored, self._after, self._before, self._cast_back)

    def _convert(self, stored: BytesOrJson, before: ValueType, after: ValueType, cast: Cast) -> BytesOrJson:
        new = self._codec.write_as(after, cast(self._codec.read(before, stored)))
        # What a function of the user returns may be of another type.
        _ = self._codec.read(after, new)
        return new


def _guarded(function: Cast) -> Cast:
    """Return a function of the user whose errors are failures of the value."""

    def call(value: Any) -> Any:
        name = getattr(function, "__name__", "the function")
        try:
            result = function(value)
        except (Exception, SystemExit) as error:  # it may raise anything; see `Transform`
            raise ValueConversionError(f"{name}() raised {type(error).__name__}: {error}") from error
        if result is None:
            raise ValueConversionError(f"{name}() returned None")
        return result

    return call


class Casts:
    """The conversions between Python values of two types.

    Args:
        codec: reads text.
        zone: as in ValueConverter.
    """

    def __init__(self, codec: ValueCodec, zone: NaiveTimezone | None) -> None:
        self._codec, self._zone = codec, zone
        self._texts = hash_values(codec.zone)

    def cast(self, before: ValueType, after: ValueType) -> Cast | None:
        """Return the conversion of a value; None if there is none between these types."""
        if any(one.steps_to_object() is not None for one in (before, after)):
            return None
        if before == after:
            return _same
        if after.name in ARRAYS or before.name in ARRAYS:
            return self._with_lists(before, after)
        if LITERAL in (before.name, after.name):
            return self._with_literal(before, after)
        if "str" in (before.name, after.name):
            return self._with_text(before, after)
        return _with_numbers(before.name, after.name)

    def _with_lists(self, before: ValueType, after: ValueType) -> Cast | None:
        are_lists = [one.name in ARRAYS for one in (before, after)]
        items = [
            _item(one) if is_list else one for one, is_list in zip((before, after), are_lists, strict=True)
        ]
        inside = self.cast(*items)
        if inside is None:
            return None
        if all(are_lists):
            return lambda values: list(map(inside, values))
        return (lambda value: [inside(value)]) if are_lists[1] else lambda values: inside(_only_item(values))

    def _with_literal(self, before: ValueType, after: ValueType) -> Cast | None:
        if before.name == after.name:
            return _between_literals(after)
        if before.name != LITERAL:
            return self._to_literal(before, after)
        if after.name == "str":
            return text_of
        base = _type_of_choices(before)
        return None if base is None else self.cast(base, after)

    def _to_literal(self, before: ValueType, after: ValueType) -> Cast | None:
        if before.name == "str":
            of_texts = {text_of(choice): choice for choice in after.choices}
            return lambda text: _chosen(text, of_texts)
        base = _type_of_choices(after)
        inside = None if base is None else self.cast(before, base)
        if inside is None:
            return None
        choices = {choice: choice for choice in after.choices}
        return lambda value: _chosen(inside(value), choices)

    def _with_text(self, before: ValueType, after: ValueType) -> Cast | None:
        if {before.name, after.name} <= {*VALUES, *TEXTS}:
            return self._parser(after) if before.name == "str" else self._formatter(before.name)
        return None

    def _parser(self, after: ValueType) -> Cast:
        if after.name == "bytes":
            return str.encode
        codec = ValueCodec(self._codec.storage, zone=self._zone or _UNKNOWN)
        return lambda text: codec.parse(after, text)

    def _formatter(self, before: str) -> Cast:
        if before in TEXTS:
            return _same
        if before == "bytes":
            return _decoded
        if before == "datetime":
            return self._datetime_text
        if before == "date":
            return date.isoformat
        return self._text

    def _text(self, value: Any) -> str:
        if isinstance(value, bool) and self._codec.storage is Storage.JSON:
            return "true" if value else "false"
        return self._texts.text(value)

    def _datetime_text(self, moment: datetime) -> str:
        local = None if self._zone is None else self._zone.naive_datetime(microseconds_of(moment))
        return (local or moment).isoformat()


class _UnknownZone(NaiveTimezone):
    """In place of the zone of text without an offset, when no zone is named."""

    @property
    def name(self) -> str:
        return "unknown"

    def microseconds(self, naive: datetime) -> int:  # noqa: ARG002 - it is refused
        raise ValueConversionError("a datetime without an offset; name its zone with naive_timezone=")

    def naive_datetime(self, microseconds: int) -> datetime | None:  # noqa: ARG002 - there is none
        return None


_UNKNOWN: Final = _UnknownZone()


def _same(value: Any) -> Any:
    return value


def _item(kind: ValueType) -> ValueType:
    return kind.arguments[0] if kind.arguments else ValueType(ANY)


def _type_of_choices(kind: ValueType) -> ValueType | None:
    """Return the type of all values of a Literal; None if they have several."""
    names = {type(choice).__name__ for choice in kind.choices}
    return ValueType(names.pop()) if len(names) == 1 and names <= {"str", "int", "float", "bool"} else None


def _only_item(items: list[Any]) -> Any:
    if len(items) != 1:
        raise ValueConversionError(f"a list of {len(items)} items instead of one")
    return items[0]


def _chosen(value: Any, choices: dict[Any, Any]) -> Any:
    if value not in choices:
        raise ValueConversionError(f"not one of {', '.join(map(repr, choices.values()))}")
    return choices[value]


def _between_literals(after: ValueType) -> Cast:
    of_values = {(type(choice), choice): choice for choice in after.choices}
    of_texts = {text_of(choice): choice for choice in after.choices}

    def choose(value: Any) -> Any:
        key = (type(value), value)
        return of_values[key] if key in of_values else _chosen(text_of(value), of_texts)

    return choose


def _with_numbers(before: str, after: str) -> Cast | None:
    """Return the conversion between numbers, or between numbers and dates. Dates are numbers of seconds."""
    if after in MOMENTS:
        return _to_moment(before, _day if after == "date" else _midnight)
    to_number = NUMERIC.get(after)
    if to_number is None or before in NUMBERS:
        return to_number
    if before not in MOMENTS or after == "bool":
        return None
    return lambda moment: to_number(_seconds(moment))


def _to_moment(before: str, finish: Cast) -> Cast | None:
    if before in MOMENTS:
        return finish
    return (lambda number: finish(_moment_of_number(number))) if before in NUMBERS[1:] else None


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueConversionError("not valid UTF-8") from error


def _to_int(number: Any) -> int:
    if not _is_finite(number):
        raise ValueConversionError("not an integer")
    if Decimal(number).adjusted() > MAX_DIGITS:
        raise ValueConversionError(f"an integer of more than {MAX_DIGITS} digits")
    if number != int(number):
        raise ValueConversionError("not an integer")
    return int(number)


def _to_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError as error:
        raise ValueConversionError("too large for a float") from error


def _to_decimal(number: Any) -> Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _to_bool(number: Any) -> bool:
    if number not in (0, 1):
        raise ValueConversionError("neither 0 nor 1")
    return bool(number)


NUMERIC: Final[dict[str, Cast]] = {
    "int": _to_int,
    "float": _to_float,
    "Decimal": _to_decimal,
    "bool": _to_bool,
}


def _is_finite(number: Any) -> bool:
    return Decimal(number).is_finite()


def _moment_of_number(number: Any) -> datetime:
    if not _is_finite(number):
        raise ValueConversionError("not a finite number")
    text = repr(number) if isinstance(number, float) else str(number)
    return EPOCH + microseconds_from_number(text) * MICROSECOND


def _midnight(moment: date) -> datetime:
    return (
        moment
        if isinstance(moment, datetime)
        else datetime(moment.year, moment.month, moment.day, tzinfo=EPOCH.tzinfo)
    )


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _seconds(moment: date) -> Decimal | float:
    microseconds = microseconds_of(_midnight(moment))
    number = number_of(microseconds)
    exact = Decimal(microseconds) / MICROSECONDS_PER_SECOND
    return number if Decimal(repr(number)) == exact else exact
