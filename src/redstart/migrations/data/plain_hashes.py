"""The fast path for hashes: encoder of their edits.

It takes hashes whose values can be converted exactly, as most can, and converts the values of a page field by field.
In apply.lua and in the undo log they are one flat list each, see `DocumentEdits.plain`.
"""

from collections.abc import Sequence
from itertools import chain, repeat

from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.transformation import ABSENT, PlainConverter, PlainValue

_ABSENT: PlainValue = (ABSENT, None)

_NOTHING = DocumentEdits(b"", json=False, edits=[])
"""The edits of hashes that stay as they are."""


class PlainHashes:
    """Classifies and edits the hashes of one model."""

    def __init__(self, model: PlannedModel, converters: Sequence[PlainConverter]) -> None:
        self._names = [path.segments[0] for path in model.paths]
        self._converters = converters

    def kinds(self, documents: Sequence[StoredDocument]) -> list[tuple[int, ...] | None]:
        """Return for each hash what the value of each field is; None if one needs the general path."""
        return [
            None if None in row else tuple([value[0] for value in row])
            for row in zip(*self._columns(documents), strict=True)
        ]

    def edits(self, documents: Sequence[StoredDocument]) -> list[DocumentEdits | None]:
        """Return the edits of each hash; None if it has to take the general path."""
        columns = self._columns(documents)
        new = [[None if value is None else value[1] for value in column] for column in columns]
        if not any(map(any, new)) and not any(None in column for column in columns):
            return [_NOTHING] * len(documents)
        if all(map(all, new)):
            names = self._names
            pairs = zip(*chain.from_iterable((repeat(name), column) for name, column in zip(names, new, strict=True)))
            plain = DocumentEdits.plain
            return [
                plain(document.key, names, document.fields or (), pair)
                for document, pair in zip(documents, pairs, strict=False)
            ]
        return [
            self._edits(document, row) for document, row in zip(documents, zip(*columns, strict=True), strict=True)
        ]

    def _edits(self, document: StoredDocument, row: Sequence[PlainValue | None]) -> DocumentEdits | None:
        if None in row:
            return None
        changed = [
            (name, raw, value[1])
            for name, raw, value in zip(self._names, document.fields or (), row, strict=True)
            if value is not None and value[1] is not None
        ]
        if not changed:
            return _NOTHING
        names, old, new = zip(*changed, strict=True)
        return DocumentEdits.plain(
            document.key, names, old, tuple(chain.from_iterable(zip(names, new, strict=True)))
        )

    def _columns(self, documents: Sequence[StoredDocument]) -> list[Sequence[PlainValue | None]]:
        """Return for each field what its value is in each hash."""
        columns: list[Sequence[PlainValue | None]] = []
        fields = zip(*[document.fields or () for document in documents], strict=True)
        for column, convert in zip(fields, self._converters, strict=True):
            if None not in column:
                columns.append(convert(column))
                continue
            found = iter(convert([raw for raw in column if raw is not None]))
            columns.append([_ABSENT if raw is None else next(found) for raw in column])
        return columns
