"""Malformed values, in classes: values in real databases that redis-om did not write, but imports or scripts.

A class formats a random instant in its own way, or makes a value that is not a date. A value with an instant must be
converted to exactly this instant; all others must remain unchanged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import NamedTuple, TypeAlias

from redstart.demo import slots
from redstart.demo.slots import Expected, Raw, SampleValue, Slot
from redstart.values.types import Storage, TemporalKind

Maker: TypeAlias = Callable[[Slot, Random], tuple[Raw, Expected]]
Fits: TypeAlias = Callable[[Slot], bool]

IMPOSSIBLE_DATES = ("2023-13-45", "2023-02-30", "2023-02-29T10:00:00", "2021-06-31T25:00:00")
NOT_FINITE = ("nan", "inf", "-inf", "NaN", "Infinity")
NOT_UTF8 = (b"\xff\xfe2019-05-01", b"2019-05-01T10:00:00\x80", b"\xc3\x28")
OBJECTS = ({"$date": "2019-05-01T10:00:00Z"}, {"year": "2019", "month": "5"})
OFFSETS = (330, 120, 0, -420)

LAST_SECOND = slots.instant(9999, 12, 31, hour=23, minute=59, second=59)
FIRST_SECOND = slots.instant(1, 1, 1)


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
    return random.randrange(slots.instant(2002, 1, 1), slots.instant(2024, 1, 1), slots.SECOND)


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
    return str(moment // slots.SECOND), slot.instant_of(moment)


def _epoch_seconds_number(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = _whole_second(random)
    return moment // slots.SECOND, slot.instant_of(moment)


def _epoch_milliseconds_text(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = _millisecond(random)
    return str(moment // 1_000), slot.instant_of(moment)


def _epoch_milliseconds_number(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = _millisecond(random)
    return moment // 1_000, slot.instant_of(moment)


def _already_migrated(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    # Milliseconds, because RedisJSON's parser rounds the 17th digit wrongly.
    moment = slot.instant_of(_millisecond(random))
    return moment / slots.SECOND if slot.storage is Storage.JSON else slots.seconds_text(moment), moment


def _space_separator(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = random.choice((_whole_second, _millisecond))(random)
    return slots.iso_datetime(moment, separator=" "), slot.instant_of(moment)


def _rfc2822(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment, offset = _whole_second(random), random.choice(OFFSETS)
    return slots.rfc2822(moment, offset), slot.instant_of(moment, offset)


def _trailing_z(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = random.choice((_whole_second, _millisecond))(random)
    return slots.iso_datetime(moment, suffix="Z"), slot.instant_of(moment)


def _date_in_datetime(_slot: Slot, random: Random) -> tuple[Raw, Expected]:
    day = _whole_second(random) // slots.DAY
    return slots.iso_date(day), day * slots.DAY


def _datetime_in_date(slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment, offset = _whole_second(random), random.choice(OFFSETS)
    text = slots.iso_datetime(moment, offset=offset, suffix=slots.offset_text(offset))
    return text, slot.instant_of(moment, offset)


def _at(moment: int) -> Maker:
    def make(slot: Slot, _random: Random) -> tuple[Raw, Expected]:
        if slot.kind is TemporalKind.DATE:
            return slots.iso_date(moment // slots.DAY), slot.instant_of(moment)
        return slots.iso_datetime(moment), moment

    return make


def _far_microseconds(_slot: Slot, random: Random) -> tuple[Raw, Expected]:
    moment = random.randrange(slots.instant(3000, 1, 1), slots.instant(9000, 1, 1))
    return slots.iso_datetime(moment), moment


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
"""In a date field, a value with a time means midnight UTC of its calendar date."""


def classes_for(slot: Slot) -> tuple[DirtyClass, ...]:
    """Return the classes that can occur in a slot."""
    return tuple(one for one in DIRTY_CLASSES if one.fits(slot))


ERA_OFFSETS = tuple(
    (minutes, slots.offset_text(minutes)) for minutes in (330, 330, 60, 120, -300, -210, 345, 840, -720)
)
"""Minutes east of UTC and their text; +05:30 twice: the station's own."""


class Era(NamedTuple):
    """The range of values of a field: days since 1970, the end excluded."""

    first_day: int
    end_day: int


BIRTHS = Era(slots.day_number(1938, 1, 1), slots.day_number(2004, 1, 1))
RECORDS = Era(slots.day_number(1962, 4, 1), slots.day_number(2024, 11, 1))
"""Since the station was founded: paper records from before 1970 were entered later."""
RECENT = Era(slots.day_number(2015, 1, 1), slots.day_number(2024, 11, 1))
PERMITS = Era(slots.day_number(2024, 1, 1), slots.day_number(2031, 1, 1))


class LegacyValues:
    """A source of values for documents.

    Args:
        random: the random number generator.
        dirty_share: the share of malformed values, 0 to 1. In each slot the classes take turns.
    """

    def __init__(self, random: Random, dirty_share: float) -> None:
        self._random = random
        self._dirty_share = dirty_share
        self._dirty_turns: dict[Slot, Iterator[SampleValue]] = {}

    def value(self, slot: Slot, era: Era) -> SampleValue:
        """Return a value for a slot. None without a class is a null of the model."""
        if self._random.random() < self._dirty_share:
            return self._dirty(slot)
        if slot.optional and self._random.random() < 0.25:
            return SampleValue(None, "null")
        day = int(self._random.random() * (era.end_day - era.first_day)) + era.first_day
        if slot.kind is TemporalKind.DATE:
            return SampleValue(slots.iso_date(day), day * slots.DAY)
        moment = day * slots.DAY + int(self._random.random() * slots.DAY)
        return self._datetime(slot.storage, moment)

    def _datetime(self, storage: Storage, moment: int) -> SampleValue:
        """Return a datetime: two of three naive, most with microseconds (`datetime.now()`), the others aware."""
        if self._random.random() < 0.3:
            moment -= moment % slots.SECOND
        rng = self._random.random()
        text: Raw
        if rng < 0.65:
            text = slots.iso_datetime(moment)
        elif rng < 0.85:
            text = slots.iso_datetime(moment, suffix="Z" if storage is Storage.JSON else "+00:00")
        else:
            offset, suffix = self._random.choice(ERA_OFFSETS)
            text = slots.iso_datetime(moment, offset=offset, suffix=suffix)
        return SampleValue(text, moment)

    def _dirty(self, slot: Slot) -> SampleValue:
        if slot not in self._dirty_turns:
            self._dirty_turns[slot] = self._turns(slot)
        return next(self._dirty_turns[slot])

    def _turns(self, slot: Slot) -> Iterator[SampleValue]:
        classes = list(classes_for(slot))
        self._random.shuffle(classes)
        return (one.value(slot, self._random) for one in cycle(classes))
