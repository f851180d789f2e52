"""The fast path for JSON documents: encoder and decoder of their edits.

It takes documents whose values can be converted exactly, and converts the values of a page together; json_structures.py
finds them. The edits are those of the general path, and so is the entry of the undo log. The script differs: it
compares a document, or a list, as one text, and sends all changes of a document as one JSON.MERGE, with whole lists.
The text of a changed list is that of the server with other values, so that nothing else in it changes; it must have no
number that the server may read otherwise.

Contract with apply.lua: `wire` returns
{key, 'texts', n, patch, has whole numbers, most digits, edits, n paths, n texts}
with texts as the server prints them; the path "" is the whole document. Nothing is read back: the server must print
numbers as Python does. So in each script, a document with whole numbers and one with as many digits behind the point as
any other take the general path, which reads them back and confirms that. The script leaves documents with numbers that
were not confirmed.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from itertools import accumulate, chain
from typing import Any, TypeVar

from redstart.mapping.value_paths import Location, merge_patch
from redstart.migrations.data.compact_edits import DIGEST_BYTES, CompactEdits, Pairs
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.json_structures import AnchorValues, JsonStructures, SplitDocument, Structure
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.transformation import Edit, EditSet, PlainConverter

T = TypeVar("T")

MAX_EDITS = 50
"""Documents with more of them are large: they take the general path, in parts if need be."""

_ZERO_FOR_DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)


def _may_change(text: bytes) -> bool:
    """Return whether there may be numbers that the server does not read exactly.

    They have more than 15 digits, or a large negative exponent. (A pattern takes ten times as long.)
    """
    digits = text.translate(_ZERO_FOR_DIGITS)
    return b"00000000000000000" in digits or b"0e-00" in digits


_NOTHING = DocumentEdits(b"", json=False, edits=[])
"""The edits of documents that stay as they are."""


class PlainJson:
    """Classifies and edits the documents of one model."""

    def __init__(
        self, model: PlannedModel, structures: JsonStructures, converters: Sequence[PlainConverter]
    ) -> None:
        self._structures = structures
        self._anchors = structures.anchors
        self._patches: dict[tuple[int, ...], tuple[bytes, tuple[int, ...]]] = {}
        # One converter for all paths of a kind, so that their values are converted together.
        kinds = [path.kind for path in model.paths]
        self._firsts = [kinds.index(kind) for kind in kinds]
        self._converters = converters

    @classmethod
    def of(cls, model: PlannedModel, converters: Sequence[PlainConverter]) -> "PlainJson | None":
        """Return the fast path for a model; None if there is none for its paths."""
        structures = JsonStructures.of(model)
        return None if structures is None else cls(model, structures, converters)

    def kinds(
        self, documents: Sequence[StoredDocument]
    ) -> list[tuple[tuple[int, ...], tuple[int | None, ...]] | None]:
        """Return for each document the numbers of the paths and the kinds of its values; None as for `edits`."""
        split = list(map(self._structures.split, documents))
        kinds = self._in_order(split, [one.classify(column) for one, column in self._columns(split)])
        ends = _ends(split)
        return [
            None
            if one is None or None in (found := tuple(kinds[end - len(one[2]) : end]))
            else (one[0].paths, found)
            for one, end in zip(split, ends, strict=True)
        ]

    def edits(self, documents: Sequence[StoredDocument]) -> list[DocumentEdits | None]:
        """Return the edits of each document; None if it has to take the general path."""
        split = list(map(self._structures.split, documents))
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

    def _columns(self, documents: Sequence[SplitDocument | None]) -> list[tuple[PlainConverter, list[bytes]]]:
        """Return the planned values of each kind in all documents, with their converter."""
        columns: dict[int, list[bytes]] = {first: [] for first in self._firsts}
        if len(columns) == 1:
            return [
                (
                    self._converters[0],
                    list(chain.from_iterable([one[2] for one in documents if one is not None])),
                )
            ]
        for one in documents:
            for number, value in () if one is None else zip(one[0].paths, one[2], strict=True):
                columns[self._firsts[number]].append(value)
        return [(self._converters[first], column) for first, column in columns.items()]

    def _in_order(
        self, documents: Sequence[SplitDocument | None], columns: Sequence[Sequence[T]]
    ) -> Sequence[T]:
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

    def _edits(
        self,
        document: StoredDocument,
        split: SplitDocument,
        numbers: Sequence[bytes | None],
        times: Sequence[int | None],
    ) -> DocumentEdits | None:
        structure, parts, values = split
        if not numbers or None in numbers:
            kept = [at for at, number in enumerate(numbers) if number is not None]
            if not kept:
                return _NOTHING
            structure = structure.only(kept)
            values, numbers, times = (
                [values[at] for at in kept],
                [numbers[at] for at in kept],
                [times[at] for at in kept],
            )
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

    def patch(self, anchors: Sequence[AnchorValues], new: Sequence[bytes]) -> bytes:
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

    __slots__ = (
        "_document",
        "_new",
        "_numbers",
        "_old",
        "_plain",
        "_structure",
        "_times",
        "_values",
        "forms",
    )

    forms: tuple[bool, int]

    def __init__(
        self,
        document: StoredDocument,
        plain: PlainJson,
        structure: Structure,
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


def _ends(documents: Sequence[SplitDocument | None]) -> Iterable[int]:
    """Yield how many planned values there are up to the end of each document."""
    return accumulate(0 if one is None else len(one[2]) for one in documents)
