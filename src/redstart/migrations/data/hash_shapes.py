"""The fast path for hashes whose values are only moved: encoder and decoder of their edits.

A renamed field is copied whatever its value is. What such a migration does to a hash depends only on its shape: which
fields it has, and which of them are equal. So the general path classifies one hash of each shape, with placeholders in
place of its values; the others of this shape have the same edits with their own values. In apply.lua and in the undo
log they are hashes like those of the general path.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from redstart.mapping.value_paths import Location
from redstart.migrations.data.compact_edits import CompactEdits
from redstart.migrations.data.edit_builder import marked_values, packed_mark
from redstart.migrations.data.edits import (
    ClassifiedValue,
    DocumentEdits,
    DocumentTransformation,
    StoredDocument,
)
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.transformation import Classification, EditSet

Values = Sequence[bytes | None]
"""None, the values of a hash at the paths of its model, and the constants of the migration."""

_MAX_SHAPES = 10_000
"""Limit of known shapes of one model. Hashes of other shapes take the general path."""


class HashShapes:
    """Classifies the hashes of one model by their shape."""

    def __init__(
        self, model: PlannedModel, transformation: DocumentTransformation, constants: Sequence[bytes]
    ) -> None:
        self._model = model
        self._transformation = transformation
        self._constants = tuple(constants)
        self._shapes: dict[tuple[int, ...], Shape | None] = {}

    def shape_of(self, fields: Sequence[bytes | None]) -> "tuple[Shape | None, Values]":
        """Return the shape of a hash, and its values. No shape: it has a failed value, or needs a mark."""
        values = [None, *fields, *self._constants]
        equal = tuple(map(values.index, values))
        if equal in self._shapes:
            return self._shapes[equal], values
        shape = self._classified(equal)
        if len(self._shapes) < _MAX_SHAPES:
            self._shapes[equal] = shape
        return shape, values

    def edits(self, key: bytes, fields: Sequence[bytes | None]) -> DocumentEdits | None:
        """Return the edits of a hash; None if it has to be classified by itself."""
        shape, values = self.shape_of(fields)
        if shape is None:
            return None
        return DocumentEdits.of_compact(key, len(shape.edits), ShapedEdits(key, values, shape))

    def _classified(self, equal: tuple[int, ...]) -> "Shape | None":
        """Return the shape of hashes with values that are equal to those at some positions before, or to themselves."""
        first_constant = len(equal) - len(self._constants)
        of_constants = {equal[first_constant + at]: one for at, one in enumerate(self._constants)}
        stand_ins = [
            None if at == 0 else of_constants.get(at, b"\xff\x00placeholder %d\x00\xff" % at) for at in equal
        ]
        document = StoredDocument.of_hash(_PLACEHOLDER_KEY, self._model, stand_ins[1:first_constant])
        classified = self._transformation.classify_document(document)
        is_certain = all(conversion.outcome in _CERTAIN for _, conversion in classified)
        return Shape(classified, stand_ins) if is_certain and not document.wanted else None


_PLACEHOLDER_KEY = b"placeholder"
_CERTAIN = (Classification.CONVERTIBLE, Classification.ALREADY)


class Shape:
    """The edits of hashes of one shape. In place of bytes they have their position among the values of the hash.

    Attributes:
        classified: the values of one such hash.
        is_unchanged: whether nothing is to be changed.
    """

    def __init__(self, classified: list[ClassifiedValue], stand_ins: Values) -> None:
        sets = [conversion.edits for _, conversion in classified if conversion.edits is not None]
        self.classified = classified
        self.edits = [
            (edit, stand_ins.index(edit.old), stand_ins.index(edit.new)) for one in sets for edit in one.edits
        ]
        self.unchanged = [(place, stand_ins.index(raw)) for one in sets for place, raw in one.unchanged]
        self.marks = [
            (kind, number, list(map(stand_ins.index, texts)))
            for one in sets
            for kind, number, texts in map(marked_values, one.marks)
        ]
        converted = sum(edit.converts for edit, _, _ in self.edits)
        lossy = sum(edit.lossy for edit, _, _ in self.edits)
        self._counts = [converted, lossy, len(self.edits)]
        self._changes = [
            (edit.location[0], old, new, _twin(edit.expiry_of), edit.expires_ms)
            for edit, old, new in self.edits
        ] + [(place[0], at, at, "", 0) for place, at in self.unchanged]
        self._entry = [
            (edit.location, old, new, edit.aside, edit.expiry_of, edit.group) for edit, old, new in self.edits
        ]

    @property
    def is_unchanged(self) -> bool:
        """Whether such hashes stay as they are."""
        return not self.edits

    def wire(self, key: bytes, values: Values, marks: ProcessedDocuments | None) -> list[Any]:
        """Return a hash as apply.lua takes it."""
        sent = [False, *values[1:]]
        changes = [
            [name, sent[old], sent[new], twin, expires] for name, old, new, twin, expires in self._changes
        ]
        marked = [] if marks is None else [marks.part_and_member(mark) for mark in self.marks_of(key, values)]
        return [key, "hash", changes, "", [], self._counts, [], [], marked]

    def entry(self, key: bytes, values: Values) -> list[Any]:
        """Return a hash as the undo log has it."""
        edits = [(place, values[old], values[new], *more) for place, old, new, *more in self._entry]
        return [key, "hash", edits, [], "atomic"]

    def edit_set(self, key: bytes, values: Values) -> EditSet:
        """Return the edits of a hash."""
        edits = (edit._replace(old=values[old], new=values[new]) for edit, old, new in self.edits)
        unchanged = ((place, values[at]) for place, at in self.unchanged)
        return EditSet(tuple(edits), tuple(unchanged), tuple(self.marks_of(key, values)))

    def marks_of(self, key: bytes, values: Values) -> Iterable[bytes]:
        """Return the marks of a hash."""
        return [
            packed_mark(key, kind, number, [values[at] for at in texts]) for kind, number, texts in self.marks
        ]


class ShapedEdits(CompactEdits):
    """The edits of a hash of a known shape."""

    __slots__ = ("_key", "_shape", "_values")

    def __init__(self, key: bytes, values: Values, shape: Shape) -> None:
        self._key, self._values, self._shape = key, values, shape

    @property
    def byte_size(self) -> int:
        """The bytes of its values, and a constant for each edit."""
        return 2 * sum(map(len, filter(None, self._values))) + 64 * len(self._shape.edits)

    def edit_set(self) -> EditSet:
        """Return the edits."""
        return self._shape.edit_set(self._key, self._values)

    def wire(self, marks: ProcessedDocuments | None) -> list[Any]:
        """Return the hash as apply.lua takes it."""
        return self._shape.wire(self._key, self._values, marks)

    def entry(self) -> list[Any]:
        """Return the hash as the undo log has it."""
        return self._shape.entry(self._key, self._values)


def _twin(place: Location | None) -> Any:
    return "" if place is None else place[0] if len(place) == 1 else list(place)
