"""Text that redis-om 0.3.5 would have stored for a numeric value."""

from datetime import timedelta

from redstart.errors import ValueConversionError
from redstart.values.timestamps import EPOCH, microseconds_from_number
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, TemporalKind


def legacy_text(
    number: str, *, kind: TemporalKind, storage: Storage, naive: bool, naive_timezone: NaiveTimezone
) -> bytes | None:
    """Return a stored number of seconds in text format, as bytes of a hash value or as JSON text.

    Args:
        number: the stored number.
        kind: the declared type of the field.
        storage: 0.3.5 wrote the offset of UTC as `+00:00` in hashes and as `Z` in JSON.
        naive: write a datetime without an offset, in local time of `naive_timezone`. If that time is ambiguous, or its
            year is not 1 to 9999, it is written in UTC and with its offset.
        naive_timezone: the zone of a datetime without an offset.

    Returns:
        The text; None if the number is not a time in the years 1 to 9999.
        The text; None for what is not a number of seconds in the years 1 to 9999.
    """
    try:
        if kind is TemporalKind.DATE:
            text = (EPOCH + timedelta(microseconds=microseconds_from_number(number))).date().isoformat()
        else:
            microseconds = microseconds_from_number(number)
            shown = naive_timezone.naive_datetime(microseconds) if naive else None
            text = _utc_text(microseconds, storage) if shown is None else shown.isoformat()
    except ValueConversionError:
        return None
    return f'"{text}"'.encode() if storage is Storage.JSON else text.encode()


def _utc_text(microseconds: int, storage: Storage) -> str:
    text = (EPOCH + timedelta(microseconds=microseconds)).isoformat()
    return text.removesuffix("+00:00") + "Z" if storage is Storage.JSON else text
