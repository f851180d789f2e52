"""The structure of documents according to annotations: a tree of places, with the types of each."""

from collections import abc, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ForwardRef, get_args, get_origin

from pydantic import (
    AwareDatetime,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    RootModel,
)

from redstart.mapping.annotations import alternatives, complete_fields, fields_of, is_named_tuple, names_read
from redstart.mapping.value_paths import Each, Segment
from redstart.values.types import TemporalKind

DATETIME_TYPES: tuple[Any, ...] = (AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime)
DATE_TYPES: tuple[Any, ...] = (PastDate, FutureDate)

MAPS = (abc.Mapping,)
LISTS = (list, set, frozenset, deque, abc.Sequence, abc.Set)
ABSTRACT_LISTS = (abc.Iterable, abc.Iterator, abc.Collection)


@dataclass(slots=True)
class Shape:
    """All that may stand in one place.

    Args:
        temporal: the date and datetime types declared here, and the kind of each.
        others: names of other types that have no parts.
        optional: whether None may stand here.
        steps: the places inside, if an object, list or map may stand here.
        names: what an object that may stand here is read by: the names of its fields, and their aliases.
        recursive: types that contain this place and may stand in it again.
        unresolved: why an annotation could not be read.
    """

    temporal: dict[Any, TemporalKind] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    optional: bool = False
    steps: dict[Segment, "Shape"] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    recursive: list[Any] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    def also(self, other: "Shape") -> "Shape":
        """Return a place where either may stand. Neither operand changes."""
        steps = {**self.steps, **other.steps}
        for segment in self.steps.keys() & other.steps.keys():
            steps[segment] = self.steps[segment].also(other.steps[segment])
        return Shape(
            temporal=self.temporal | other.temporal,
            others=list(dict.fromkeys(self.others + other.others)),
            optional=self.optional or other.optional,
            steps=steps,
            names=self.names | other.names,
            recursive=self.recursive + other.recursive,
            unresolved=self.unresolved + other.unresolved,
        )


class ShapeReader:
    """Reads annotations into shapes. `shapes_of_types` keeps the shape of each structured type."""

    def __init__(self) -> None:
        self.shapes_of_types: list[tuple[Any, Shape]] = []
        # A list, for types such as list[Annotated[int, {}]] cannot be hashed.
        self._in_progress: list[Any] = []

    def read(self, annotation: Any) -> Shape:
        """Return the shape of a place with this annotation."""
        shape = Shape()
        for kind in alternatives(annotation):
            shape = shape.also(self._read_plain(kind))
        return shape

    def _read_plain(self, kind: Any) -> Shape:
        if kind is type(None):
            return Shape(optional=True)
        if isinstance(kind, str | ForwardRef):
            return Shape(unresolved=[f"cannot resolve the annotation {name_of(kind)}"])
        temporal = temporal_kind(kind)
        if temporal is not None:
            return Shape(temporal={kind: temporal})
        if kind in self._in_progress:
            return Shape(recursive=[kind])
        self._in_progress.append(kind)
        try:
            shape = self._read_structure(kind)
        except NameError as error:
            return Shape(unresolved=[f"cannot resolve an annotation of {name_of(kind)}: {error}"])
        finally:
            self._in_progress.pop()
        self.shapes_of_types.append((kind, shape))
        return shape

    def _read_structure(self, kind: Any) -> Shape:
        if isinstance(kind, type) and issubclass(kind, RootModel):
            return self.read(complete_fields(kind)["root"].annotation)
        inside = parts_of(kind)
        if inside is None:
            return Shape(others=[name_of(kind)])
        steps = {segment: self.read(annotation) for segment, annotation in inside}
        return Shape(steps=steps, names=names_read(kind))


def temporal_kind(kind: Any) -> TemporalKind | None:
    """Return whether a plain type is a datetime or a date. A datetime is a date to Python, so it is asked first."""
    is_class = isinstance(kind, type)
    if kind in DATETIME_TYPES or (is_class and issubclass(kind, datetime)):
        return TemporalKind.DATETIME
    if kind in DATE_TYPES or (is_class and issubclass(kind, date)):
        return TemporalKind.DATE
    return None


def parts_of(kind: Any) -> Iterable[tuple[Segment, Any]] | None:
    """Return the places inside a structured type and the annotation of each; None for a type without parts."""
    fields = fields_of(kind)
    if fields is None:
        return elements_of(kind)
    # A NamedTuple is stored as the list of its values.
    return enumerate(fields.values()) if is_named_tuple(kind) else fields.items()


def elements_of(kind: Any) -> Iterable[tuple[Segment, Any]] | None:
    """Return the places inside a map, list, set or tuple and the annotation of each; None for anything else."""
    origin = get_origin(kind) or kind
    arguments = get_args(kind)
    if not isinstance(origin, type):
        return None
    if issubclass(origin, MAPS):
        return [(Each.VALUE, arguments[1] if len(arguments) > 1 else Any)]
    if issubclass(origin, tuple) and arguments and arguments[-1] is not ...:
        return enumerate(arguments)
    if issubclass(origin, str | bytes | bytearray | memoryview):
        return None
    if issubclass(origin, LISTS) or origin in ABSTRACT_LISTS:
        return [(Each.ITEM, arguments[0] if arguments else Any)]
    return None


def name_of(kind: Any) -> str:
    """Return the name of a type in messages."""
    return kind.__qualname__ if isinstance(kind, type) else str(kind).removeprefix("typing.")
