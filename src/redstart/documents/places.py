"""The places of a parsed document that hold datetimes and dates, and reading the numbers there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

from redstart.errors import ValueConversionError
from redstart.mapping.paths import Each, Segment, TemporalPath, display
from redstart.values.kinds import TemporalKind
from redstart.values.timestamps import NUMBER, date_from_number, datetime_from_number

ReadNumber: TypeAlias = Callable[[str], datetime | date]


@dataclass(slots=True)
class Place:
    """One step on the way to temporal values: what to do here, and the places further inside."""

    read: ReadNumber | None
    inside: "dict[Segment, Place]"


def places_of(paths: tuple[TemporalPath, ...]) -> dict[Segment, Place]:
    """The paths of a model as one tree, so that a document is walked once."""
    root: dict[Segment, Place] = {}
    for path in paths:
        inside, place = root, Place(None, root)
        for segment in path.segments:
            place = inside.setdefault(segment, Place(None, {}))
            inside = place.inside
        place.read = _reader_of_number(path)
    return root


def _reader_of_number(path: TemporalPath) -> ReadNumber:
    if path.kind is TemporalKind.DATE:
        return date_from_number
    return _naive_datetime_from_number if path.naive else datetime_from_number


def _naive_datetime_from_number(text: str) -> datetime:
    return datetime_from_number(text).replace(tzinfo=None)


class UnreadableNumber(ValueConversionError):
    """A number in the place of a datetime or date that stands for none; `path` says where."""

    def __init__(self, path: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.value = value


def read_numbers(container: Any, places: dict[Segment, Place], above: tuple[Segment, ...]) -> None:
    """Turn numbers into datetimes and dates, in the freshly parsed document itself."""
    for segment, place in places.items():
        for position in _positions(container, segment):
            value = container[position]
            if place.read is not None and (number := _number_text(value)) is not None:
                try:
                    container[position] = place.read(number)
                except ValueConversionError as error:
                    path = display((*above, position))
                    raise UnreadableNumber(path, value, error.reason) from error
            if place.inside:
                read_numbers(value, place.inside, (*above, position))


def _positions(container: Any, segment: Segment) -> Iterable[Any]:
    """The keys or positions that a segment stands for; none if the container is of another kind."""
    if isinstance(container, dict):
        if segment is Each.VALUE:
            return list(container)
        return (segment,) if isinstance(segment, str) and segment in container else ()
    if isinstance(container, list):
        if segment is Each.ITEM:
            return range(len(container))
        return (segment,) if isinstance(segment, int) and segment < len(container) else ()
    return ()


def _number_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value if NUMBER.fullmatch(value) else None
    if isinstance(value, float):
        return repr(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
