"""Slots of dates in documents with their expected results, and instants as text by integer arithmetic."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from redstart.values.types import Storage, TemporalKind

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND

DAYS_OF_400_YEARS = 146_097
DAYS_FROM_MARCH_OF_YEAR_0 = 719_468
"""Days from 1 March of the year 0 to 1 January 1970. A year that starts in March has its leap day last."""

WEEKDAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
"""In the order of days since 1970-01-01, a Thursday."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_number(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a calendar day."""
    march_year = year - (month < 3)
    months_since_march = (month - 3) % 12
    day_of_year = (153 * months_since_march + 2) // 5 + day - 1
    leap_days = march_year // 4 - march_year // 100 + march_year // 400
    return 365 * march_year + leap_days + day_of_year - DAYS_FROM_MARCH_OF_YEAR_0


def year_month_day(day: int) -> tuple[int, int, int]:
    """Return year, month and day of the calendar day `day` days after 1970-01-01."""
    era, day_of_era = divmod(day + DAYS_FROM_MARCH_OF_YEAR_0, DAYS_OF_400_YEARS)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    months_since_march = (5 * day_of_year + 2) // 153
    month = (months_since_march + 2) % 12 + 1
    return (
        400 * era + year_of_era + (month < 3),
        month,
        day_of_year - (153 * months_since_march + 2) // 5 + 1,
    )


def instant(year: int, month: int, day: int, *, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """Return microseconds since 1970 of a wall clock in UTC."""
    return day_number(year, month, day) * DAY + (hour * 60 + minute) * MINUTE + second * SECOND


def iso_date(day: int) -> str:
    """Return days since 1970 as a date: `2023-01-03`."""
    return "{:04}-{:02}-{:02}".format(*year_month_day(day))


def iso_datetime(moment: int, *, offset: int = 0, suffix: str = "", separator: str = "T") -> str:
    """Return the wall clock `offset` minutes east of UTC; microseconds only if not zero, as in Python.

    Args:
        moment: microseconds since 1970.
        offset: minutes east of UTC of the wall clock shown.
        suffix: empty, `Z` or the text of the offset.
        separator: the text between date and time.
    """
    day, rest = divmod(moment + offset * MINUTE, DAY)
    seconds, fraction = divmod(rest, SECOND)
    year, month, day_of_month = year_month_day(day)
    text = f"{year:04}-{month:02}-{day_of_month:02}{separator}{clock(seconds)}"
    return f"{text}.{fraction:06}{suffix}" if fraction else text + suffix


def clock(seconds: int) -> str:
    """Return seconds since midnight as a time: `10:20:30`."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def offset_text(minutes: int, colon: str = ":") -> str:
    """Return minutes as an offset: `+05:30` for 330."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"


def rfc2822(moment: int, offset: int) -> str:
    """Return the date of a mail header (RFC 2822, section 3.3): `Tue, 03 Jan 2023 10:20:30 +0200`."""
    day, rest = divmod(moment + offset * MINUTE, DAY)
    year, month, day_of_month = year_month_day(day)
    date = f"{WEEKDAYS[day % 7]}, {day_of_month:02} {MONTHS[month - 1]} {year:04}"
    return f"{date} {clock(rest // SECOND)} {offset_text(offset, colon='')}"


def seconds_text(moment: int) -> str:
    """Return seconds since 1970 with at least one decimal: `1701435022.5`, `-86400.0`."""
    seconds, fraction = divmod(abs(moment), SECOND)
    decimals = f"{fraction:06}".rstrip("0") or "0"
    return f"{'-' if moment < 0 else ''}{seconds}.{decimals}"


Location: TypeAlias = tuple[str | int, ...]
"""The location of a value: member names, map keys, positions in lists. In a hash: one name."""

Expected: TypeAlias = int | Literal["null", "unconvertible"]
"""The instant expected after a migration, in microseconds since 1970; or the reason why the value is unchanged."""

Raw: TypeAlias = str | bytes | int | float | bool | dict[str, str] | None
"""A stored value: text, bytes that are not UTF-8 (hash), or any JSON value."""


class SampleValue(NamedTuple):
    """A value, its expected result, and its malformed class (None: redis-om wrote it)."""

    raw: Raw
    expected: Expected
    dirty: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """The declaration of a temporal value in a model."""

    storage: Storage
    kind: TemporalKind
    optional: bool = False

    def instant_of(self, moment: int, offset: int = 0) -> int:
        """Return the instant of a value: the moment itself, or midnight UTC of its date in a date field.

        Args:
            moment: microseconds since 1970.
            offset: the offset of the value, in minutes east of UTC.
        """
        if self.kind is TemporalKind.DATETIME:
            return moment
        return (moment + offset * MINUTE) // DAY * DAY
