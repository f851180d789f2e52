"""Malformed values, in classes: values in real databases that redis-om did not write, but imports or scripts.

A class formats a random instant in its own way, or makes a value that is not a date. A value with an instant must be
converted to exactly this instant; all others must remain unchanged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from redstart.demo import civil
from redstart.demo.slots import Expected, Raw, SampleValue, Slot
from redstart.values.types import Storage, TemporalKind

Maker: TypeAlias = Callable[[Slot, Random], tuple[Raw, Expected]]
Fits: TypeAlias = Callable[[Slot], bool]

IMPOSSIBLE_DATES = ("2023-13-45", "2023-02-30", "2023-02-29T10:00:00", "2021-06-31T25:00:00")
NOT_FINITE = ("nan", "inf", "-inf", "NaN", "Infinity")
NOT_UTF8 = (b"\xff\xfe2019-05-01", b"2019-05-01T10:00:00\x80", b"\xc3\x28")
OBJECTS = ({"$date": "2019-05-01T10:00:00Z"}, {"year": "2019", "month": "5"})
OFFSETS = (330, 120, 0, -420)

LAST_SECOND = civil.instant(9999, 12, 31, hour=23, minute=59, second=59)
FIRST_SECOND = civil.instant(1, 1, 1)


@dataclass(frozen=True, slots=True)
class DirtyClass:
    """A class of malformed values.

    Attributes:
        name: its name in reports.
        fits: whether it can occur in a slot.
        make: generates a value and its expected result.
    """

    name: str
    fits: Fits
    make: Maker

    def value(self, slot: Slot, random: Random) -> SampleValue:
        """Return a value of this class."""
        return SampleValue(*self.make(slot, random), self.name)


def _anywhere(_slot: Slot) -> bool:
    return True


def _in_hash(slot: Slot) -> bool:
    return slot.storage is Storage.HASH


def _in_json(slot: Slot) -> bool:
    return slot.storage is Storage.JSON


def _in_datetime(slot: Slot) -> bool:
    return slot.kind is TemporalKind.DATETIME


def _in_date(slot: Slot) -> bool:
    return slot.kind is TemporalKind.DATE


def _whole_second(random: Random) -> int:
    """Return an instant of the years 2002 to 2023, whose milliseconds have 13 digits."""
    return random.randrange(civil.instant(2002, 1, 1), civil.instant(2024, 1, 1), civil.SECOND)


def _millisecond(random: Random) -> int:
    return _whole_second(random) + 1_000 * random.randrange(1, 1_000)


def _unconvertible(*choices: Raw) -> Maker:
    def make(_slot: Slot, random: Random) -> tuple[Raw, Expected]:
        return random.choice(choices), "unconvertible"

    return make


def _empty(slot: Slot, _random: Random) -> tuple[Raw, Expected]:
    return "", "null" if slot.optional and slot.storage is Storage.HASH else "unconvertible"


def _null(_slot: Slot, _random: Random) -> tuple[Raw, Expected]:
    return None, "null"


def _epoch_seconds_text(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = _whole_second(random)
    return str(moment // civil.SECOND), slot.instant_of(moment)


def _epoch_seconds_number(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = _whole_second(random)
    return moment // civil.SECOND, slot.instant_of(moment)


def _epoch_milliseconds_text(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = _millisecond(random)
    return str(moment // 1_000), slot.instant_of(moment)


def _epoch_milliseconds_number(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = _millisecond(random)
    return moment // 1_000, slot.instant_of(moment)


def _already_migrated(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    # Milliseconds, because RedisJSON's parser rounds the 17th digit wrongly.
    moment = slot.instant_of(_millisecond(random))
    return moment / civil.SECOND if slot.storage is Storage.JSON else civil.seconds_text(moment), moment


def _space_separator(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = random.choice((_whole_second, _millisecond))(random)
    return civil.iso_datetime(moment, separator=" "), slot.instant_of(moment)


def _rfc2822(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment, offset = _whole_second(random), random.choice(OFFSETS)
    return civil.rfc2822(moment, offset), slot.instant_of(moment, offset)


def _trailing_z(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = random.choice((_whole_second, _millisecond))(random)
    return civil.iso_datetime(moment, suffix="Z"), slot.instant_of(moment)


def _date_in_datetime(_slot: Slot, random: Random) -> tuple[Raw, Expected]:
    day = _whole_second(random) // civil.DAY
    return civil.iso_date(day), day * civil.DAY


def _datetime_in_date(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment, offset = _whole_second(random), random.choice(OFFSETS)
    text = civil.iso_datetime(moment, offset=offset, suffix=civil.offset_text(offset))
    return text, slot.instant_of(moment, offset)


def _at(moment: int) -> Maker:
    def make(slot: Slot, _random: Random) -> tuple[Raw, Expected]:
        if slot.kind is TemporalKind.DATE:
            return civil.iso_date(moment // civil.DAY), slot.instant_of(moment)
        return civil.iso_datetime(moment), moment

    return make


def _far_microseconds(_slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = random.randrange(civil.instant(3000, 1, 1), civil.instant(9000, 1, 1))
    return civil.iso_datetime(moment), moment


DIRTY_CLASSES = (
    DirtyClass("not_available", _anywhere, _unconvertible("N/A")),
    DirtyClass("empty", _anywhere, _empty),
    DirtyClass("null", _in_json, _null),
    DirtyClass("impossible_date", _anywhere, _unconvertible(*IMPOSSIBLE_DATES)),
    DirtyClass("five_digit_year", _anywhere, _unconvertible("12023-01-01T00:00:00")),
    DirtyClass("not_finite", _anywhere, _unconvertible(*NOT_FINITE)),
    DirtyClass("not_utf8", _in_hash, _unconvertible(*NOT_UTF8)),
    DirtyClass("boolean", _in_json, _unconvertible(True, False)),
    DirtyClass("object", _in_json, _unconvertible(*OBJECTS)),
    DirtyClass("epoch_seconds_text", _anywhere, _epoch_seconds_text),
    DirtyClass("epoch_seconds_number", _in_json, _epoch_seconds_number),
    DirtyClass("epoch_milliseconds_text", _anywhere, _epoch_milliseconds_text),
    DirtyClass("epoch_milliseconds_number", _in_json, _epoch_milliseconds_number),
    DirtyClass("already_migrated", _anywhere, _already_migrated),
    DirtyClass("space_separator", _anywhere, _space_separator),
    DirtyClass("rfc2822", _anywhere, _rfc2822),
    # In JSON, redis-om itself wrote datetimes with a trailing Z.
    DirtyClass("trailing_z", lambda slot: _in_hash(slot) or _in_date(slot), _trailing_z),
    DirtyClass("date_in_datetime", _in_datetime, _date_in_datetime),
    DirtyClass("datetime_in_date", _in_date, _datetime_in_date),
    DirtyClass("year_1", _anywhere, _at(FIRST_SECOND)),
    DirtyClass("year_9999", _anywhere, _at(LAST_SECOND)),
    # The nearest float to Python's last microsecond is in the year 10000, which no reader accepts.
    DirtyClass("last_microsecond", _in_datetime, _unconvertible("9999-12-31T23:59:59.999999")),
    DirtyClass("before_year_1", _in_datetime, _unconvertible("0001-01-01T00:00:00+05:30")),
    # A float of this size has no microseconds: the nearest float is expected. RedisJSON would change the number.
    DirtyClass("far_microseconds", lambda slot: _in_hash(slot) and _in_datetime(slot), _far_microseconds),
)
"""In a date field, a value with a time stands for midnight UTC of its calendar date."""


def classes_for(slot: Slot) -> tuple[DirtyClass, ...]:
    """Return the classes that can occur in a slot."""
    return tuple(one for one in DIRTY_CLASSES if one.fits(slot))
