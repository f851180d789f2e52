"""Instants as integer microseconds since 1970 in UTC, and their stored number.

A timestamp is stored as Unix seconds, a float. Between roughly 1700 and 2250 a float represents every microsecond
exactly; outside, `reads_back` returns whether it does. All arithmetic is on integers: a float is made once, at
the end, by a correctly rounded division. A hash stores other moments as `exact_text`, which redis-om reads
as the nearest float.
"""

import re
from datetime import UTC, date, datetime, timedelta

from redstart.errors import ValueConversionError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH = datetime(1970, 1, 1)
EPOCH_ORDINAL = EPOCH.toordinal()
MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND

FIRST_MICROSECOND = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LAST_MICROSECOND = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND

FIRST_SECOND = float(FIRST_MICROSECOND // MICROSECONDS_PER_SECOND)
END_SECOND = float(LAST_MICROSECOND // MICROSECONDS_PER_SECOND + 1)
"""Midnight after the last day of year 9999: the first number without a datetime."""

MILLISECONDS_PER_SECOND = 1_000
FIRST_MILLISECOND = FIRST_SECOND * MILLISECONDS_PER_SECOND
END_MILLISECOND = END_SECOND * MILLISECONDS_PER_SECOND
MIN_MILLISECONDS = 3e11
"""July 1979. Not nearer to END_SECOND: `datetime.max` rounds to that, and must not become a day in 1978."""

ALWAYS_EXACT_SECONDS = 2**33
ALWAYS_EXACT_MICROSECONDS = ALWAYS_EXACT_SECONDS * MICROSECONDS_PER_SECOND
"""Up to this distance from 1970 (years 1697 to 2242) neighbouring floats are less than 1 us apart."""

NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
"""What counts as a number in stored text: no `nan`, `inf`, underscores or white space."""

EXACT = re.compile(r"-?0\d{10,14}\.\d{6}", re.ASCII)
"""Seconds with all their digits. No float or Decimal is written with a zero before other digits."""

NO_FLOAT = "the nearest float is another microsecond; use whole seconds"


def microseconds_of(moment: datetime) -> int:
    """Return the microseconds since 1970 of an aware datetime; exact, also where UTC is outside the years 1 to 9999."""
    return (moment - EPOCH) // MICROSECOND


def seconds_of(moment: datetime) -> float:
    """Return the number to store of an aware datetime: `number_of` its microseconds, in one step."""
    return (moment - EPOCH).total_seconds()


def number_of(microseconds: int) -> float:
    """Return the number to store: the nearest float, in seconds."""
    return microseconds / MICROSECONDS_PER_SECOND


def number_text(microseconds: int) -> str:
    """Return the text to store: the shortest that reads back as the nearest float, as `1672531200.0`."""
    return repr(number_of(microseconds))


def written_number(microseconds: int) -> bytes:
    """Return the number to store for an instant from 1970 on, in half the time of `number_text`.

    They are the same where a float has all microseconds, but for instants in the first second of 1970.
    """
    seconds, below = divmod(microseconds, MICROSECONDS_PER_SECOND)
    return (b"%d.%06d" % (seconds, below)).rstrip(b"0") if below else b"%d.0" % seconds


def exact_text(microseconds: int) -> str:
    """Return the text to store of a number far from 0 that no float equals."""
    seconds, below = divmod(abs(microseconds), MICROSECONDS_PER_SECOND)
    return f"{'-' if microseconds < 0 else ''}0{seconds}.{below:06d}"


def exact_microseconds(text: str) -> int | None:
    """Return the microseconds of an `exact_text`; None of any other text."""
    return None if EXACT.fullmatch(text) is None else int(text.replace(".", ""))


def is_near(seconds: float) -> bool:
    """Return whether floats this far from 0 distinguish all microseconds."""
    return -ALWAYS_EXACT_SECONDS < seconds < ALWAYS_EXACT_SECONDS


def side_of(seconds: float, microseconds: int) -> int:
    """Return the side of a stored float: 0 if it reads as these microseconds, 1 if above them, -1 if below."""
    if is_near(seconds):
        return 0
    try:
        read = timedelta(seconds=seconds) // MICROSECOND
    except OverflowError:
        return 1 if seconds > 0 else -1
    return (read > microseconds) - (read < microseconds)


def microseconds_from_number(text: str) -> int:
    """Return the instant of a stored number of seconds or milliseconds, to the nearest microsecond.

    The number is read as a float and rounded half to even, as `datetime.fromtimestamp` and so every reader of
    it does; but an `exact_text` digit by digit.

    Raises:
        ValueConversionError: not a number, or outside the years 1 to 9999.
    """
    exact = exact_microseconds(text)
    if exact is not None:
        if not FIRST_MICROSECOND <= exact <= LAST_MICROSECOND:
            raise ValueConversionError(_why_out_of_range(float(text)))
        return exact
    seconds = seconds_from_number(text)
    if seconds is None:
        raise ValueConversionError("not a number")
    return microseconds_from_seconds(seconds)


def seconds_from_number(text: str) -> float | None:
    """Return a stored number as a float; None for what is not a number."""
    return None if NUMBER.fullmatch(text) is None else float(text)


def microseconds_from_seconds(seconds: float) -> int:
    """Return the result of `microseconds_from_number` for the number itself. Raises ValueConversionError."""
    return _since_epoch(seconds) // MICROSECOND


def is_milliseconds(number: float) -> bool:
    """Return whether a number means milliseconds: further from 0 than any number of seconds that is stored of a date.

    pydantic, and so redis-om, takes a number above 2e10 for milliseconds; but up to the year 9999 that is what is
    stored of a date.
    """
    return FIRST_MILLISECOND <= number <= -MIN_MILLISECONDS or MIN_MILLISECONDS <= number < END_MILLISECOND


def _since_epoch(number: float) -> timedelta:
    if FIRST_SECOND <= number < END_SECOND:
        return timedelta(seconds=number)
    if is_milliseconds(number):
        return timedelta(milliseconds=number)
    raise ValueConversionError(_why_out_of_range(number))


def _why_out_of_range(number: float) -> str:
    if 1e15 <= abs(number) < 1e16:
        return "not seconds: 16 digits look like microseconds"
    if 1e18 <= abs(number) < 1e19:
        return "not seconds: 19 digits look like nanoseconds"
    return "number of seconds outside the years 1 to 9999"


def reads_back(text: str, microseconds: int) -> bool:
    """Return whether stored `text` means exactly these microseconds."""
    try:
        return microseconds_from_number(text) == microseconds
    except ValueConversionError:
        return False


def datetime_from_seconds(seconds: float) -> datetime:
    """Return the aware UTC datetime of a number of seconds or milliseconds.

    Raises:
        ValueConversionError: outside the years 1 to 9999.
    """
    return EPOCH + _since_epoch(seconds)


def date_from_seconds(seconds: float) -> date:
    """Return the UTC day of a number of seconds or milliseconds.

    Raises ValueConversionError outside the years 1 to 9999.
    """
    return datetime_from_seconds(seconds).date()
