"""Paths of datetimes and dates in a model.

A path is planned only if all its values are datetimes, or all are dates. A path that may also have other values
(`datetime | str`) is listed separately, with the reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, NaiveDatetime

from redstart.errors import RedisModelError
from redstart.mapping.base_model import model_name
from redstart.mapping.type_tree import Shape, ShapeReader, complete_fields, name_of
from redstart.mapping.value_paths import Each, Segment, TemporalPath, display


@dataclass(frozen=True, slots=True)
class UnplannedPath:
    """A path with dates or datetimes that cannot be migrated safely, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class TemporalPaths:
    """The paths of one model that migrations convert, and those that they do not convert."""

    planned: tuple[TemporalPath, ...]
    unplanned: tuple[UnplannedPath, ...]


@cache
def temporal_paths(model: type[BaseModel]) -> TemporalPaths:
    """Return the paths of datetimes and dates of a model, in the order of declaration.

    Raises:
        RedisModelError: an annotation cannot be resolved.
    """
    complete_fields(model)
    reader = ShapeReader()
    shape = reader.read(model)
    survey = _Survey(reader.shapes_of_types)
    survey.visit(shape, ())
    return TemporalPaths(tuple(survey.planned), tuple(survey.unplanned))


class _Survey:
    """One walk over a shape, sorting its paths into planned and unplanned."""

    def __init__(self, shapes_of_types: list[tuple[Any, Shape]]) -> None:
        self.planned: list[TemporalPath] = []
        self.unplanned: list[UnplannedPath] = []
        self._shapes_of_types = shapes_of_types

    def visit(
        self, shape: Shape, segments: tuple[Segment, ...], siblings: frozenset[str] = frozenset()
    ) -> None:
        reason = self._reason_against(shape)
        if reason is not None:
            self.unplanned.append(UnplannedPath(display(segments), reason))
            return
        for kind in set(shape.temporal.values()):  # one at most: two are a reason not to convert
            naive = all(declared is NaiveDatetime for declared in shape.temporal)
            self.planned.append(TemporalPath(segments, kind, shape.optional, naive, siblings=siblings))
        for segment, inner in shape.steps.items():
            self.visit(inner, (*segments, segment), shape.names)

    def _reason_against(self, shape: Shape) -> str | None:
        if shape.unresolved:
            return shape.unresolved[0]
        if shape.temporal:
            return _ambiguity(shape)
        for kind in shape.recursive:
            if any(known == kind and _holds_temporal(inside) for known, inside in self._shapes_of_types):
                return f"{name_of(kind)} is recursive: its dates can occur at any depth"
        return _unclear_structure(shape) if _holds_temporal(shape) else None


def _holds_temporal(shape: Shape) -> bool:
    return bool(shape.temporal) or any(_holds_temporal(inner) for inner in shape.steps.values())


def _ambiguity(shape: Shape) -> str | None:
    candidates = [kind.value for kind in dict.fromkeys(shape.temporal.values())]
    candidates += shape.others + [name_of(kind) for kind in shape.recursive]
    if shape.steps:
        candidates.append("a nested value")
    if len(candidates) == 1:
        return None
    return f"declared as {' or '.join(candidates)}: the type of a stored value is ambiguous"


def _unclear_structure(shape: Shape) -> str | None:
    if "Any" in shape.others or "object" in shape.others:
        return "declared without a type: its members may or may not be dates"
    for each, named in ((Each.VALUE, str), (Each.ITEM, int)):
        if each in shape.steps and any(isinstance(segment, named) for segment in shape.steps):
            return "declared as a union of two structures: a path may be a date in one and not in the other"
    return None


KINDS: Final = {name_of(kind): kind for kind in (bytes, timedelta)}


@dataclass(frozen=True, slots=True)
class ScalarPath:
    """A path of a model that has only values of one of these types; `kind` is bytes or timedelta."""

    segments: tuple[Segment, ...]
    kind: type


@cache
def scalar_paths(model: type[BaseModel]) -> tuple[ScalarPath, ...]:
    """Return the paths of a model that contain bytes or timedeltas only.

    Raises:
        RedisModelError: they may be at any depth, inside a type that contains itself.
    """
    complete_fields(model)
    reader = ShapeReader()
    shape = reader.read(model)
    for kind, inside in reader.shapes_of_types:
        if _contains(inside, kind) and _holds_scalar(inside):
            raise RedisModelError(
                f"{model_name(model)}: {name_of(kind)} is recursive: its bytes or timedeltas can occur at any depth.",
                "Declare bytes and timedeltas of a recursive type as str.",
            )
    return tuple(_visit(shape, ()))


def _visit(shape: Shape, segments: tuple[Segment, ...]) -> Iterator[ScalarPath]:
    kind = _scalar(shape)
    if kind is not None:
        yield ScalarPath(segments, kind)
    for segment, inner in shape.steps.items():
        yield from _visit(inner, (*segments, segment))


def _scalar(shape: Shape) -> type | None:
    if shape.temporal or shape.steps or shape.recursive or shape.unresolved or len(shape.others) != 1:
        return None
    return KINDS.get(shape.others[0])


def _holds_scalar(shape: Shape) -> bool:
    return _scalar(shape) is not None or any(map(_holds_scalar, shape.steps.values()))


def _contains(shape: Shape, kind: object) -> bool:
    return kind in shape.recursive or any(_contains(inner, kind) for inner in shape.steps.values())
