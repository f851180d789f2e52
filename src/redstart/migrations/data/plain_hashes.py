"""The fast path for hashes: encoder of their edits.

It takes hashes whose values can be converted exactly, as most can, and converts the values of a page field by field.
See `DocumentEdits.plain`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.transformation import ABSENT, PlainConverter, PlainValues

T = TypeVar("T")

_NOTHING = DocumentEdits(b"", json=False, edits=[])
"""The edits of hashes that stay as they are."""


class PlainHashes:
    """Classifies and edits the hashes of one model."""

    def __init__(self, model: PlannedModel, converters: Sequence[PlainConverter]) -> None:
        self._locations = tuple([(str(path.segments[0]),) for path in model.paths])
        self._converters = converters

    def kinds(self, documents: Sequence[StoredDocument]) -> list[tuple[int | None, ...] | None]:
        """Return for each hash what the value of each field is; None if one needs the general path."""
        columns = [
            _spread(column, converter.classify, ABSENT)
            for column, converter in zip(_fields(documents), self._converters, strict=True)
        ]
        rows = zip(*columns, strict=True)
        if not any(None in column for column in columns):
            return list(rows)
        return [None if None in row else row for row in rows]

    def edits(self, documents: Sequence[StoredDocument]) -> list[DocumentEdits | None]:
        """Return the edits of each hash; None if it has to take the general path."""
        columns = [
            _converted(column, converter)
            for column, converter in zip(_fields(documents), self._converters, strict=True)
        ]
        if not any(any(column.new) or None in column.kinds for column in columns):
            return [_NOTHING] * len(documents)
        new = zip(*[column.new for column in columns], strict=True)
        times = zip(*[column.times for column in columns], strict=True)
        if all(all(column.new) for column in columns):
            locations, plain = self._locations, DocumentEdits.plain
            return [
                plain(document.key, locations, document.fields or (), numbers, of_document)
                for document, numbers, of_document in zip(documents, new, times, strict=True)
            ]
        kinds = zip(*[column.kinds for column in columns], strict=True)
        return [
            None if None in of_kinds else self._edits(document, numbers, of_document)
            for document, of_kinds, numbers, of_document in zip(documents, kinds, new, times, strict=True)
        ]

    def _edits(
        self, document: StoredDocument, new: Sequence[bytes | None], times: Sequence[int | None]
    ) -> DocumentEdits:
        values = zip(self._locations, document.fields or (), new, times, strict=True)
        changed = [value for value in values if value[2] is not None]
        return DocumentEdits.plain(document.key, *zip(*changed, strict=True)) if changed else _NOTHING


def _fields(documents: Sequence[StoredDocument]) -> Iterable[Sequence[bytes | None]]:
    """Yield the values of each field."""
    return zip(*[document.fields or () for document in documents], strict=True)


def _spread(
    column: Sequence[bytes | None], of_values: Callable[[Sequence[bytes]], Sequence[T | None]], absent: T
) -> Sequence[T | None]:
    """Return what a function returns for values of which some are absent."""
    present = [raw for raw in column if raw is not None]
    if len(present) == len(column):
        return of_values(present)
    found = iter(of_values(present))
    return [absent if raw is None else next(found) for raw in column]


def _converted(column: Sequence[bytes | None], converter: PlainConverter) -> PlainValues:
    present = [raw for raw in column if raw is not None]
    converted = converter.convert(present)
    if len(present) == len(column):
        return converted
    return PlainValues(
        _spread(column, lambda _: converted.kinds, ABSENT),
        _spread(column, lambda _: converted.new, None),
        _spread(column, lambda _: converted.times, None),
    )
