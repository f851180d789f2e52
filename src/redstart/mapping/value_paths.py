"""Paths of values inside a document, and their text: for people, and in an index."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from redstart.search.json_paths import Selector, Wildcard, member, selectors
from redstart.values.types import TemporalKind


class Each(Enum):
    """A step into every item of a list, or every value of a map."""

    ITEM = "[]"
    VALUE = "{}"


Segment: TypeAlias = str | int | Each
"""A member's name, a fixed position (tuples), or a step into all items or values."""

Location: TypeAlias = tuple[str | int, ...]
"""A concrete location in a document: names of members and positions in lists."""


@dataclass(frozen=True, slots=True)
class ValuePath:
    """A path of a model whose values a data migration converts. `str()` gives `lines[].added_at`, `stops{}.at`.

    Args:
        segments: the steps from the document's root.
        kind: what the model declares there, in the terms of the migration.
        optional: whether None may stand there.
        siblings: other names that the model reads in the same place, fields and aliases.
    """

    segments: tuple[Segment, ...]
    kind: str
    optional: bool
    siblings: frozenset[str] = field(default=frozenset(), compare=False, repr=False, kw_only=True)

    @property
    def attribute(self) -> str:
        """The name of the index attribute of the field: the names of the path joined."""
        return "_".join(segment for segment in self.segments if not isinstance(segment, Each | int))

    def __str__(self) -> str:
        return display(self.segments)


@dataclass(frozen=True, slots=True)
class TemporalPath(ValuePath):
    """A path of a model that holds datetimes or dates.

    Args:
        naive: whether the model accepts no time zone (NaiveDatetime), so a number is read back without one.
    """

    kind: TemporalKind
    naive: bool = False


def display(segments: tuple[Segment, ...]) -> str:
    """Return a path or a place as people write it: `lines[].added_at`, `pair[0]`, `stops{}`, `stops["it's"].at`."""
    text = ""
    for segment in segments:
        if isinstance(segment, Each):
            text += segment.value
        elif isinstance(segment, int):
            text += f"[{segment}]"
        elif segment.isidentifier():
            text += f".{segment}" if text else segment
        else:
            text += f"[{segment!r}]"
    return text


def index_path(segments: tuple[Segment, ...]) -> str:
    """Return a path of a JSON document as an index names it: `$.lines[*].added_at`."""
    each = {Each.ITEM: "[*]", Each.VALUE: ".*"}
    return "$" + "".join(each[one] if isinstance(one, Each) else member(str(one)) for one in segments)


def may_select(path: str, segments: tuple[Segment, ...]) -> bool:
    """Return whether the JSON path of an index may select a value at a path, in some document.

    False only if the paths certainly differ: wildcards, slices, filters and unknown syntax count as a match. An index
    also takes the items of a list if its path ends at the list.
    """
    steps = selectors(path)
    if steps is None:
        return True
    ends_at_list = bool(segments) and (segments[-1] is Each.ITEM or isinstance(segments[-1], int))
    return _may_reach(steps, segments) or (ends_at_list and _may_reach(steps, segments[:-1]))


def _may_reach(steps: tuple[Selector, ...], segments: tuple[Segment, ...]) -> bool:
    if not steps:
        return not segments
    step, rest = steps[0], steps[1:]
    if step is Wildcard.DESCENT:
        return any(_may_reach(rest, segments[skipped:]) for skipped in range(len(segments) + 1))
    return bool(segments) and _may_be_step(step, segments[0]) and _may_reach(rest, segments[1:])


def _may_be_step(step: Selector, segment: Segment) -> bool:
    if isinstance(step, str):
        return segment is Each.VALUE or segment == step
    if isinstance(step, int):  # a negative position counts from the end
        return segment is Each.ITEM or (isinstance(segment, int) and step in (segment, -abs(step)))
    return True
