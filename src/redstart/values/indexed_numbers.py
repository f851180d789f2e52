"""Limits of numbers on the server, and which numbers an index can tell apart: it stores floats."""

from decimal import Decimal
from typing import Final

MIN_INT64: Final = -(2**63)
MAX_INT64: Final = 2**63 - 1
"""Commands take integers within these bounds only. RedisJSON stores those exactly, and others as the nearest float."""

MAX_FLOAT_INTEGER: Final = 2**53
"""Up to here every whole number is a float of its own."""

TOO_MANY_DIGITS: Final = (
    "a NUMERIC field stores floats, and the nearest float is another number; index it as text"
)


def reason_against_integer(number: int) -> str | None:
    """Return why an index cannot distinguish this integer from others; None if it can."""
    if -MAX_FLOAT_INTEGER <= number <= MAX_FLOAT_INTEGER:
        return None
    return f"a NUMERIC field stores floats, which are exact for integers up to {MAX_FLOAT_INTEGER}; index it as text"


def reason_against_digits(text: str) -> str | None:
    """Return why an index cannot distinguish the number of this text from others; None if it can."""
    if text.lstrip("+-").isdecimal():
        return reason_against_integer(int(text))
    return None if Decimal(repr(float(text))) == Decimal(text) else TOO_MANY_DIGITS
