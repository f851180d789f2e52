"""Texts of instants with the numbers that are stored of them, as integers: how the undo log keeps them in few bytes.

A number follows from the calendar time of its text: it is that instant, or in another time zone one some hours later.
So a form of the text, its calendar time and this shift are a text and a number. What they are for integers that were
stored is never changed.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from redstart.values.timestamps import MICROSECOND, MICROSECONDS_PER_SECOND, NAIVE_EPOCH, written_number

_ZERO_FOR_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_DATE_ALONE = b"0000-00-00"
_FORMS = [
    _DATE_ALONE,
    *(
        f"0000-00-00{separator}00:00:00{fraction}{zone}".encode()
        for separator in "Tt "
        for fraction in ("", ".000000")
        for zone in ("", "Z", "+00:00", "-00:00")
    ),
]
"""What is left of the texts without their digits. The order is part of the format: new ones are appended."""

_UNSHIFTED = {form: (number, 0) for number, form in enumerate(_FORMS)}
"""The styles of texts whose numbers are those of their calendar times: see `PackedPairs`."""
_LENGTHS = [10 if form == _DATE_ALONE else 26 if b"." in form else 19 for form in _FORMS]
"""Lengths of the texts without their zone."""

_ZONES = [form[length:].decode() for form, length in zip(_FORMS, _LENGTHS, strict=True)]

_NUMBER = re.compile(rb"(\d{1,10})\.(\d{1,6})").fullmatch


class PackedPairs(NamedTuple):
    """Some texts and their numbers.

    Attributes:
        styles: the number of the form of each text, and how many microseconds later the instant of its number is.
        times: their calendar times, in microseconds since 1970.
    """

    styles: Sequence[tuple[int, int]]
    times: Sequence[int]


def packed_pairs(texts: bytes, numbers: Sequence[bytes], times: Sequence[int | None]) -> PackedPairs | None:
    """Return texts with their numbers as integers; None if that is not possible for one of them.

    Args:
        texts: one in each line.
        times: the calendar times, if `written_number` makes all numbers from them; others are not used, and calculated.
    """
    found = list(map(_UNSHIFTED.get, texts.translate(_ZERO_FOR_DIGITS).split(b"\n"))) if numbers else []
    if len(found) != len(numbers) or None in found:
        return None
    unshifted: list[Any] = found
    known: Sequence[Any] = times
    if len(known) == len(numbers) and None not in known:
        return PackedPairs(unshifted, known)
    return _calculated(texts.decode().split("\n"), [form for form, _ in unshifted], numbers)


def unpacked_pair(form: int, time: int, shift: int) -> tuple[bytes, bytes]:
    """Return a text and its number. Raises IndexError, OverflowError for integers that are none."""
    moment = NAIVE_EPOCH + timedelta(microseconds=time)
    shape = _FORMS[form]
    if shape == _DATE_ALONE:
        text = moment.date().isoformat().encode()
    else:
        timespec = "microseconds" if b"." in shape else "seconds"
        text = moment.isoformat(chr(shape[10]), timespec).encode() + shape[_LENGTHS[form] :]
    return text, written_number(time + shift)


def _calculated(texts: Sequence[str], forms: Sequence[int], numbers: Sequence[bytes]) -> PackedPairs | None:
    lengths = [_LENGTHS[form] for form in forms]
    # Without their digits, offsets of 0 look like others.
    if any(_ZONES[form] != text[length:] for text, length, form in zip(texts, lengths, forms, strict=True)):
        return None
    if any(text[11:13] == "24" for text in texts):
        return None
    try:
        moments = [datetime.fromisoformat(text[:length]) for text, length in zip(texts, lengths, strict=True)]
    except ValueError:
        return None
    times = [(moment - NAIVE_EPOCH) // MICROSECOND for moment in moments]
    shifts = [_shift(time, number) for time, number in zip(times, numbers, strict=True)]
    known = [shift for shift in shifts if shift is not None]
    return PackedPairs(list(zip(forms, known, strict=True)), times) if len(known) == len(shifts) else None


def _shift(time: int, number: bytes) -> int | None:
    """Return how much later the instant of a number is; None if the number is not that of an instant."""
    if time >= 0 and written_number(time) == number:
        return 0
    match = _NUMBER(number)
    if match is None:
        return None
    instant = int(match[1]) * MICROSECONDS_PER_SECOND + int(match[2].ljust(6, b"0"))
    return instant - time if written_number(instant) == number else None
