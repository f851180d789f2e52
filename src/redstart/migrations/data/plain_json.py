"""The fast path for JSON documents: encoder and decoder of their edits.

It takes documents whose values can be converted exactly, and whose lists survive being written: parsed and written
again, they are the same text. The edits are those of the general path, and so is the entry of the undo log. The script
differs: it compares a list as one text, and sends all changes of a document as one JSON.MERGE, with the whole list.

Contract with apply.lua: `wire` returns
{key, 'texts', n, patch, forms, edits, m, n paths, n texts, m digests}
with the digests of the new texts of m lists, in the order of the guards. The texts of the paths must be those that the
server prints; the path "" is the whole document. Nothing is read back: the server must print numbers as Python does.
So in each script, a document with whole numbers and one with as many digits behind the point as any other take the
general path, which reads them back and confirms that. The script leaves documents with numbers that were not confirmed.
`forms` are whether there are whole numbers, and the most digits.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, TypeAlias

from redstart.mapping.value_paths import Each, Location, ValuePath, can_be_set, merge_patch
from redstart.migrations.data.edits import CompactEdits, DocumentEdits, StoredDocument
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.reader import matches_at, reader_of
from redstart.migrations.transformation import ConvertJson, Edit, EditSet, PlainValue

MAX_EDITS = 50
"""Documents with more of them are large: they take the general path, in parts if need be."""

MAX_BYTES = 64_000
"""So are documents of which more bytes are read."""

_ZERO_FOR_DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)


def _may_change(text: bytes) -> bool:
    """Return whether there may be numbers that the server does not read exactly.

    They have more than 15 digits, or a large negative exponent. All others are read exactly if Python writes them like
    the server. (A pattern takes ten times as long.)
    """
    digits = text.translate(_ZERO_FOR_DIGITS)
    return b"00000000000000000" in digits or b"0e-00" in digits


class _NotPlainError(Exception):
    """The document has to take the general path."""


def _no_constant(_: str) -> None:
    raise _NotPlainError


_decoder: Any = json.JSONDecoder(parse_constant=_no_constant)
_scan: Callable[[str, int], tuple[Any, int]] = (
    _decoder.scan_once
)  # `decode` looks for white space around it, too
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode

_NOTHING = DocumentEdits(b"", json=True, edits=[])
"""The edits of documents that stay as they are."""

_Found: TypeAlias = tuple[int, Any, Any, str, Location, PlainValue]
"""The number of a path, the list or object with a value, the position or name there, the value, its location, and what
it is."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A value that is read: one planned value, or a list with planned values.

    Attributes:
        text: its path.
        paths: the number of each planned path, its steps inside the list, and the converter of its values.
    """

    text: str
    location: Location
    is_list: bool
    paths: tuple[tuple[int, tuple[Any, ...], ConvertJson], ...]


class PlainJson:
    """Classifies and edits the documents of one model."""

    def __init__(self, model: PlannedModel, anchors: Sequence[_Anchor]) -> None:
        self._model = model
        self._anchors = anchors
        self._patches: dict[tuple[int, ...], tuple[bytes, tuple[int, ...]]] = {}

    @classmethod
    def of(
        cls, model: PlannedModel, convert: Callable[[ValuePath], ConvertJson | None]
    ) -> "PlainJson | None":
        """Return the fast path for a model; None if its paths are not lists and named fields, or cannot be written."""
        anchors = []
        for text, (location, paths) in reader_of(model).anchors.items():
            inside = [
                (model.paths.index(path), path.segments[len(location) :], convert(path)) for path in paths
            ]
            if not _is_plain_path(text) or not all(_is_supported(location, steps) for _, steps, _ in inside):
                return None
            is_list = bool(inside[0][1])
            known = tuple((number, steps, one) for number, steps, one in inside if one is not None)
            if len(known) < len(inside) or any(bool(steps) != is_list for _, steps, _ in known):
                return None
            anchors.append(_Anchor(text, location, is_list, known))
        return cls(model, anchors)

    def group(self, document: StoredDocument) -> tuple[tuple[int, int], ...] | None:
        """Return the number of the path and the kind of each value; None if one needs the general path."""
        try:
            return tuple([(one[0], one[5][0]) for _, found in self._found(document) for one in found])
        except _NotPlainError:
            return None

    def edits(self, document: StoredDocument) -> DocumentEdits | None:
        """Return the edits of a document; None if it has to take the general path."""
        try:
            return self._edits(document)
        except _NotPlainError:
            return None

    def _found(self, document: StoredDocument) -> list[tuple[Any, list[_Found]]]:
        """Return for each anchor its value, and the planned values in it."""
        text = document.text
        if text is None or len(text) > MAX_BYTES:
            raise _NotPlainError
        try:
            parsed, _ = _scan(text.decode(), 0)
        except (ValueError, RecursionError, StopIteration):
            raise _NotPlainError from None
        is_whole = document.is_whole
        if not is_whole and len(self._anchors) == 1:
            parsed = {self._anchors[0].text: parsed}
        result: list[tuple[Any, list[_Found]]] = []
        for anchor in self._anchors:
            matches = matches_at(parsed, anchor.location) if is_whole else parsed[anchor.text]
            found: list[_Found] = []
            result.append((matches, found))
            if not matches:
                continue
            value, location = matches[0], anchor.location
            for number, steps, convert in anchor.paths:
                if steps:
                    _find(matches, 0, value, steps, location, (number, convert), found)
                else:
                    plain = convert(value)
                    if plain is None:
                        raise _NotPlainError
                    found.append((number, matches, 0, value, location, plain))
        return result

    def _edits(self, document: StoredDocument) -> DocumentEdits:
        edits: list[tuple[Location, bytes, bytes]] = []
        which: list[int] = []
        old: list[bytes] = []
        new: list[bytes] = []
        guards: list[str] = []
        text = document.text or b""
        anchors = self._anchors
        for at, (matches, found) in enumerate(self._found(document)):
            changed = [one for one in found if one[5][1] is not None]
            if not changed:
                continue
            which.append(at)
            of_anchor: list[tuple[Location, bytes, bytes]] = [
                (location, b'"%b"' % value.encode(), plain[1])  # type: ignore[misc]
                for _, _, _, value, location, plain in changed
            ]
            edits += of_anchor
            if not anchors[at].is_list:
                old.append(of_anchor[0][1])
                new.append(of_anchor[0][2])
                continue
            before = _encode(matches[0]).encode()
            if before not in text or _may_change(before):
                raise _NotPlainError
            old.append(before)
            new.append(_replaced(before, of_anchor) or _written(matches[0], changed))
            guards.append(anchors[at].text)
        if not edits:
            return _NOTHING
        # A text with such a beginning of a path could hide that another one has changed.
        is_ambiguous = not document.is_whole and text.count(b'"$') > (len(anchors) if len(anchors) > 1 else 0)
        if len(edits) > MAX_EDITS or is_ambiguous:
            raise _NotPlainError
        whole = text if document.is_whole else None
        compact = PlainJsonEdits(document.key, self, which, edits, old, new, whole)
        return DocumentEdits.of_compact_json(document, len(edits), compact, guards)

    def paths_of(self, which: Sequence[int]) -> list[_Anchor]:
        """Return the anchors with these numbers."""
        return [self._anchors[number] for number in which]

    def patch(self, which: Sequence[int], new: Sequence[bytes]) -> bytes:
        """Return the JSON.MERGE document that sets the values of some anchors."""
        known = tuple(which)
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

    __slots__ = ("_edits", "_key", "_new", "_old", "_plain", "_which", "_whole", "forms")

    def __init__(
        self,
        key: bytes,
        plain: PlainJson,
        which: list[int],
        edits: list[tuple[Location, bytes, bytes]],
        old: list[bytes],
        new: list[bytes],
        whole: bytes | None,
    ) -> None:
        self._whole = whole
        self._key, self._plain, self._which, self._edits = key, plain, which, edits
        self._old, self._new = old, new
        # Of whole numbers, a digit is behind the point, too.
        digits = [len(number) - number.index(b".") for _, _, number in edits]
        has_whole = 2 in digits and any(number.endswith(b".0") for _, _, number in edits)
        self.forms = (has_whole, max(digits))

    @property
    def byte_size(self) -> int:
        """The bytes that are compared and written, and a constant for each edit."""
        return 2 * len(self._whole or b"".join(self._old)) + 64 * len(self._edits)

    def edit_set(self) -> EditSet:
        """Return the edits."""
        return EditSet(tuple(Edit(place, old, new, converts=True) for place, old, new in self._edits))

    def wire(self, marks: ProcessedDocuments | None) -> list[Any]:  # noqa: ARG002 - values in JSON have no marks
        """Return the document as apply.lua takes it."""
        anchors = self._plain.paths_of(self._which)
        digests = [
            sha1(b"[%b]" % new, usedforsecurity=False).hexdigest()
            for anchor, new in zip(anchors, self._new, strict=True)
            if anchor.is_list
        ]
        paths, texts = (
            ([anchor.text for anchor in anchors], self._old) if self._whole is None else ([""], [self._whole])
        )
        patch = self._plain.patch(self._which, self._new)
        counts = (len(self._edits), len(digests))
        return [self._key, "texts", len(paths), patch, self.forms, *counts, *paths, *texts, *digests]

    def entry(self) -> list[Any]:
        """Return the document as the undo log has it."""
        guards = [anchor.text for anchor in self._plain.paths_of(self._which) if anchor.is_list]
        return [self._key, "json", [(*edit, None) for edit in self._edits], guards]


def _replaced(text: bytes, edits: Sequence[tuple[Location, bytes, bytes]]) -> bytes | None:
    """Return the text of a list with the new values; None if an old one is there more than once."""
    for _, old, new in edits:
        if text.count(old) != 1:
            return None
        text = text.replace(old, new)
    return text


def _written(values: Any, changed: Sequence[_Found]) -> bytes:
    """Return the text of a list in which the values are changed, one by one."""
    for _, holder, name, _, _, plain in changed:
        holder[name] = float(plain[1] or 0)
    return _encode(values).encode()


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


def _find(
    holder: Any,
    name: Any,
    value: Any,
    steps: tuple[Any, ...],
    location: Location,
    path: tuple[int, ConvertJson],
    found: list[_Found],
) -> None:
    """Append the planned values in a value. Raise _NotPlainError if there is something else."""
    if not steps:
        plain = path[1](value)
        if plain is None:
            raise _NotPlainError
        found.append((path[0], holder, name, value, location, plain))
    elif value is None:
        return
    elif steps[0] is Each.ITEM:
        if type(value) is not list:
            raise _NotPlainError
        deeper = steps[1:]
        for position, item in enumerate(value):
            _find(value, position, item, deeper, (*location, position), path, found)
    else:
        if type(value) is not dict:
            raise _NotPlainError
        step = steps[0]
        if step in value:
            _find(value, step, value[step], steps[1:], (*location, step), path, found)
