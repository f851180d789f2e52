"""Reader of stored values with another type than in JSON: dates, timedeltas, bytes.

Their paths are known from the model, as a tree of places, so that a document is traversed once.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from redstart.errors import ValueConversionError
from redstart.mapping.scalars import ScalarPath
from redstart.mapping.value_paths import Each, Segment, TemporalPath, display
from redstart.values.datetime_parser import read_temporal_text
from redstart.values.timestamps import (
    EPOCH,
    MICROSECOND,
    date_from_seconds,
    datetime_from_seconds,
    exact_microseconds,
    microseconds_from_number,
    microseconds_from_seconds,
    seconds_from_number,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

ReadStored: TypeAlias = Callable[[Any], Any]
"""Turns a stored value into one for the model. A value it does not recognize is left to pydantic."""


@dataclass(slots=True)
class Place:
    """A node of the tree: how a value at this place is read, and the places inside it.

    Args:
        read: reads the value here; None if only values inside it are read.
        inside: the places inside it, by field name, position or the like.
        of_seconds: for a date or datetime, makes it from the stored number.
    """

    read: ReadStored | None
    inside: "dict[Segment, Place]"
    of_seconds: Callable[[float], Any] | None = None


def places_of(
    dates: Iterable[TemporalPath], others: Iterable[ScalarPath], zone: NaiveTimezone
) -> dict[Segment, Place]:
    """Return the paths of a model as one tree of places.

    Args:
        zone: what a number stands for where the model wants a datetime without an offset.
    """
    root: dict[Segment, Place] = {}
    for path in dates:
        place = _at(root, path.segments)
        place.of_seconds, of_microseconds = _date_readers(path, zone)
        place.read = _reader_of_dates(path, zone, place.of_seconds, of_microseconds)
    for scalar in others:
        _at(root, scalar.segments).read = READERS[scalar.kind]
    return root


def _at(root: dict[Segment, Place], segments: tuple[Segment, ...]) -> Place:
    inside, place = root, Place(None, root)
    for segment in segments:
        place = inside.setdefault(segment, Place(None, {}))
        inside = place.inside
    return place


def _reader_of_dates(
    path: TemporalPath,
    zone: NaiveTimezone,
    of_seconds: Callable[[float], Any],
    of_microseconds: Callable[[int], Any],
) -> ReadStored:
    """Return a reader of numbers, and of text as in the migration: so a date is the same before and after it."""

    def read_stored(value: Any) -> Any:
        if isinstance(value, str) and exact_microseconds(value) is not None:
            return of_microseconds(microseconds_from_number(value))
        seconds = _seconds(value)
        if seconds is not None:
            return of_seconds(seconds)
        if not isinstance(value, str):
            return value
        try:
            return of_microseconds(read_temporal_text(value, path.kind, zone).microseconds)
        except ValueConversionError:
            return value  # pydantic has the last word, and says what is wrong

    return read_stored


def _date_readers(
    path: TemporalPath, zone: NaiveTimezone
) -> tuple[Callable[[float], Any], Callable[[int], Any]]:
    def moment(microseconds: int) -> datetime:
        return EPOCH + timedelta(microseconds=microseconds)

    def naive_moment(microseconds: int) -> datetime:
        shown = zone.naive_datetime(microseconds)
        if shown is None:
            raise ValueConversionError(f"ambiguous local time in {zone.name}")
        return shown

    if path.kind is TemporalKind.DATE:
        return date_from_seconds, lambda microseconds: moment(microseconds).date()
    if path.naive:
        return lambda seconds: naive_moment(microseconds_from_seconds(seconds)), naive_moment
    return datetime_from_seconds, moment


def _timedelta(value: Any) -> Any:
    exact = exact_microseconds(value) if isinstance(value, str) else None
    seconds = _seconds(value)
    try:
        if exact is not None:
            return exact * MICROSECOND
        return value if seconds is None else timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueConversionError("number of seconds out of range for a timedelta") from error


def _bytes(value: Any) -> Any:
    """Return Base64 as bytes; other text, which redis-om 0.x wrote, is left to pydantic, which takes its UTF-8."""
    if not isinstance(value, str):
        return value
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value
    return data if base64.b64encode(data).decode() == value else value


READERS: dict[type, ReadStored] = {bytes: _bytes, timedelta: _timedelta}


class ValueDecodeError(ValueConversionError):
    """A stored value that cannot be read. `path` says where it is."""

    def __init__(self, path: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.value = value


def read_places(container: Any, places: dict[Segment, Place], above: tuple[Segment, ...]) -> None:
    """Turn stored values into datetimes, dates and the like. Changes the parsed document in place."""
    for segment, place in places.items():
        for position in _positions(container, segment):
            value = container[position]
            if value is None:
                continue
            if place.read is not None:
                try:
                    container[position] = place.read(value)
                except ValueConversionError as error:
                    path = display((*above, position))
                    raise ValueDecodeError(path, value, error.reason) from error
            if place.inside:
                read_places(value, place.inside, (*above, position))


def _positions(container: Any, segment: Segment) -> Iterable[Any]:
    """Return the keys or positions of a segment; none if the container is of another kind."""
    if isinstance(container, dict):
        if isinstance(segment, str):
            return (segment,) if segment in container else ()
        return list(container) if segment is Each.VALUE else ()
    if isinstance(container, list):
        if segment is Each.ITEM:
            return range(len(container))
        return (segment,) if isinstance(segment, int) and segment < len(container) else ()
    return ()


def _seconds(value: Any) -> float | None:
    """Return the number that a value is, or is the text of."""
    kind = type(value)
    if kind is str:
        return seconds_from_number(value)
    if kind is float:
        return value if math.isfinite(value) else None
    return seconds_from_number(str(value)) if kind is int else None
