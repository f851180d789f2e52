"""Fast path for text in the exact format of isoformat(), converted to the stored number.

The result is that of `temporal_text` and `timestamps`, in a tenth of the time: nearly every value of a database is
such text, and a run classifies each of them three times.
"""

from datetime import datetime

from redstart.errors import ValueConversionError
from redstart.values.timestamps import (
    ALWAYS_EXACT_SECONDS,
    EPOCH,
    EPOCH_ORDINAL,
    MICROSECOND,
    NAIVE_EPOCH,
    number_text,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

_ZERO_FOR_DIGITS = bytes.maketrans(b"123456789", b"000000000")

# `datetime.fromisoformat` alone accepts much more, and not the same in every Python. Looking up what is left of a
# text without its digits costs a third of matching a pattern. The value: whether an offset ends the text.
_SHAPES = {b"0000-00-00": False} | {
    f"0000-00-00{separator}00:00:00{fraction}{zone}".encode(): zone[1:] != ""
    for separator in "Tt "
    for fraction in ("", ".000000")
    for zone in ("", "Z", "+00:00", "-00:00")
}

_moment_of = datetime.fromisoformat
_DATE = TemporalKind.DATE  # looking up a member of an enum costs as much as parsing a date


def number_of_written_text(
    raw: bytes, kind: TemporalKind, naive_timezone: NaiveTimezone
) -> tuple[bytes, bool] | None:
    """Return the number to store for such text, and whether the text is naive.

    None for every other text, and where a careful look is needed: `read_temporal_text` has the last word.
    """
    ends_with_offset = _SHAPES.get(raw.translate(_ZERO_FOR_DIGITS))
    # Python takes an offset of 60 minutes and more, and from 3.14 on hour 24.
    if ends_with_offset is None or raw[11:13] == b"24" or (ends_with_offset and raw[-2:] > b"59"):
        return None
    try:
        moment = _moment_of(raw.decode())
        naive = moment.tzinfo is None
        if kind is _DATE:
            return b"%d.0" % ((moment.toordinal() - EPOCH_ORDINAL) * 86_400), naive
        if not naive:
            elapsed = moment - EPOCH
        elif naive_timezone.is_utc:
            elapsed = moment - NAIVE_EPOCH
        else:
            elapsed = naive_timezone.microseconds(moment) * MICROSECOND
    except (ValueError, ValueConversionError):
        return None
    seconds = elapsed.days * 86_400 + elapsed.seconds
    if not -ALWAYS_EXACT_SECONDS <= seconds < ALWAYS_EXACT_SECONDS:
        return None
    if not elapsed.microseconds:
        number = b"%d.0" % seconds
    elif seconds > 0:
        # A float tells neighbouring microseconds apart here, so the shortest text for it has the same digits; and
        # no offset has a part of a second.
        number = b"%d%b" % (seconds, raw[19:26].rstrip(b"0"))
    else:
        number = number_text(elapsed // MICROSECOND).encode()
    return number, naive
