"""Text that people and programs write for a date or a datetime, read as an instant.

This is the only list of formats. Models and the conversion of stored data both use `read_temporal_text`, so a model
reads the same value before and after a migration.

Accepted: numbers of seconds or milliseconds since 1970; ISO 8601 in its extended format, with the variants of
isoformat(), JavaScript and databases (RFC 3339 and some more); its basic format if a time follows (`20240305T101112Z`);
and the dates of e-mail and HTTP (RFC 5322, section 3.3). `20240305` is a number. Rejected: everything ambiguous, such
as week and ordinal dates, zone names other than GMT and UTC, and hour 24.
"""

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple

from redstart.errors import ValueConversionError
from redstart.values.timestamps import (
    ALWAYS_EXACT_SECONDS,
    EPOCH,
    EPOCH_ORDINAL,
    FIRST_MICROSECOND,
    LAST_MICROSECOND,
    MICROSECOND,
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_SECOND,
    MILLISECONDS_PER_SECOND,
    NAIVE_EPOCH,
    NUMBER,
    is_milliseconds,
    microseconds_from_seconds,
    number_text,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

WHITE_SPACE = " \t\r\n\v\f"

MAX_CHARACTERS = 1_000
"""Longer text is not a date, and is not parsed."""

_ISO = re.compile(
    r"(?P<year>\d{4,})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[Tt _](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"(?: ?(?P<zone>[Zz]|[+\-\u2212]\d\d(?::?\d\d(?::\d\d(?:\.\d{6})?)?)?))?)?",
    re.ASCII,
).fullmatch

# Without a time the basic format would look like a number, so it requires one.
_ISO_BASIC = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T"
    r"(?P<hour>\d\d)(?P<minute>\d\d)(?:(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
).fullmatch

_EMAIL = re.compile(
    r"(?:(?P<weekday>[A-Z][a-z]{2}), *)?(?P<day>\d{1,2}) +(?P<month_name>[A-Z][a-z]{2}) +(?P<year>\d{4,}) +"
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))? +(?P<zone>[+-]\d{4}|[A-Z]{1,5})",
    re.ASCII,
).fullmatch

_OFFSET = re.compile(r"([+\-\u2212])(\d\d)(?::?(\d\d)(?::(\d\d)(?:\.(\d{6}))?)?)?", re.ASCII).fullmatch

_DATE = TemporalKind.DATE  # looking up a member of an enum costs as much as parsing a date

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UTC_NAMES = frozenset({"Z", "z", "GMT", "UTC", "UT"})


class TemporalText(NamedTuple):
    """An instant that was read from text."""

    microseconds: int
    """Microseconds since 1970 in UTC; for a date, those of its midnight."""
    naive: bool
    """The text had no offset."""
    exact: bool
    """False if digits below the microsecond were dropped."""


