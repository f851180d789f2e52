"""The fast path for JSON documents: encoder and decoder of their edits.

It takes documents whose values can be converted exactly, and converts the values of a page together. Documents are not
parsed one by one: a pattern splits the text of each into its scalar values and the rest, its structure. Documents with
the same structure have their planned values at the same places, so only the first of them is parsed, with placeholders
in place of its values.

The edits are those of the general path, and so is the entry of the undo log. The script differs: it compares a document,
or a list, as one text, and sends all changes of a document as one JSON.MERGE, with whole lists. The text of a changed
list is that of the server with other values, so that nothing else in it changes; it must have no number that the server
may read otherwise.

Contract with apply.lua: `wire` returns
{key, 'texts', n, patch, has whole numbers, most digits, edits, n paths, n texts}
with texts as the server prints them; the path "" is the whole document. Nothing is read back: the server must print
numbers as Python does. So in each script, a document with whole numbers and one with as many digits behind the point as
any other take the general path, which reads them back and confirms that. The script leaves documents with numbers that
were not confirmed.
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha1
from itertools import accumulate, chain
from typing import Any, NamedTuple, TypeAlias, TypeVar

from redstart.mapping.value_paths import Each, Location, can_be_set, merge_patch
from redstart.migrations.data.edits import DIGEST_BYTES, CompactEdits, DocumentEdits, Pairs, StoredDocument
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.reader import matches_at, reader_of
from redstart.migrations.transformation import Edit, EditSet, PlainConverter
from redstart.values.lossless_json import json_text

T = TypeVar("T")

MAX_EDITS = 50
"""Documents with more of them are large: they take the general path, in parts if need be."""

MAX_BYTES = 64_000
"""So are documents of which more bytes are read."""

_ZERO_FOR_DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)


def _may_change(text: bytes) -> bool:
    """Return whether there may be numbers that the server does not read exactly.

    They have more than 15 digits, or a large negative exponent. (A pattern takes ten times as long.)
    """
    digits = text.translate(_ZERO_FOR_DIGITS)
    return b"00000000000000000" in digits or b"0e-00" in digits


_SCALAR = rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"(?!:)|-?[0-9][0-9.eE+-]*+|true|false|null)'
_split_members = re.compile(b"(:" + _SCALAR + b")").split
"""Splits a text at the values of members; each of them begins with the colon."""

_split_items = re.compile(rb"([:\[,]" + _SCALAR + b")").split
"""Splits a text at the items of lists, too; this takes three times as long."""

_decoder: Any = json.JSONDecoder(strict=False)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # `decode` looks for white space around it, too

_MAX_STRUCTURES_BYTES = 4_000_000
"""Of the structures of the documents of one model that are kept."""

_PLACEHOLDER = "\x01"
"""How placeholders begin. No text of a server has such a character."""

_NOTHING = DocumentEdits(b"", json=False, edits=[])
"""The edits of documents that stay as they are."""


class _NotPlainError(Exception):
    """The document has to take the general path."""


@dataclass(frozen=True, slots=True)
class _Anchor:
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


class _Span(NamedTuple):
    """Where the text of an anchor is among the parts of a document: from a byte of one to a byte of another."""

    first: int
    start: int
    last: int
    end: int

    def text(self, parts: Sequence[bytes]) -> bytes:
        """Return the text."""
        text = b"".join(parts[self.first : self.last + 1])
        return text[self.start : len(text) - len(parts[self.last]) + self.end]


class _AnchorValues(NamedTuple):
    """The planned values of an anchor, from one to the one before another; and its text, if it is a list."""

    anchor: int
    start: int
    end: int
    span: _Span | None


@dataclass(slots=True)
class _Structure:
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
    anchors: list[_AnchorValues] = field(default_factory=list)

    def only(self, kept: Sequence[int]) -> "_Structure":
        """Return the same with only some planned values."""
        anchors = [
            _AnchorValues(one.anchor, start, end, one.span)
            for one in self.anchors
            if (start := bisect_left(kept, one.start)) < (end := bisect_left(kept, one.end))
        ]
        return _Structure(
            [self.places[at] for at in kept],
            paths=tuple([self.paths[at] for at in kept]),
            locations=tuple([self.locations[at] for at in kept]),
            anchors=anchors,
        )


_Values: TypeAlias = tuple[_Structure, list[bytes], list[bytes]]
"""The structure of a document, its parts, and its planned values as JSON text."""


class PlainJson:
    """Classifies and edits the documents of one model."""

    def __init__(
        self, model: PlannedModel, anchors: Sequence[_Anchor], converters: Sequence[PlainConverter]
    ) -> None:
        self._anchors = anchors
        self._patches: dict[tuple[int, ...], tuple[bytes, tuple[int, ...]]] = {}
        # One converter for all paths of a kind, so that their values are converted together.
        kinds = [path.kind for path in model.paths]
        self._firsts = [kinds.index(kind) for kind in kinds]
        self._converters = converters
        self._has_items = any(path.segments[-1] is Each.ITEM for path in model.paths)
        self._structures: dict[bytes, _Structure | None] = {}
        self._structures_bytes = 0

    @classmethod
    def of(cls, model: PlannedModel, converters: Sequence[PlainConverter]) -> "PlainJson | None":
        """Return the fast path for a model; None if its paths are not lists and named fields, or cannot be written."""
        anchors = []
        for text, (location, paths) in reader_of(model).anchors.items():
            inside = tuple((model.paths.index(path), path.segments[len(location) :]) for path in paths)
            if not _is_plain_path(text) or not all(_is_supported(location, steps) for _, steps in inside):
                return None
            is_list = bool(inside[0][1])
            if any(bool(steps) != is_list for _, steps in inside):
                return None
            anchors.append(_Anchor(text, _member(location[-1]), f'"{text}":[', location, is_list, inside))
        return cls(model, anchors, converters)

    def kinds(self, documents: Sequence[StoredDocument]) -> list[tuple[tuple[int, ...], tuple[int | None, ...]] | None]:
        """Return for each document the numbers of the paths and the kinds of its values; None as for `edits`."""
        split = list(map(self._split, documents))
        kinds = self._in_order(split, [one.classify(column) for one, column in self._columns(split)])
        ends = _ends(split)
        return [
            None if one is None or None in (found := tuple(kinds[end - len(one[2]) : end])) else (one[0].paths, found)
            for one, end in zip(split, ends, strict=True)
        ]

    def edits(self, documents: Sequence[StoredDocument]) -> list[DocumentEdits | None]:
        """Return the edits of each document; None if it has to take the general path."""
        split = list(map(self._split, documents))
        converted = [one.convert(column) for one, column in self._columns(split)]
        kinds = self._in_order(split, [column.kinds for column in converted])
        new = self._in_order(split, [column.new for column in converted])
        times = self._in_order(split, [column.times for column in converted])
        are_plain = None not in kinds
        made: list[DocumentEdits | None] = []
        for document, one, end in zip(documents, split, _ends(split), strict=True):
            if one is None:
                made.append(None)
                continue
            start = end - len(one[2])
            is_plain = are_plain or None not in kinds[start:end]
            made.append(self._edits(document, one, new[start:end], times[start:end]) if is_plain else None)
        return made

    def _columns(self, documents: Sequence[_Values | None]) -> list[tuple[PlainConverter, list[bytes]]]:
        """Return the planned values of each kind in all documents, with their converter."""
        columns: dict[int, list[bytes]] = {first: [] for first in self._firsts}
        if len(columns) == 1:
            return [(self._converters[0], list(chain.from_iterable([one[2] for one in documents if one is not None])))]
        for one in documents:
            for number, value in () if one is None else zip(one[0].paths, one[2], strict=True):
                columns[self._firsts[number]].append(value)
        return [(self._converters[first], column) for first, column in columns.items()]

    def _in_order(self, documents: Sequence[_Values | None], columns: Sequence[Sequence[T]]) -> Sequence[T]:
        """Return items for the planned values of each kind in the order of these values."""
        if len(columns) == 1:
            return columns[0]
        iterators = dict(zip(dict.fromkeys(self._firsts), map(iter, columns), strict=True))
        return [
            next(iterators[self._firsts[number]])
            for one in documents
            if one is not None
            for number in one[0].paths
        ]

    def _split(self, document: StoredDocument) -> _Values | None:
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
            name = b"\0".join([*parts[::2], b"1" if document.is_whole else b"", *[one[:1] for one in parts[1::2]]])
        if name in self._structures:
            structure = self._structures[name]
        else:
            structure = self._structure_of(parts, is_whole=document.is_whole)
            self._structures_bytes += len(name)
            if self._structures_bytes > _MAX_STRUCTURES_BYTES:
                self._structures, self._structures_bytes = {}, len(name)
            self._structures[name] = structure
        if structure is None or (structure.nulls and any(parts[at][1:] != b"null" for at in structure.nulls)):
            return None
        return structure, parts, [parts[at][1:] for at in structure.places]

    def _structure_of(self, parts: Sequence[bytes], *, is_whole: bool) -> _Structure | None:
        """Return the structure of a document; None if it has to take the general path."""
        pieces = [
            part if at % 2 == 0 else b'%b"%b%d"' % (part[:1], _PLACEHOLDER.encode(), at)
            for at, part in enumerate(parts)
        ]
        structure = _Structure()
        found: tuple[list[int], list[Location]] = ([], [])
        try:
            text = b"".join(pieces).decode()
            # As bytes would have them: what is not ASCII is in no value, and moves the rest.
            parsed, end = _scan(text, 0)
            if end != len(text):
                return None
            if not is_whole and len(self._anchors) == 1:
                parsed = {self._anchors[0].text: parsed}
            for at, anchor in enumerate(self._anchors):
                matches = matches_at(parsed, anchor.location) if is_whole else parsed[anchor.text]
                if not matches:
                    continue
                before = len(structure.places)
                for number, steps in anchor.paths:
                    _find(matches[0], steps, anchor.location, number, structure, found)
                if len(structure.places) > before:
                    span = self._span(pieces, text, anchor, matches[0], is_whole=is_whole) if anchor.is_list else None
                    structure.anchors.append(_AnchorValues(at, before, len(structure.places), span))
        except (ValueError, RecursionError, StopIteration, _NotPlainError):
            return None
        structure.paths, structure.locations = tuple(found[0]), tuple(found[1])
        return structure

    def _span(
        self, pieces: Sequence[bytes], text: str, anchor: _Anchor, value: Any, *, is_whole: bool
    ) -> _Span:
        """Return where the text of a list is. Raises _NotPlainError if it is not found."""
        name = "" if not is_whole and len(self._anchors) == 1 else anchor.name if is_whole else anchor.reply_name
        start = text.find(name) + len(name) if name else 1
        # The name may occur elsewhere, but not with the same placeholders.
        while start >= len(name) and _scan(text, start)[0] != value:
            start = text.find(name, start) + len(name) if name else -1
        if start < len(name) or start < 1:
            raise _NotPlainError
        first, last = len(text[:start].encode()), len(text[: _scan(text, start)[1]].encode())
        starts = list(accumulate(map(len, pieces), initial=0))
        at, until = bisect_right(starts, first) - 1, bisect_right(starts, last - 1) - 1
        return _Span(at, first - starts[at], until, last - starts[until])

    def _edits(
        self,
        document: StoredDocument,
        split: _Values,
        numbers: Sequence[bytes | None],
        times: Sequence[int | None],
    ) -> DocumentEdits | None:
        structure, parts, values = split
        if not numbers or None in numbers:
            kept = [at for at, number in enumerate(numbers) if number is not None]
            if not kept:
                return _NOTHING
            structure = structure.only(kept)
            values, numbers, times = [values[at] for at in kept], [numbers[at] for at in kept], [times[at] for at in kept]
        old: list[bytes] = []
        new: list[Any] = []
        for _, start, end, span in structure.anchors:
            if span is None:
                old.append(values[start])
                new.append(numbers[start])
                continue
            before = span.text(parts)
            if _may_change(before):
                return None
            for place, number in zip(structure.places[start:end], numbers[start:end], strict=True):
                parts[place] = parts[place][:1] + (number or b"")
            old.append(before)
            new.append(span.text(parts))
        if len(numbers) > MAX_EDITS or (not document.is_whole and self._is_ambiguous(document)):
            return None
        guards = [self._anchors[one.anchor].text for one in structure.anchors if one.span is not None]
        compact = PlainJsonEdits(document, self, structure, values, numbers, times, old, new)
        return DocumentEdits.of_compact_json(document, len(numbers), compact, guards)

    def _is_ambiguous(self, document: StoredDocument) -> bool:
        """Return whether a text with the beginning of a path could hide that another one has changed."""
        paths = len(self._anchors) if len(self._anchors) > 1 else 0
        return (document.text or b"").count(b'"$') > paths

    def text_of(self, anchor: int) -> str:
        """Return the path of an anchor."""
        return self._anchors[anchor].text

    def patch(self, anchors: Sequence[_AnchorValues], new: Sequence[bytes]) -> bytes:
        """Return the JSON.MERGE document that sets the values of some anchors."""
        known = tuple([one[0] for one in anchors])
        if known not in self._patches:
            marked = merge_patch(
                [(self._anchors[number].location, b"\0%d\0" % at) for at, number in enumerate(known)]
            )
            parts = marked.replace(b"%", b"%%").split(b"\0")
            self._patches[known] = b"%b".join(parts[::2]), tuple(map(int, parts[1::2]))
        template, order = self._patches[known]
        return template % tuple([new[at] for at in order])


class PlainJsonEdits(CompactEdits):
    """The edits of a plain document."""

    __slots__ = ("_document", "_new", "_numbers", "_old", "_plain", "_structure", "_times", "_values", "forms")

    forms: tuple[bool, int]

    def __init__(
        self,
        document: StoredDocument,
        plain: PlainJson,
        structure: _Structure,
        values: Sequence[bytes],
        numbers: Sequence[Any],
        times: Sequence[int | None],
        old: list[bytes],
        new: list[bytes],
    ) -> None:
        self._document, self._plain, self._structure = document, plain, structure
        self._values, self._numbers, self._times = values, numbers, times
        self._old, self._new = old, new
        # Of whole numbers, a digit is behind the point, too.
        digits = [len(number) - number.index(b".") for number in numbers]
        has_whole = 2 in digits and any(number.endswith(b".0") for number in numbers)
        self.forms = (has_whole, max(digits))

    @property
    def byte_size(self) -> int:
        """The bytes that are compared and written, and a constant for each edit."""
        return 2 * len(self._texts()) + 64 * len(self._numbers)

    def _texts(self) -> bytes:
        return (self._document.text or b"") if self._document.is_whole else b"".join(self._old)

    def edit_set(self) -> EditSet:
        """Return the edits."""
        return EditSet(tuple(Edit(place, old, new, converts=True) for place, old, new in self._edits()))

    def _edits(self) -> list[tuple[Location, bytes, bytes]]:
        """Return the location, the old and the new text of each edit."""
        return list(zip(self._structure.locations, self._values, self._numbers, strict=True))

    def wire(self, marks: ProcessedDocuments | None) -> list[Any]:  # noqa: ARG002 - values in JSON have no marks
        """Return the document as apply.lua takes it."""
        key, text = self._document.key, self._document.text
        patch = self._plain.patch(self._structure.anchors, self._new)
        fixed = (patch, *self.forms, len(self._numbers))
        if self._document.is_whole:
            return [key, "texts", 1, *fixed, "", text]
        paths = [self._plain.text_of(one.anchor) for one in self._structure.anchors]
        return [key, "texts", len(paths), *fixed, *paths, *self._old]

    def pairs(self) -> Pairs:
        """Return the edits, and the digest of each changed list."""
        old = b"\n".join([text[1:-1] for text in self._values])
        return Pairs(self._structure.locations, old, self._numbers, self._times, self._digests())

    def entry(self) -> list[Any]:
        """Return the document as the undo log has it if its edits cannot be packed."""
        return [self._document.key, "json", [(*edit, None) for edit in self._edits()], self._digests()]

    def _digests(self) -> tuple[tuple[str, bytes], ...]:
        """Return the path and the digest of each changed list, as the script that writes would find it."""
        return tuple(
            [
                (
                    self._plain.text_of(one.anchor),
                    sha1(b"[%b]" % new, usedforsecurity=False).digest()[:DIGEST_BYTES],
                )
                for one, new in zip(self._structure.anchors, self._new, strict=True)
                if one.span is not None
            ]
        )


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


def _ends(documents: Sequence[_Values | None]) -> Iterable[int]:
    """Yield how many planned values there are up to the end of each document."""
    return accumulate(0 if one is None else len(one[2]) for one in documents)


@cache
def _member(step: Any) -> str:
    """Return how the member of an object begins in a text; nothing for an item of a list."""
    return f"{json_text(step).decode()}:" if isinstance(step, str) else ""


def _find(
    value: Any,
    steps: tuple[Any, ...],
    location: Location,
    number: int,
    structure: _Structure,
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
