"""Paths of values inside a document, and their text: for people, and in an index."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from redstart.search.json_paths import member
from redstart.values.types import TemporalKind


class Each(Enum):
    """A step into every item of a list, or every value of a map."""

    ITEM = "[]"
    VALUE = "{}"


Segment: TypeAlias = str | int | Each
"""A member's name, a fixed position (tuples), or a step into all items or values."""


@dataclass(frozen=True, slots=True)
class TemporalPath:
    """A path of a model that holds datetimes or dates. `str()` gives `lines[].added_at`, `stops{}.at`.

    Args:
        segments: the steps from the document's root.
        kind: what the model declares there.
        optional: whether None may stand there.
        naive: whether the model accepts no time zone (NaiveDatetime), so a number is read back without one.
        siblings: other names that the model reads in the same place, fields and aliases.
    """

    segments: tuple[Segment, ...]
    kind: TemporalKind
    optional: bool
    naive: bool = False
    siblings: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    def __str__(self) -> str:
        return display(self.segments)


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
