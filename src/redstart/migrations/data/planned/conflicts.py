"""Dates of a model that another model declares with another type."""

from collections.abc import Iterable, Iterator

from redstart.mapping.base_model import model_name
from redstart.mapping.models import RedisModel
from redstart.mapping.temporal_paths import temporal_paths
from redstart.mapping.type_tree import Shape, ShapeReader
from redstart.mapping.value_paths import TemporalPath


def conflicting_types(name: str, paths: Iterable[TemporalPath], other: type[RedisModel]) -> Iterator[str]:
    """Return a description of each date of a model that another model declares with another type."""
    shape = ShapeReader().read(other)
    kinds = {path.segments: path.kind for path in temporal_paths(other).planned}
    for path in paths:
        declared = _shape_at(shape, path)
        if declared is None or kinds.get(path.segments) is path.kind:
            continue
        types = [str(kind) for kind in set(declared.temporal.values())] + declared.others
        what = " or ".join(dict.fromkeys(types)) or "an object"
        yield f"{path} is {path.kind} in {name} and {what} in {model_name(other)}"


def _shape_at(shape: Shape, path: TemporalPath) -> Shape | None:
    """Return what may stand at a path; None if it is not declared."""
    found: Shape | None = shape
    for segment in path.segments:
        found = None if found is None else found.steps.get(segment)
    return found
