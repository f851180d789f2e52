"""Paths of bytes and timedeltas in a model, which are stored as text and numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final

from pydantic import BaseModel

from redstart.errors import RedisModelError
from redstart.mapping.annotations import complete_fields
from redstart.mapping.registry import model_name
from redstart.mapping.type_tree import Shape, ShapeReader, name_of
from redstart.mapping.value_paths import Segment

KINDS: Final = {name_of(kind): kind for kind in (bytes, timedelta)}


@dataclass(frozen=True, slots=True)
class ScalarPath:
    """A path of a model that holds values of one such type only; `kind` is bytes or timedelta."""

    segments: tuple[Segment, ...]
    kind: type


@cache
def scalar_paths(model: type[BaseModel]) -> tuple[ScalarPath, ...]:
    """Return the paths of a model that contain bytes or timedeltas only.

    Raises:
        RedisModelError: they may lie at any depth, inside a type that contains itself.
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
