"""Paths of values inside a document, and their text: for people, in an index, and as paths of RedisJSON."""

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from redstart.search.json_paths import Selector, Wildcard, member, readable_member, selectors
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
        kind: the declared type, in the terms of the migration.
        optional: whether None is possible.
        siblings: other names that the model reads in the same object, fields and aliases.
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
    """A path of a model with datetimes or dates.

    Args:
        naive: whether the model accepts no time zone (NaiveDatetime), so that a number is read without one.
    """

    kind: TemporalKind
    naive: bool = False


def display(segments: tuple[Segment, ...]) -> str:
    """Return a path or a location as people write it: `lines[].added_at`, `pair[0]`, `stops{}`, `stops["it's"].at`."""
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
    """Return a path of a JSON document as in an index: `$.lines[*].added_at`."""
    each = {Each.ITEM: "[*]", Each.VALUE: ".*"}
    return "$" + "".join(each[one] if isinstance(one, Each) else member(str(one)) for one in segments)


def may_select(path: str, segments: tuple[Segment, ...]) -> bool:
    """Return whether the JSON path of an index may select a value at a path, in some document.

    False only if the paths certainly differ: wildcards, slices, filters and unknown syntax count as a match. An index
    also contains the items of a list if its path ends at the list.
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


_QUOTE = re.compile("['\"]")
_SLICE = re.compile(r"""\A([^'"]*?)\[([0-9]+):([0-9]+)\]""")


def path_text(location: Location) -> str:
    """Return the path that reads this location."""
    return "$" + "".join(map(_step, location))


def siblings_path(location: Location) -> str:
    """Return the path that reads this location in every item of the lists above it."""
    return "$" + "".join("[*]" if isinstance(step, int) else _step(step) for step in location)


def slice_path(location: Location, start: int, stop: int) -> str:
    """Return the path that reads this location in the items `start` to `stop` of the outermost list of the path.

    For a path with a quote, like `siblings_path`, because a quoted name may look like a slice.
    """
    path = siblings_path(location)
    return path if _QUOTE.search(path) else path.replace("[*]", f"[{start}:{stop}]", 1)


def sliced_list(path: str) -> str | None:
    """Return the path of the list whose part a path of `slice_path` reads; None for another path."""
    found = _SLICE.match(path)
    return None if found is None else found[1]


def slice_bounds(path: str) -> tuple[int, int] | None:
    """Return where the slice of a path of `slice_path` starts and stops; None for another path."""
    found = _SLICE.match(path)
    return None if found is None else (int(found[2]), int(found[3]))


def is_read_by(path: str, location: Location) -> bool:
    """Return whether a path of `siblings_path` or `slice_path` reads this location."""
    if whole_list_path(path) != siblings_path(location):
        return False
    bounds = slice_bounds(path)
    if bounds is None:
        return True
    return bounds[0] <= next(step for step in location if isinstance(step, int)) < bounds[1]


def whole_list_path(path: str) -> str:
    """Return the path that reads all items of the list of a path of `slice_path`; another path unchanged."""
    return _SLICE.sub(r"\1[*]", path)


def can_be_read(location: Location) -> bool:
    """Return whether `path_text` reads this location and no other."""
    for step in location:  # noqa: SIM110  # called for every JSON value, and all() takes three times as long
        if step.__class__ is str and step[:1] == " ":
            return False
    return True


def can_be_set(location: Location) -> bool:
    """Return whether JSON.SET on this path changes the value, instead of adding a key or changing another."""
    return can_be_read(location) and all(
        isinstance(step, int) or not _needs_escape(step) for step in location
    )


def in_list(location: Location) -> bool:
    """Return whether the location is inside a list, whose items can shift."""
    return any(isinstance(step, int) for step in location)


def can_be_merged(text: bytes) -> bool:
    """Return whether JSON.MERGE can write this value. It interprets null as a removal, also inside an object."""
    return text != b"null" and not text.startswith(b"{")


def merge_patch(changes: list[tuple[Location, bytes]]) -> bytes:
    """Return one JSON.MERGE document (RFC 7396) that sets all these locations, none of them inside a list."""
    tree: dict[str, object] = {}
    for location, text in changes:
        node = tree
        for step in location[:-1]:
            node = node.setdefault(str(step), {})  # type: ignore[assignment]  # inner nodes are dicts
        node[str(location[-1])] = text
    return _rendered(tree).encode()


def _rendered(node: object) -> str:
    if isinstance(node, bytes):
        return node.decode()
    assert isinstance(node, dict)
    return (
        "{"
        + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_rendered(value)}" for key, value in node.items())
        + "}"
    )


def _step(step: str | int) -> str:
    return f"[{step}]" if isinstance(step, int) else readable_member(step)


def _needs_escape(step: str) -> bool:
    return "\\" in step or ('"' in step and "'" in step)
