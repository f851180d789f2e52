"""Text of values, and numbers that an index of floats distinguishes, at the bounds."""

from datetime import date, time, timedelta

import pytest

from redstart.values.stored_text import (
    MAX_FLOAT_INTEGER,
    TOO_MANY_DIGITS,
    inexact_text,
    iso_text,
    reason_against_digits,
    reason_against_integer,
    span_text,
)
from redstart.values.types import Storage, has_text


class ShownOtherwise(time):
    def isoformat(self, timespec: str = "auto") -> str:
        return "shown"


def test_a_time_and_a_date_are_written_as_iso_text() -> None:
    assert iso_text(time(9, 30)) == "09:30:00"
    assert iso_text(date(2024, 5, 1)) == "2024-05-01"
    assert iso_text(ShownOtherwise(9, 30)) == "09:30:00"


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_that_floats_distinguish(sign: int) -> None:
    assert reason_against_integer(sign * MAX_FLOAT_INTEGER) is None
    reason = reason_against_integer(sign * (MAX_FLOAT_INTEGER + 1))
    assert reason is not None
    assert str(MAX_FLOAT_INTEGER) in reason
    assert reason_against_digits(str(sign * MAX_FLOAT_INTEGER)) is None
    assert reason_against_digits(str(sign * (MAX_FLOAT_INTEGER + 1))) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(("+12", None), ("-12", None), ("0.5", None), ("-0.50", None), ("1e3", None)),
        (f"+{MAX_FLOAT_INTEGER + 1}", reason_against_integer(MAX_FLOAT_INTEGER + 1)),
        *(("0.12345678901234567", TOO_MANY_DIGITS), ("-9007199254740992.5", TOO_MANY_DIGITS)),
    ],
)
def test_numbers_that_floats_distinguish(text: str, reason: str | None) -> None:
    assert reason_against_digits(text) == reason


def test_seconds_that_no_float_equals_are_written_digit_by_digit() -> None:
    assert inexact_text(0.5, 500_000) is None
    assert span_text(timedelta(seconds=1, microseconds=5)) == "1.000005"
    span = timedelta(days=999_999_998, microseconds=1)
    assert span_text(span) == "086399999827200.000001"
    assert span_text(-span) == "-086399999827200.000001"


def test_what_has_a_text() -> None:
    class WithText:
        def __str__(self) -> str:
            return "text"

    class WithRepresentation:
        def __repr__(self) -> str:
            return "representation"

    assert [has_text(value) for value in (1, WithText(), WithRepresentation(), object())] == [
        *(True, True, True, False)
    ]


def test_the_type_of_a_key() -> None:
    assert (Storage.HASH.key_type, Storage.JSON.key_type) == (b"hash", b"ReJSON-RL")
