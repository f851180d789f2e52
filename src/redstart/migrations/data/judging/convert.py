"""From what a field held to the number of seconds it holds now: one verdict for one value, without I/O.

A verdict never guesses. What stands for one instant is converted; what already is such a number is left as it
is; all else is left too, with the reason. The same rules serve hashes and JSON; they differ in what null is,
and in that a number inside a JSON string is text.
"""

from enum import StrEnum
from typing import NamedTuple

from redstart.errors import ValueConversionError
from redstart.values.json_text import JsonNumber, JsonValue, restores_exactly
from redstart.values.kinds import TemporalKind
from redstart.values.temporal_text import (
    MAX_CHARACTERS,
    WHITE_SPACE,
    read_temporal_number,
    read_temporal_text,
)
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
from redstart.values.written_text import number_of_written_text

SECONDS_PER_DAY = 86_400.0


class Outcome(StrEnum):
    """What one value is, in the words of `stats`, in their order."""

    CONVERTIBLE = "convertible"
    ALREADY = "converted"
    """It is a number that reads back unchanged in its kind: converted before, or born so."""
    NULL = "null"
    LOSSY = "lossy"
    """Convertible, but the number stands for another microsecond, or the text had digits below it."""
    UNCONVERTIBLE = "unconvertible"


class Verdict(NamedTuple):
    """What one value becomes, or why it stays."""

    outcome: Outcome
    new: bytes | None = None
    """The number to store, as text of a hash value and of JSON alike; None when nothing is written."""
    reason: str | None = None
    """Why it is lossy or unconvertible."""
    naive: bool | None = None
    """Whether the text had no offset; None when it was not text of a date."""


_new = tuple.__new__  # calling the class of a named tuple takes twice as long, and there are millions

# Looking up a member of an enum costs as much as parsing a date.
_DATE = TemporalKind.DATE
_CONVERTIBLE = Outcome.CONVERTIBLE

_ALREADY = Verdict(Outcome.ALREADY)
_NULL = Verdict(Outcome.NULL)


def _unconvertible(reason: str) -> Verdict:
    return Verdict(Outcome.UNCONVERTIBLE, reason=reason)


_NOT_UTF8 = _unconvertible("not UTF-8 text")
_EMPTY = _unconvertible("empty")
_EMPTY_JSON_STRING = _unconvertible("empty: in JSON only null stands for no value")
_NOT_READABLE = _unconvertible("as a number it would round beyond the years 1 to 9999")
_NOT_RESTORABLE = _unconvertible("a number that the server could not restore exactly")
_JSON_BOOLEAN = _unconvertible("a JSON boolean, not a date")
_JSON_OBJECT = _unconvertible("a JSON object, not a date")
_JSON_ARRAY = _unconvertible("a JSON array, not a date")


def convert_hash_value(
    raw: bytes, *, kind: TemporalKind, optional: bool, naive_timezone: NaiveTimezone
) -> Verdict:
    """The verdict on a hash field's value. Never raises.

    Args:
        raw: the bytes the field holds.
        kind: what the field declares.
        optional: whether it may be None, which a hash shows as an empty value.
        naive_timezone: the zone of a datetime without an offset.
    """
    written = number_of_written_text(raw, kind, naive_timezone)
    if written is not None:
        return _new(Verdict, (_CONVERTIBLE, written[0], None, written[1]))
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _NOT_UTF8
    if not text:
        return _NULL if optional else _EMPTY
    return _convert_text(text, kind, naive_timezone, numbers_are_stored_form=True)


def convert_json_value(
    value: JsonValue, *, kind: TemporalKind, optional: bool, naive_timezone: NaiveTimezone
) -> Verdict:
    """The verdict on one value inside a JSON document. Never raises.

    Args:
        value: as `parse_json` read it.
        kind: what the field declares.
        optional: whether it may be None; a null is left in any case, an empty string is never one.
        naive_timezone: the zone of a datetime without an offset.
    """
    if isinstance(value, JsonNumber):
        verdict = _convert_number(value, kind, is_stored_form=True)
        return _NOT_RESTORABLE if verdict.new is not None and not restores_exactly(value) else verdict
    if isinstance(value, str):
        if not value:
            return _EMPTY_JSON_STRING if optional else _EMPTY
        return _convert_json_string(value, kind, naive_timezone)
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return _JSON_BOOLEAN
    return _JSON_OBJECT if isinstance(value, dict) else _JSON_ARRAY


def _convert_json_string(value: str, kind: TemporalKind, naive_timezone: NaiveTimezone) -> Verdict:
    if value.isascii():  # else it may hold half a surrogate pair, of which there are no bytes
        written = number_of_written_text(value.encode(), kind, naive_timezone)
        if written is not None:
            return Verdict(_CONVERTIBLE, written[0], None, written[1])
    return _convert_text(value, kind, naive_timezone, numbers_are_stored_form=False)


def _convert_text(
    text: str, kind: TemporalKind, naive_timezone: NaiveTimezone, *, numbers_are_stored_form: bool
) -> Verdict:
    if len(text) <= MAX_CHARACTERS and NUMBER.fullmatch(number := text.strip(WHITE_SPACE)) is not None:
        is_stored_form = numbers_are_stored_form and len(number) == len(text)
        return _convert_number(number, kind, is_stored_form=is_stored_form)
    try:
        microseconds, naive, exact = read_temporal_text(text, kind, naive_timezone)
    except ValueConversionError as error:
        return _unconvertible(error.reason)
    return _converted(microseconds, exact=exact, naive=naive)


def _convert_number(text: str, kind: TemporalKind, *, is_stored_form: bool) -> Verdict:
    """A number of seconds or milliseconds.

    Args:
        text: as NUMBER has it.
        kind: what the field declares.
        is_stored_form: it stands where the new form would; if it already reads back it stays as it is.
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


def _converted(microseconds: int, *, exact: bool, naive: bool | None) -> Verdict:
    text = number_text(microseconds)
    if not -ALWAYS_EXACT_MICROSECONDS <= microseconds <= ALWAYS_EXACT_MICROSECONDS:
        if not FIRST_SECOND <= float(text) < END_SECOND:
            return _NOT_READABLE
        if not reads_back(text, microseconds):
            return Verdict(
                Outcome.LOSSY, text.encode(), "a number cannot hold this microsecond so far from 1970", naive
            )
    if not exact:
        return Verdict(Outcome.LOSSY, text.encode(), "digits below the microsecond", naive)
    return Verdict(_CONVERTIBLE, text.encode(), None, naive)
