import math
from datetime import UTC, datetime
from decimal import localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redstart.errors import ValueConversionError
from redstart.values.timestamps import (
    ALWAYS_EXACT_MICROSECONDS,
    ALWAYS_EXACT_SECONDS,
    END_SECOND,
    FIRST_MICROSECOND,
    FIRST_SECOND,
    LAST_MICROSECOND,
    date_from_seconds,
    datetime_from_seconds,
    is_near,
    microseconds_from_number,
    microseconds_of,
    number_text,
    reads_back,
    side_of,
)

numbers = st.floats(FIRST_SECOND, END_SECOND, exclude_max=True)


@given(numbers)
@example(0.0000005)
@example(-0.0000015)
@example(253402300799.99997)
@example(-62135596800.0)
def test_a_number_reads_as_fromtimestamp_reads_it(seconds: float) -> None:
    assert datetime_from_seconds(seconds) == datetime.fromtimestamp(seconds, UTC)
    assert date_from_seconds(seconds) == datetime.fromtimestamp(seconds, UTC).date()


@given(st.integers(-ALWAYS_EXACT_MICROSECONDS, ALWAYS_EXACT_MICROSECONDS))
@example(ALWAYS_EXACT_MICROSECONDS)
@example(-ALWAYS_EXACT_MICROSECONDS)
@example(ALWAYS_EXACT_MICROSECONDS - 1)
@example(1)
def test_near_1970_every_microsecond_survives(microseconds: int) -> None:
    assert reads_back(number_text(microseconds), microseconds)


def test_far_from_1970_some_do_not() -> None:
    far = range(ALWAYS_EXACT_MICROSECONDS + 1, ALWAYS_EXACT_MICROSECONDS + 100)
    assert not all(reads_back(number_text(microseconds), microseconds) for microseconds in far)


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_of_is_exact(moment: datetime) -> None:
    whole_seconds = int(moment.replace(microsecond=0).timestamp())
    assert microseconds_of(moment) == whole_seconds * 1_000_000 + moment.microsecond


def test_the_range_is_years_1_to_9999() -> None:
    assert microseconds_from_number("-62135596800.0") == FIRST_MICROSECOND
    assert LAST_MICROSECOND - 31 <= microseconds_from_number("253402300799.99997") <= LAST_MICROSECOND
    for text in ("-62135596800.00001", "253402300800.0", "253402300799.999999", "1e300", "1e999", "-1e999"):
        with pytest.raises(ValueConversionError, match="outside the years"):
            microseconds_from_number(text)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "nan", "inf", "Infinity", "1_0", "0x10", "١٢", "1e", ".", "1,5"]
)
def test_what_is_not_a_number(text: str) -> None:
    with pytest.raises(ValueConversionError, match="not a number"):
        microseconds_from_number(text)


def test_the_callers_decimal_context_changes_nothing() -> None:
    with localcontext() as context:
        context.prec = 3
        assert microseconds_from_number("1672531200.123456") == 1672531200123456


def test_floats_near_zero_distinguish_all_microseconds() -> None:
    bound = float(ALWAYS_EXACT_SECONDS)
    assert [is_near(number) for number in (0.0, math.nextafter(bound, 0), math.nextafter(-bound, 0))] == [
        *(True, True, True)
    ]
    assert not is_near(bound)
    assert not is_near(-bound)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_side_of_a_float_that_no_microsecond_equals(sign: int) -> None:
    seconds = sign * 100_000_000_000.0
    microseconds = sign * 100_000_000_000_000_000
    assert side_of(seconds, microseconds) == 0
    assert side_of(seconds, microseconds + 1) == -1
    assert side_of(seconds, microseconds - 1) == 1
    assert side_of(sign * 1e300, microseconds) == sign
    assert side_of(sign * 0.5, microseconds) == 0
