"""Text under which values are stored in a hash or a JSON document, and numbers that an index can distinguish.

In JSON it is the text of values of types that JSON does not have.
"""

import base64
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final

from redstart.values.timestamps import MICROSECOND, exact_text, side_of

BOOLEAN_TEXTS: Final = {True: "1", False: "0"}
"""Booleans in a hash. JSON has booleans, whose tags are `true` and `false`."""


def bytes_text(data: Any) -> str:
    """Return the text of bytes: base64, as in redis-om."""
    return base64.b64encode(data).decode()


def iso_text(value: time | date) -> str:
    """Return the text of a time, or of a date that is not stored as a number."""
    # Not what a subclass may show.
    return time.isoformat(value) if isinstance(value, time) else value.isoformat()


def inexact_text(seconds: float, microseconds: int) -> str | None:
    """Return the text of microseconds that differ from their nearest float; None if the float is stored.

    Args:
        seconds: the nearest float.
    """
    return None if side_of(seconds, microseconds) == 0 else exact_text(microseconds)


def span_text(span: timedelta) -> str:
    """Return the text of a time span: its seconds."""
    seconds = timedelta.total_seconds(span)
    return inexact_text(seconds, span // MICROSECOND) or repr(seconds)


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
