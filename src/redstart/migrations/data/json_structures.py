"""JSON documents without parsing each of them: their planned values, and where these are in the text.

A pattern splits the text of a document into its scalar values and the rest, its structure. Documents with the same
structure have their planned values at the same places, so only the first of them is parsed, with placeholders in place
of its values. (If that is JSON, so is the document, with each value in the place of its placeholder.)
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

from redstart.mapping.value_paths import Each, Location, can_be_set
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.reader import matches_at, reader_of
from redstart.values.lossless_json import json_text

MAX_BYTES = 64_000
"""Larger documents are not split."""

_SCALAR = rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"(?!:)|-?[0-9][0-9.eE+-]*+|true|false|null)'
_split_members = re.compile(b"(:" + _SCALAR + b")").split
"""Splits a text at the values of members; each of them begins with the colon."""

_split_items = re.compile(rb"([:\[,]" + _SCALAR + b")").split
"""Splits a text at the items of lists, too; this takes three times as long."""

_decoder: Any = json.JSONDecoder(strict=False)
_scan: Callable[[str, int], tuple[Any, int]] = (
    _decoder.scan_once
)  # `decode` looks for white space around it, too

_MAX_KNOWN_BYTES = 1_000_000
"""Limit for the known structures of the documents of one model, together."""

_PLACEHOLDER = "\x01"
"""How placeholders begin. No text of a server has such a character."""


class _NotPlainError(Exception):
    """The document has to take the general path."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A value that is read: one planned value, or a list with planned values.

    Attributes:
        text: its path.
        name: how it begins in the text of a whole document, and `reply_name` in the reply for several paths.
        paths: the number of each planned path, and its steps inside the list.
    """

    text: str
    name: str
    reply_name: str
    location: Location
    is_list: bool
    paths: tuple[tuple[int, tuple[Any, ...]], ...]


class Span(NamedTuple):
    """Where the text of an anchor is among the parts of a document: from a byte of one to a byte of another."""

    first: int
    start: int
    last: int
    end: int

    def text(self, parts: Sequence[bytes]) -> bytes:
        """Return the text."""
        text = b"".join(parts[self.first : self.last + 1])
        return text[self.start : len(text) - len(parts[self.last]) + self.end]


class AnchorValues(NamedTuple):
    """The planned values of an anchor, from one to the one before another; and its text, if it is a list."""

    anchor: int
    start: int
    end: int
    span: Span | None


@dataclass(slots=True)
class Structure:
    """What documents with the same text, but for their scalar values, have in common.

    Attributes:
        places: positions of the planned values among the parts, in the order of the general path.
        nulls: positions of values that have to be null, in place of a list or an object.
        paths, locations: the number of the path of each planned value, and its location.
        anchors: those with planned values.
    """

    places: list[int] = field(default_factory=list)
    nulls: list[int] = field(default_factory=list)
    paths: tuple[int, ...] = ()
    locations: tuple[Location, ...] = ()
    anchors: list[AnchorValues] = field(default_factory=list)

    def only(self, kept: Sequence[int]) -> "Structure":
        """Return the same with only some planned values."""
        anchors = [
            AnchorValues(one.anchor, start, end, one.span)
            for one in self.anchors
            if (start := bisect_left(kept, one.start)) < (end := bisect_left(kept, one.end))
        ]
        return Structure(
            [self.places[at] for at in kept],
            paths=tuple([self.paths[at] for at in kept]),
            locations=tuple([self.locations[at] for at in kept]),
            anchors=anchors,
        )


SplitDocument: TypeAlias = tuple[Structure, list[bytes], list[bytes]]
"""The structure of a document, its parts, and its planned values as JSON text."""


class JsonStructures:
    """Finds the planned values of the documents of one model.

    Attributes:
        anchors: what is read of each document.
    """

    def __init__(self, model: PlannedModel, anchors: Sequence[Anchor]) -> None:
        self.anchors = anchors
        self._has_items = any(path.segments[-1] is Each.ITEM for path in model.paths)
        self._known: dict[bytes, Structure | None] = {}
        self._known_bytes = 0

    @classmethod
    def of(cls, model: PlannedModel) -> "JsonStructures | None":
        """Return them for a model; None if its paths are not lists and named fields, or cannot be written."""
        anchors = []
        for text, (location, paths) in reader_of(model).anchors.items():
            inside = tuple((model.paths.index(path), path.segments[len(location) :]) for path in paths)
            if not _is_plain_path(text) or not all(_is_supported(location, steps) for _, steps in inside):
                return None
            is_list = bool(inside[0][1])
            if any(bool(steps) != is_list for _, steps in inside):
                return None
            anchors.append(Anchor(text, _member(location[-1]), f'"{text}":[', location, is_list, inside))
        return cls(model, anchors)

    def split(self, document: StoredDocument) -> SplitDocument | None:
        """Return the planned values of a document; None if it has to take the general path."""
        text = document.text
        if text is None or len(text) > MAX_BYTES:
            return None
        if document.is_whole and not self._has_items:
            parts = _split_members(text)
            name = b"\0".join(parts[::2])
        else:
            parts = _split_items(text)
            # What a value begins with is a part of the structure.
            name = b"\0".join(
                [*parts[::2], b"1" if document.is_whole else b"", *[one[:1] for one in parts[1::2]]]
            )
        if name in self._known:
            structure = self._known[name]
        else:
            structure = self._structure_of(parts, is_whole=document.is_whole)
            self._known_bytes += len(name)
            if self._known_bytes > _MAX_KNOWN_BYTES:
                self._known, self._known_bytes = {}, len(name)
            self._known[name] = structure
        if structure is None or (structure.nulls and any(parts[at][1:] != b"null" for at in structure.nulls)):
            return None
        return structure, parts, [parts[at][1:] for at in structure.places]

    def _structure_of(self, parts: Sequence[bytes], *, is_whole: bool) -> Structure | None:
        """Return the structure of a document; None if it has to take the general path."""
        pieces = [
            part if at % 2 == 0 else b'%b"%b%d"' % (part[:1], _PLACEHOLDER.encode(), at)
            for at, part in enumerate(parts)
        ]
        structure = Structure()
        found: tuple[list[int], list[Location]] = ([], [])
        try:
            text = b"".join(pieces).decode()
            parsed, end = _scan(text, 0)
            if end != len(text):
                return None
            if not is_whole and len(self.anchors) == 1:
                parsed = {self.anchors[0].text: parsed}
            for at, anchor in enumerate(self.anchors):
                matches = matches_at(parsed, anchor.location) if is_whole else parsed[anchor.text]
                if not matches:
                    continue
                before = len(structure.places)
                for number, steps in anchor.paths:
                    _find(matches[0], steps, anchor.location, number, structure, found)
                if len(structure.places) > before:
                    span = (
                        self._span(pieces, text, anchor, matches[0], is_whole=is_whole)
                        if anchor.is_list
                        else None
                    )
                    structure.anchors.append(AnchorValues(at, before, len(structure.places), span))
        except (ValueError, RecursionError, StopIteration, _NotPlainError):
            return None
        structure.paths, structure.locations = tuple(found[0]), tuple(found[1])
        return structure

    def _span(
        self, pieces: Sequence[bytes], text: str, anchor: Anchor, value: Any, *, is_whole: bool
    ) -> Span:
        """Return where the text of a list is. Raises _NotPlainError if it is not found."""
        if is_whole or len(self.anchors) > 1:
            name = anchor.name if is_whole else anchor.reply_name
            # The name may occur elsewhere, but not with the same placeholders.
            found = (match.end() for match in re.finditer(re.escape(name), text))
            start = next((one for one in found if _scan(text, one)[0] == value), None)
            if start is None:
                raise _NotPlainError
        else:
            start = 1
        first, last = len(text[:start].encode()), len(text[: _scan(text, start)[1]].encode())
        starts = list(accumulate(map(len, pieces), initial=0))
        at, until = bisect_right(starts, first) - 1, bisect_right(starts, last - 1) - 1
        return Span(at, first - starts[at], until, last - starts[until])


def _is_plain_path(text: str) -> bool:
    return text.isprintable() and '"' not in text and "\\" not in text


def _is_supported(location: Location, steps: tuple[Any, ...]) -> bool:
    names = [step for step in (*location, *steps) if step is not Each.ITEM]
    is_list = not steps or steps[0] is Each.ITEM
    return (
        is_list
        and all(isinstance(step, str) and not isinstance(step, Each) for step in names)
        and can_be_set(tuple(names))
    )


@cache
def _member(step: Any) -> str:
    """Return how the member of an object begins in a text; nothing for an item of a list."""
    return f"{json_text(step).decode()}:" if isinstance(step, str) else ""


def _find(
    value: Any,
    steps: tuple[Any, ...],
    location: Location,
    number: int,
    structure: Structure,
    found: tuple[list[int], list[Location]],
) -> None:
    """Append the planned values in a value with placeholders. Raise _NotPlainError where it is not as the path says."""
    is_scalar = isinstance(value, str) and value.startswith(_PLACEHOLDER)
    if not steps:
        if not is_scalar:
            raise _NotPlainError
        structure.places.append(int(value[1:]))
        found[0].append(number)
        found[1].append(location)
    elif is_scalar:
        structure.nulls.append(int(value[1:]))
    elif value is None:
        return
    elif steps[0] is Each.ITEM:
        if not isinstance(value, list):
            raise _NotPlainError
        for at, item in enumerate(value):
            _find(item, steps[1:], (*location, at), number, structure, found)
    elif not isinstance(value, dict):
        raise _NotPlainError
    elif steps[0] in value:
        _find(value[steps[0]], steps[1:], (*location, steps[0]), number, structure, found)
