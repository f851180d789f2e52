"""The fast paths of the engine: documents that are classified and edited without objects for single values.

Each fast path takes the documents that it knows and leaves the others to the general path (edit_builder.py), which
makes the same edits and the same counts in several times the time.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.edits import DocumentEdits, DocumentTransformation, StoredDocument
from redstart.migrations.data.hash_shapes import HashShapes
from redstart.migrations.data.plain_json import PlainJson
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.transformation import Classification, Transformation
from redstart.values.types import Storage

Counts = Sequence[tuple[ValuePath, Classification, bool | None]]
"""The path, outcome and style of each value of a document."""


@dataclass(frozen=True, slots=True)
class FastPath:
    """A fast path for the documents of one model.

    Attributes:
        edits: makes the edits of a document; None if it has to take the general path.
        group: returns a name of the documents with the same counts; None as above.
        counts: returns the counts of each document of a group.
    """

    edits: Callable[[StoredDocument], DocumentEdits | None]
    group: Callable[[StoredDocument], Hashable | None]
    counts: Callable[[Any], Counts]


class PlainDocuments:
    """The fast paths of a transformation, one for each model that has one."""

    def __init__(self, transformation: Transformation) -> None:
        self._transformation = transformation
        # By identity: the few models of a plan occur a thousand times. The model is kept, so that its id stays its own.
        self._paths: dict[int, tuple[PlannedModel, FastPath | None]] = {}

    def edits(self, documents: Iterable[StoredDocument]) -> tuple[list[DocumentEdits], list[StoredDocument]]:
        """Return the edits of the plain ones among some documents, and the other documents."""
        plain: list[DocumentEdits] = []
        others: list[StoredDocument] = []
        model: PlannedModel | None = None
        path: FastPath | None = None
        for document in documents:
            if document.model is not model:
                model, path = document.model, self._path_of(document.model)
            edits = None if path is None else path.edits(document)
            if edits is None:
                others.append(document)
            else:
                plain.append(edits)
        return plain, others

    def groups(
        self, documents: Iterable[StoredDocument]
    ) -> tuple[list[tuple[Counts, list[StoredDocument]]], list[StoredDocument]]:
        """Return the plain ones among some documents in groups with the same counts, and the other documents."""
        groups: dict[tuple[int, Hashable], list[StoredDocument]] = {}
        others: list[StoredDocument] = []
        model: PlannedModel | None = None
        path: FastPath | None = None
        for document in documents:
            if document.model is not model:
                model, path = document.model, self._path_of(document.model)
            name = None if path is None else path.group(document)
            if name is None:
                others.append(document)
            else:
                groups.setdefault((id(model), name), []).append(document)
        return [(self._counts(found[0].model, name), found) for (_, name), found in groups.items()], others

    def _counts(self, model: PlannedModel, name: Hashable) -> Counts:
        path = self._path_of(model)
        return () if path is None else path.counts(name)

    def _path_of(self, model: PlannedModel) -> FastPath | None:
        if id(model) not in self._paths:
            self._paths[id(model)] = model, fast_path_of(model, self._transformation)
        return self._paths[id(model)][1]


def fast_path_of(model: PlannedModel, transformation: Transformation) -> FastPath | None:
    """Return the fast path for the documents of a model; None if there is none."""
    if model.storage is Storage.JSON:
        plain = PlainJson.of(model, transformation.plain_json_converter)
        return None if plain is None else _of_json(model, plain)
    if isinstance(transformation, DocumentTransformation):
        constants = transformation.constants_of_moves(model.key_prefix)
        return None if constants is None else _of_shapes(HashShapes(model, transformation, constants))
    return _of_hash_values(model, transformation)


def _of_shapes(shapes: HashShapes) -> FastPath:
    return FastPath(
        lambda document: shapes.edits(document.key, document.fields or ()),
        lambda document: shapes.shape_of(document.fields or ())[0],
        lambda shape: [(value.path, conversion.outcome, None) for value, conversion in shape.classified],
    )


def _of_json(model: PlannedModel, plain: PlainJson) -> FastPath:
    return FastPath(
        plain.edits,
        plain.group,
        lambda values: [(model.paths[number], *_OUTCOMES[kind]) for number, kind in values],
    )


ABSENT, DEFAULT_STYLE, OTHER_STYLE, CONVERTED, NULL = range(5)
"""What a plain value is; see `PlainClassifier` and `PlainValue`."""

_OUTCOMES = {
    DEFAULT_STYLE: (Classification.CONVERTIBLE, True),
    OTHER_STYLE: (Classification.CONVERTIBLE, False),
    CONVERTED: (Classification.ALREADY, None),
    NULL: (Classification.NULL, None),
}


def _of_hash_values(model: PlannedModel, transformation: Transformation) -> FastPath | None:
    convert = transformation.plain_converter(model.paths, DocumentEdits.plain)
    classify = transformation.plain_classifier(model.paths)
    if convert is None or classify is None:
        return None
    return FastPath(
        lambda document: convert(document.key, document.fields or ()),
        lambda document: classify(document.fields or ()),
        lambda kinds: [
            (path, *_OUTCOMES[kind]) for path, kind in zip(model.paths, kinds, strict=True) if kind != ABSENT
        ],
    )
