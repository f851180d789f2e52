"""The sample's own calendar agrees with Python's, which it does not use."""

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime

from hypothesis import example, given
from hypothesis import strategies as st

from redstart.demo import slots

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()

# Whole days away from both ends, so that no offset leaves the calendar.
MOMENTS = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC))
OFFSETS = st.integers(min_value=-14 * 60, max_value=14 * 60)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(st.dates())
@example(date(1, 1, 1))
@example(date(9999, 12, 31))
@example(date(2000, 2, 29))
@example(date(1900, 3, 1))
def test_days(day: date) -> None:
    number = day.toordinal() - EPOCH_DAY
    assert slots.day_number(day.year, day.month, day.day) == number
    assert slots.year_month_day(number) == (day.year, day.month, day.day)
    assert slots.iso_date(number) == day.isoformat()


@given(MOMENTS, OFFSETS)
def test_datetimes(moment: datetime, offset: int) -> None:
    local = moment.astimezone(timezone(timedelta(minutes=offset)))
    instant = microseconds(moment)
    text = slots.iso_datetime(instant, offset=offset, suffix=slots.offset_text(offset))
    assert text == local.isoformat()
    naive = local.replace(tzinfo=None)
    assert slots.iso_datetime(instant, offset=offset, separator=" ") == naive.isoformat(" ")


@given(MOMENTS, OFFSETS)
def test_mail_dates(moment: datetime, offset: int) -> None:
    local = moment.astimezone(timezone(timedelta(minutes=offset)))
    assert slots.rfc2822(microseconds(moment), offset) == format_datetime(local)


@given(st.integers(min_value=-(10**15), max_value=2 * 10**15))
@example(0)
@example(-1)
@example(-500_000)
def test_seconds_are_what_python_writes(instant: int) -> None:
    # Up to about 2033 a float's shortest text has all six decimals; one microsecond is the exception
    # (1e-06), as are all below 100.
    if abs(instant) >= 100 or instant == 0:
        assert slots.seconds_text(instant) == repr(instant / 1_000_000)
    else:
        assert slots.seconds_text(instant) == f"{instant / 1_000_000:.6f}".rstrip("0")


def test_a_wall_clock() -> None:
    assert slots.instant(2023, 1, 1) == 1_672_531_200_000_000
    assert slots.instant(2023, 1, 3, hour=8, minute=20, second=30) == microseconds(
        datetime(2023, 1, 3, 8, 20, 30, tzinfo=UTC)
    )