def read_temporal_text(text: str, kind: TemporalKind, naive_timezone: NaiveTimezone) -> TemporalText:
    """Return the instant that `text` represents in a field of this kind.

    A number is read like in `read_temporal_number`. A date field uses the calendar date in the text, regardless of its
    offset, at midnight UTC. In a datetime field a date alone is a naive datetime at 00:00. Digits below the microsecond
    are dropped.

    Args:
        text: with or without white space around it.
        kind: the declared type.
        naive_timezone: the zone of a datetime without an offset.

    Raises:
        ValueConversionError: not a date, or one that does not exist, happened twice, or is out of range.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueConversionError(f"not a date: longer than {MAX_CHARACTERS} characters")
    stripped = text.strip(WHITE_SPACE)
    match = _ISO(stripped) or _ISO_BASIC(stripped) or _EMAIL(stripped)
    if match is None:
        if NUMBER.fullmatch(stripped) is not None:
            return read_temporal_number(stripped, kind)
        raise ValueConversionError("not a date" if stripped else "only white space")
    moment, exact = _read_exactly(match)
    naive = moment.tzinfo is None
    if kind is _DATE:
        return TemporalText((moment.toordinal() - EPOCH_ORDINAL) * MICROSECONDS_PER_DAY, naive, True)
    if naive:
        return TemporalText(naive_timezone.microseconds(moment), True, exact)
    microseconds = (moment - EPOCH) // MICROSECOND
    if not FIRST_MICROSECOND <= microseconds <= LAST_MICROSECOND:
        raise ValueConversionError("outside the years 1 to 9999 in UTC")
    return TemporalText(microseconds, False, exact)


def read_temporal_number(text: str, kind: TemporalKind) -> TemporalText:
    """Return the instant of a number that matches NUMBER, to the nearest microsecond; for a date field, its midnight.

    Raises:
        ValueConversionError: outside the years 1 to 9999.
    """
    number = float(text)
    microseconds = microseconds_from_seconds(number)
    if kind is _DATE:
        return TemporalText(microseconds - microseconds % MICROSECONDS_PER_DAY, False, True)
    per_unit = MICROSECONDS_PER_SECOND
    if is_milliseconds(number):
        per_unit //= MILLISECONDS_PER_SECOND
    numerator, denominator = Decimal(text).as_integer_ratio()
    return TemporalText(microseconds, False, numerator * per_unit == microseconds * denominator)


def _read_exactly(match: re.Match[str]) -> tuple[datetime, bool]:
    """Return any accepted text as a datetime, and whether the datetime represents all its digits."""
    parts = match.groupdict()
    if len(parts["year"]) > 4:
        raise ValueConversionError("not a date" if parts["year"][0] == "0" else "year beyond 9999")
    year, month, day = int(parts["year"]), _month(parts), int(parts["day"])
    _require_exists("year", year, 1, 9999)
    _require_exists("month", month, 1, 12)
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise ValueConversionError("no such day in that month")
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    _require_exists("hour", hour, 0, 23)
    _require_exists("minute", minute, 0, 59)
    _require_exists("second", second, 0, 59)
    fraction = parts.get("fraction") or ""
    offset = None if parts["zone"] is None else _offset(parts["zone"])
    moment = datetime(year, month, day, hour, minute, second, int(fraction[:6].ljust(6, "0")), offset)
    _check_weekday(parts.get("weekday"), moment)
    return moment, not fraction[6:].strip("0")


def _month(parts: dict[str, str | None]) -> int:
    name = parts.get("month_name")
    if name is None:
        return int(parts["month"] or 0)
    if name not in _MONTHS:
        raise ValueConversionError(f"month {name} does not exist")
    return _MONTHS.index(name) + 1


def _require_exists(part: str, number: int, first: int, last: int) -> None:
    if not first <= number <= last:
        raise ValueConversionError(f"{part} {number} does not exist")


def _offset(text: str) -> timezone:
    """Return the offset of a zone: a UTC name or digits. RFC 5322's `-0000` is an instant in UTC too."""
    if text in _UTC_NAMES:
        return UTC
    match = _OFFSET(text)
    if match is None:
        raise ValueConversionError(f"time zone {text} has no fixed meaning")
    hours, minutes, seconds, microseconds = (int(digits or 0) for digits in match.groups()[1:])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueConversionError(f"offset {text} does not exist")
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)
    return timezone(size if match[1] == "+" else -size)


def _check_weekday(written: str | None, moment: datetime) -> None:
    """Raise ValueConversionError for a weekday that contradicts the date."""
    actual = _WEEKDAYS[moment.weekday()]
    if written not in (None, actual):
        raise ValueConversionError(f"{moment.date()} is a {actual}, not a {written}")


_ZERO_FOR_DIGITS = bytes.maketrans(b"123456789", b"000000000")

# `datetime.fromisoformat` alone accepts much more, and differs between versions of Python. Looking up the text without
# its digits takes a third of the time of matching a pattern. The value: whether the text ends with an offset.
_SHAPES = {b"0000-00-00": False} | {
    f"0000-00-00{separator}00:00:00{fraction}{zone}".encode(): zone[1:] != ""
    for separator in "Tt "
    for fraction in ("", ".000000")
    for zone in ("", "Z", "+00:00", "-00:00")
}

_moment_of = datetime.fromisoformat

_NAIVE = frozenset(shape for shape in _SHAPES if shape[19:] in (b"", b".000000"))
_PER_SECOND = MICROSECONDS_PER_SECOND
_SECONDS_PER_DAY = 86_400
_WITH_TIME = _NAIVE - {b"0000-00-00"}
"""Only these may have an offset."""

_UTC_OFFSETS = (b"Z", b"+00:00")
_FIRST_EXACT, _END_EXACT = b"1698", b"2242"
"""Years in which all moments are within ALWAYS_EXACT_SECONDS. Such texts are in the order of their moments."""


class UniformNumbers(NamedTuple):
    """The numbers to store for some texts.

    Attributes:
        times: their calendar time in microseconds since 1970, whatever their offset; None if any is before the second
            second of 1970.
    """

    numbers: list[bytes]
    times: list[int] | None
    is_naive: bool


