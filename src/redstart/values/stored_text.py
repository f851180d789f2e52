"""Text under which values are stored in a hash, and in a JSON document where JSON has no such type.

`documents.value_encoder` writes it, and `search.escaping` queries it: the tags of an index are made of this text.
"""

import base64
from datetime import date, time, timedelta
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
