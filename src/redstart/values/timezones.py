"""Time zones of datetimes without an offset.

Ambiguous and nonexistent local times cannot be converted.
"""

import time
import warnings
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha1
from typing import TYPE_CHECKING

from redstart.errors import ConfigurationError, NaiveTimezoneWarning, ValueConversionError
from redstart.next_steps import Command, Hint
from redstart.values.timestamps import (
    EPOCH,
    FIRST_MICROSECOND,
    LAST_MICROSECOND,
    MICROSECOND,
    MICROSECONDS_PER_SECOND,
    NAIVE_EPOCH,
    microseconds_of,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SECONDS_PER_DAY = 86_400
_DAYS_TO_2050 = 29_220


class NaiveTimezone(ABC):
    """The zone of datetimes without an offset: UTC, that of the process, or one of the IANA database.

    `is_utc` is True for UTC alone, whose arithmetic is simplest.
    """

    is_utc = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Return the name from which `parse` returns this zone."""

    @staticmethod
    def parse(name: str) -> "NaiveTimezone":
        """Return the zone of this name: `UTC`, `local` (the process's zone, as 1.x reads) or as `Europe/Berlin`.

        `local` gets a name that says which zone that was, as `local:9f86d081`, and only a process in a zone
        with the same offsets may use that name: a migration cannot be resumed or undone under another TZ.

        Raises:
            ConfigurationError: no such zone, another local one, or the system has no time zone files.
        """
        if name == "UTC":
            return _Utc()
        if name == "local" or name.startswith("local:"):
            zone = _ProcessZone()
            if name not in ("local", zone.name):
                raise ConfigurationError(
                    "Naive datetimes were read in another local time zone than that of this process "
                    f"({local_time_title()}).",
                    Hint(
                        "Set TZ to the previous time zone, for example: TZ=Europe/Berlin ", Command(), " ..."
                    ),
                )
            return zone
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - it takes 4 ms to import, and few need it

        try:
            return _IanaZone(name, ZoneInfo(name))
        except (KeyError, ValueError, OSError) as exc:  # unknown; not a relative path; a directory of zones
            raise ConfigurationError(
                f"Unknown time zone {name!r}.",
                "Use UTC, local, or a name such as Europe/Berlin. "
                "If this system has no time zone database, run: pip install tzdata",
            ) from exc

    @abstractmethod
    def microseconds(self, naive: datetime) -> int:
        """Return the instant at which the zone's clocks showed `naive`; its `fold` is ignored.

        Raises:
            ValueConversionError: they showed it twice, or never, or in UTC it is outside the years 1 to 9999.
        """

    @abstractmethod
    def naive_datetime(self, microseconds: int) -> datetime | None:
        """Return the local time of the zone at this instant.

        None if the local time is ambiguous or outside the years 1 to 9999, so that an offset has to be written.
        """

    def __repr__(self) -> str:
        return f"NaiveTimezone.parse({self.name!r})"


class _Utc(NaiveTimezone):
    is_utc = True

    @property
    def name(self) -> str:
        return "UTC"

    def microseconds(self, naive: datetime) -> int:
        return (naive - NAIVE_EPOCH) // MICROSECOND

    def naive_datetime(self, microseconds: int) -> datetime | None:
        return _after_epoch(microseconds)


class ImplicitUtc(_Utc):
    """UTC by default, without a setting. Warns at the first datetime without an offset."""

    is_utc = False  # so that it is always asked

    def microseconds(self, naive: datetime) -> int:
        """Return the result for UTC. Warns NaiveTimezoneWarning, once, if the local time of the process is not UTC."""
        warn_of_other_local_time()
        return super().microseconds(naive)

    def naive_datetime(self, microseconds: int) -> datetime | None:
        """Return the result for UTC. Warns NaiveTimezoneWarning, once, if the local time of the process is not UTC."""
        warn_of_other_local_time()
        return super().naive_datetime(microseconds)


@cache
def warn_of_other_local_time() -> None:
    """Warn NaiveTimezoneWarning, once in a process, where its local time is not UTC all the year."""
    if not local_time_is_utc():
        warnings.warn(NaiveTimezoneWarning(local_time_title()), stacklevel=3)


def local_time_is_utc() -> bool:
    """Return whether the clocks of this process show UTC all the year."""
    return time.timezone == 0 and not time.daylight


def local_time_title() -> str:
    """Return the system's name of the zone of this process."""
    return "/".join(dict.fromkeys(time.tzname))


class _Observed(NaiveTimezone):
    """A zone whose offset changes: what both kinds of such zones share."""

    _title: str

    @abstractmethod
    def _instants(self, naive: datetime) -> tuple[int, int]:
        """Return the instants of `fold=0` and `fold=1` as PEP 495 has them.

        Equal: one instant. Ascending: the clocks were set back, it happened twice. Descending: skipped.
        """

    @abstractmethod
    def _clock(self, microseconds: int) -> datetime | None:
        """Return the local time, or None outside the years 1 to 9999."""

    def microseconds(self, naive: datetime) -> int:
        first, second = self._instants(naive)
        if first != second:
            happened, title = (
                ("happened twice", "ambiguous") if first < second else ("was skipped", "nonexistent")
            )
            raise ValueConversionError(
                f"{title} local time in {self._title}: {naive:%H:%M} {happened} on {naive.date()}"
            )
        if not FIRST_MICROSECOND <= first <= LAST_MICROSECOND:
            raise ValueConversionError("outside the years 1 to 9999 in UTC")
        return first

    def naive_datetime(self, microseconds: int) -> datetime | None:
        naive = self._clock(microseconds)
        if naive is None or self._instants(naive) != (microseconds, microseconds):
            return None
        return naive


class _IanaZone(_Observed):
    def __init__(self, name: str, zone: "ZoneInfo") -> None:
        self._title = name
        self._zone = zone

    @property
    def name(self) -> str:
        return self._title

    def _instants(self, naive: datetime) -> tuple[int, int]:
        first = naive.replace(tzinfo=self._zone, fold=0)
        return microseconds_of(first), microseconds_of(first.replace(fold=1))

    def _clock(self, microseconds: int) -> datetime | None:
        try:
            shown = (EPOCH + timedelta(microseconds=microseconds)).astimezone(self._zone)
        except OverflowError:
            return None
        return shown.replace(tzinfo=None, fold=0)


class _ProcessZone(_Observed):
    """The zone of `time.localtime`, which follows changes of TZ and `time.tzset`."""

    _title = "this process's zone"

    @property
    def name(self) -> str:
        offsets = [_offset_seconds(day * SECONDS_PER_DAY) for day in range(0, _DAYS_TO_2050, 7)]
        return f"local:{sha1(repr(offsets).encode(), usedforsecurity=False).hexdigest()[:8]}"

    def _instants(self, naive: datetime) -> tuple[int, int]:
        shown = (naive - NAIVE_EPOCH) // MICROSECOND
        seconds = shown // MICROSECONDS_PER_SECOND
        # No zone was ever a whole day from UTC, so the change that matters lies between these two.
        before = _offset_seconds(seconds - SECONDS_PER_DAY)
        after = _offset_seconds(seconds + SECONDS_PER_DAY)
        if before != after:
            held = [offset for offset in (before, after) if _offset_seconds(seconds - offset) == offset]
            if len(held) == 1:
                before = after = held[0]
        return shown - before * MICROSECONDS_PER_SECOND, shown - after * MICROSECONDS_PER_SECOND

    def _clock(self, microseconds: int) -> datetime | None:
        offset = _offset_seconds(microseconds // MICROSECONDS_PER_SECOND)
        return _after_epoch(microseconds + offset * MICROSECONDS_PER_SECOND)


def _offset_seconds(seconds: int) -> int:
    """Return the seconds east of UTC in the process's zone at this instant."""
    return time.localtime(seconds).tm_gmtoff


def _after_epoch(microseconds: int) -> datetime | None:
    try:
        return NAIVE_EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
