"""Dates and times as redis-om 0.3.5 stored them, with a share of malformed values.

Each value starts as an integer instant, which is then formatted; no text is parsed.
"""

from collections.abc import Iterator
from itertools import cycle
from random import Random
from typing import NamedTuple

from redstart.demo import civil
from redstart.demo.dirty_values import classes_for
from redstart.demo.slots import Raw, SampleValue, Slot
from redstart.values.types import Storage, TemporalKind

OFFSETS = tuple(
    (minutes, civil.offset_text(minutes)) for minutes in (330, 330, 60, 120, -300, -210, 345, 840, -720)
)
"""Minutes east of UTC and their text; +05:30 twice: the station's own."""


class Era(NamedTuple):
    """The range of values of a field: days since 1970, the end excluded."""

    first_day: int
    end_day: int


BIRTHS = Era(civil.day_number(1938, 1, 1), civil.day_number(2004, 1, 1))
RECORDS = Era(civil.day_number(1962, 4, 1), civil.day_number(2024, 11, 1))
"""Since the station was founded: paper records from before 1970 were entered later."""
RECENT = Era(civil.day_number(2015, 1, 1), civil.day_number(2024, 11, 1))
PERMITS = Era(civil.day_number(2024, 1, 1), civil.day_number(2031, 1, 1))


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
            return SampleValue(civil.iso_date(day), day * civil.DAY)
        moment = day * civil.DAY + int(self._random.random() * civil.DAY)
        return self._datetime(slot.storage, moment)

    def _datetime(self, storage: Storage, moment: int) -> SampleValue:
        """Return a datetime: two of three naive, most with microseconds (`datetime.now()`), the others aware."""
        if self._random.random() < 0.3:
            moment -= moment % civil.SECOND
        chance = self._random.random()
        text: Raw
        if chance < 0.65:
            text = civil.iso_datetime(moment)
        elif chance < 0.85:
            text = civil.iso_datetime(moment, suffix="Z" if storage is Storage.JSON else "+00:00")
        else:
            offset, suffix = self._random.choice(OFFSETS)
            text = civil.iso_datetime(moment, offset=offset, suffix=suffix)
        return SampleValue(text, moment)

    def _dirty(self, slot: Slot) -> SampleValue:
        if slot not in self._dirty_turns:
            self._dirty_turns[slot] = self._turns(slot)
        return next(self._dirty_turns[slot])

    def _turns(self, slot: Slot) -> Iterator[SampleValue]:
        classes = list(classes_for(slot))
        self._random.shuffle(classes)
        return (one.value(slot, self._random) for one in cycle(classes))
