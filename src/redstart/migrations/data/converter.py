"""Classify one value and convert it to a number of seconds, without I/O.

Nothing is guessed. Text of one instant is converted; a number that reads back is left unchanged; everything else is
left unchanged, too, with the reason. The rules are the same for hashes and JSON, except for null and for numbers
inside JSON strings, which are text.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from redstart.errors import ValueConversionError
from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.values.datetime_parser import (
    MAX_CHARACTERS,
    WHITE_SPACE,
    number_of_written_text,
    read_temporal_number,
    read_temporal_text,
)
from redstart.values.lossless_json import JsonNumber, JsonValue, restores_exactly
from redstart.values.timestamps import (
    ALWAYS_EXACT_MICROSECONDS,
    END_SECOND,
    FIRST_SECOND,
    NUMBER,
    exact_microseconds,
    number_text,
    reads_back,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

SECONDS_PER_DAY = 86_400.0


class Outcome(StrEnum):
    """The classification of one value, in the order of `stats`."""

    CONVERTIBLE = "convertible"
    ALREADY = "converted"
    """A number that reads back unchanged: converted before, or a pre-existing number."""
    NULL = "null"
    LOSSY = "lossy"
    """Convertible, but the number is rounded to another microsecond, or the text had digits below the microsecond."""
    UNCONVERTIBLE = "unconvertible"


class Conversion(NamedTuple):
    """The conversion of one value, or the reason why it is left unchanged."""

    outcome: Outcome
    new: bytes | None = None
    """The number to store, as text of a hash value and of JSON; None if nothing is written."""
    reason: str | None = None
    """Why the value is rounded or cannot be converted."""
    naive: bool | None = None
    """Whether the text had no offset; None if the value was not the text of a date."""


_new = tuple.__new__  # calling the class of a named tuple takes twice as long, for millions of values

# Looking up a member of an enum costs as much as parsing a date.
_DATE = TemporalKind.DATE
_CONVERTIBLE = Outcome.CONVERTIBLE

_ALREADY = Conversion(Outcome.ALREADY)
_NULL = Conversion(Outcome.NULL)


def _unconvertible(reason: str) -> Conversion:
    return Conversion(Outcome.UNCONVERTIBLE, reason=reason)


_NOT_UTF8 = _unconvertible("not valid UTF-8")
_EMPTY = _unconvertible("empty string")
_EMPTY_JSON_STRING = _unconvertible('empty string (use null for "no value" in JSON)')
_NOT_READABLE = _unconvertible("out of range: would round past year 9999")
_NOT_RESTORABLE = _unconvertible("a number that the server could not restore exactly")
_JSON_BOOLEAN = _unconvertible("not a date: JSON boolean")
_JSON_OBJECT = _unconvertible("not a date: JSON object")
_JSON_ARRAY = _unconvertible("not a date: JSON array")


def convert_hash_value(
    raw: bytes, *, kind: TemporalKind, optional: bool, naive_timezone: NaiveTimezone
) -> Conversion:
    """Convert the value of a hash field. Never raises.

    Args:
        raw: the bytes of the field.
        kind: the declared type of the field.
        optional: whether the field may be None, which is an empty value in a hash.
        naive_timezone: the zone of a datetime without an offset.
    """
    written = number_of_written_text(raw, kind, naive_timezone)
    if written is not None:
        return _new(Conversion, (_CONVERTIBLE, written[0], None, written[1]))
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _NOT_UTF8
    if not text:
        return _NULL if optional else _EMPTY
    return _convert_text(text, kind, naive_timezone, numbers_are_stored_form=True)


def convert_json_value(
    value: JsonValue, *, kind: TemporalKind, optional: bool, naive_timezone: NaiveTimezone
) -> Conversion:
    """Convert one value inside a JSON document. Never raises.

    Args:
        value: the result of `parse_json`.
        kind: the declared type of the field.
        optional: whether the field may be None. A null is left unchanged in any case; an empty string is never null.
        naive_timezone: the zone of a datetime without an offset.
    """
    if isinstance(value, JsonNumber):
        conversion = _convert_number(value, kind, is_stored_form=True)
        return _NOT_RESTORABLE if conversion.new is not None and not restores_exactly(value) else conversion
    if isinstance(value, str):
        if not value:
            return _EMPTY_JSON_STRING if optional else _EMPTY
        return _convert_json_string(value, kind, naive_timezone)
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return _JSON_BOOLEAN
    return _JSON_OBJECT if isinstance(value, dict) else _JSON_ARRAY


def _convert_json_string(value: str, kind: TemporalKind, naive_timezone: NaiveTimezone) -> Conversion:
    if value.isascii():  # else it may hold a lone surrogate, which has no bytes
        written = number_of_written_text(value.encode(), kind, naive_timezone)
        if written is not None:
            return Conversion(_CONVERTIBLE, written[0], None, written[1])
    return _convert_text(value, kind, naive_timezone, numbers_are_stored_form=False)


def _convert_text(
    text: str, kind: TemporalKind, naive_timezone: NaiveTimezone, *, numbers_are_stored_form: bool
) -> Conversion:
    if len(text) <= MAX_CHARACTERS and NUMBER.fullmatch(number := text.strip(WHITE_SPACE)) is not None:
        is_stored_form = numbers_are_stored_form and len(number) == len(text)
        return _convert_number(number, kind, is_stored_form=is_stored_form)
    try:
        microseconds, naive, exact = read_temporal_text(text, kind, naive_timezone)
    except ValueConversionError as error:
        return _unconvertible(error.reason)
    return _converted(microseconds, exact=exact, naive=naive)


def _convert_number(text: str, kind: TemporalKind, *, is_stored_form: bool) -> Conversion:
    """Convert a number of seconds or milliseconds.

    Args:
        text: a match of NUMBER.
        kind: the declared type of the field.
        is_stored_form: whether the number is stored like one in numeric format; if it reads back it stays unchanged.
    """
    if is_stored_form:
        if kind is not _DATE and exact_microseconds(text) is not None:
            return _ALREADY
        seconds = float(text)
        if FIRST_SECOND <= seconds < END_SECOND and (kind is not _DATE or seconds % SECONDS_PER_DAY == 0):
            return _ALREADY
    try:
        microseconds, _, exact = read_temporal_number(text, kind)
    except ValueConversionError as error:
        return _unconvertible(error.reason)
    return _converted(microseconds, exact=exact, naive=None)


def _converted(microseconds: int, *, exact: bool, naive: bool | None) -> Conversion:
    text = number_text(microseconds)
    if not -ALWAYS_EXACT_MICROSECONDS <= microseconds <= ALWAYS_EXACT_MICROSECONDS:
        if not FIRST_SECOND <= float(text) < END_SECOND:
            return _NOT_READABLE
        if not reads_back(text, microseconds):
            return Conversion(
                Outcome.LOSSY,
                text.encode(),
                "rounded: a float has no such microsecond so far from 1970",
                naive,
            )
    if not exact:
        return Conversion(Outcome.LOSSY, text.encode(), "rounded: digits below the microsecond", naive)
    return Conversion(_CONVERTIBLE, text.encode(), None, naive)


@dataclass(slots=True)
class Tally:
    """Documents, and values by (key prefix, path, outcome).

    Attributes:
        naive: number of texts without an offset, by (key prefix, path); `aware`: of texts with one.
    """

    documents: Counter[str] = field(default_factory=Counter)
    values: Counter[tuple[str, str, Outcome]] = field(default_factory=Counter)
    naive: Counter[tuple[str, str]] = field(default_factory=Counter)
    aware: Counter[tuple[str, str]] = field(default_factory=Counter)
    foreign: int = 0

    def add_documents(self, documents: Iterable[StoredDocument]) -> None:
        """Count documents."""
        self.documents.update(document.model.key_prefix for document in documents)

    def add_values(
        self, number: int, document: StoredDocument, value: StoredValue, conversion: Conversion
    ) -> None:
        """Count a number of values of one field with the same conversion."""
        prefix, path = document.model.key_prefix, str(value.path)
        self.values[prefix, path, conversion.outcome] += number
        if conversion.naive is not None:
            (self.naive if conversion.naive else self.aware)[prefix, path] += number

    @property
    def total_documents(self) -> int:
        """Documents of all models."""
        return sum(self.documents.values())

    def total(self, outcome: Outcome) -> int:
        """Return the number of values with this outcome, over all models and fields."""
        return sum(count for (_, _, found), count in self.values.items() if found is outcome)

    def mostly_naive(self, prefix: str, path: str) -> bool:
        """Return whether more texts of a field have no offset than have one."""
        return self.naive[prefix, path] >= self.aware[prefix, path]