def numbers_of_uniform_texts(
    texts: Sequence[bytes], kind: TemporalKind, naive_timezone: NaiveTimezone
) -> UniformNumbers | None:
    """Return `number_of_written_text` for each of many texts, in a third of the time.

    None if they are not all naive in UTC or all of one offset of 0, or any of them needs a careful look.
    """
    found = _uniform_moments(texts, kind, naive_timezone)
    if found is None:
        return None
    moments, is_naive = found
    elapsed = [moment - NAIVE_EPOCH for moment in moments]
    parts = [(one.days * _SECONDS_PER_DAY + one.seconds, one.microseconds) for one in elapsed]
    times = [seconds * _PER_SECOND + below for seconds, below in parts]
    if min(times) < _PER_SECOND:
        return UniformNumbers([number_text(time).encode() for time in times], None, is_naive)
    numbers = [
        (b"%d.%06d" % part).rstrip(b"0") if part[1] else b"%d.0" % part[0] for part in parts
    ]  # `written_number` of each: calls would take as long again
    return UniformNumbers(numbers, times, is_naive)


def are_naive_texts(texts: Sequence[bytes], kind: TemporalKind, naive_timezone: NaiveTimezone) -> bool | None:
    """Return whether texts are naive; None where `numbers_of_uniform_texts` returns None."""
    found = _uniform_moments(texts, kind, naive_timezone)
    return None if found is None else found[1]


def _uniform_moments(
    texts: Sequence[bytes], kind: TemporalKind, naive_timezone: NaiveTimezone
) -> tuple[list[datetime], bool] | None:
    """Return the calendar time of each text, and whether they are naive; None if any of them needs a careful look."""
    if kind is _DATE or not texts:
        return None
    offset = next((one for one in _UTC_OFFSETS if texts[0].endswith(one)), b"")
    if offset:
        if not all(text.endswith(offset) for text in texts):
            return None
        texts = [text[: -len(offset)] for text in texts]
    elif not naive_timezone.is_utc:
        return None
    joined = b"\n".join(texts)
    shapes = joined.translate(_ZERO_FOR_DIGITS).split(b"\n")
    different = set(shapes)
    are_plain = (
        len(shapes) == len(texts)
        and different <= (_WITH_TIME if offset else _NAIVE)
        and not any(shape[10:11] + b"24:" in joined for shape in different if shape[10:])
    )
    if not are_plain or min(texts) < _FIRST_EXACT or max(texts) >= _END_EXACT:
        return None
    try:
        return list(map(_moment_of, joined.decode().split("\n"))), not offset
    except ValueError:
        return None


def number_of_written_text(
    raw: bytes, kind: TemporalKind, naive_timezone: NaiveTimezone
) -> tuple[bytes, bool] | None:
    """Return the number to store for such text, and whether the text is naive.

    None for all other text, and in special cases, which `read_temporal_text` handles.
    """
    ends_with_offset = _SHAPES.get(raw.translate(_ZERO_FOR_DIGITS))
    # Python accepts offsets with 60 minutes and more, and since 3.14 hour 24.
    if ends_with_offset is None or raw[11:13] == b"24" or (ends_with_offset and raw[-2:] > b"59"):
        return None
    try:
        moment = _moment_of(raw.decode())
        naive = moment.tzinfo is None
        if kind is _DATE:
            return b"%d.0" % ((moment.toordinal() - EPOCH_ORDINAL) * _SECONDS_PER_DAY), naive
        if not naive:
            elapsed = moment - EPOCH
        elif naive_timezone.is_utc:
            elapsed = moment - NAIVE_EPOCH
        else:
            elapsed = naive_timezone.microseconds(moment) * MICROSECOND
    except (ValueError, ValueConversionError):
        return None
    seconds = elapsed.days * _SECONDS_PER_DAY + elapsed.seconds
    if not -ALWAYS_EXACT_SECONDS <= seconds < ALWAYS_EXACT_SECONDS:
        return None
    if not elapsed.microseconds:
        number = b"%d.0" % seconds
    elif seconds > 0:
        # Here floats distinguish adjacent microseconds, so the shortest text of a float has the same digits; and no
        # offset has fractions of a second.
        number = b"%d%b" % (seconds, raw[19:26].rstrip(b"0"))
    else:
        number = number_text(elapsed // MICROSECOND).encode()
    return number, naive
