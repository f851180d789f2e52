"""The fast paths of the engine: documents that are classified and edited without objects for single values.

Each fast path takes the documents that it knows and leaves the others to the general path (edit_builder.py), which
makes the same edits and the same counts in several times the time.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.edits import (
    DocumentEdits,
    DocumentTransformation,
    StoredDocument,
    of_each_model,
)
from redstart.migrations.data.hash_shapes import HashShapes
from redstart.migrations.data.plain_hashes import PlainHashes
from redstart.migrations.data.plain_json import PlainJson
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.transformation import (
    ABSENT,
    CONVERTED,
    DEFAULT_STYLE,
    NULL,
    OTHER_STYLE,
    Classification,
    Transformation,
)
from redstart.values.types import Storage

Counts = Sequence[tuple[ValuePath, Classification, bool | None]]
"""The path, outcome and style of each value of a document."""


@dataclass(frozen=True, slots=True)
class FastPath:
    """A fast path for the documents of one model.

    Attributes:
        edits: makes the edits of some documents; None for each that has to take the general path.
        names: returns for each document a name that it shares with those with the same counts; None as above.
        counts: returns the counts of each document with a name.
    """

    edits: Callable[[Sequence[StoredDocument]], Sequence[DocumentEdits | None]]
    names: Callable[[Sequence[StoredDocument]], Sequence[Hashable | None]]
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
        for model, alike in of_each_model(documents):
            path = self._path_of(model)
            if path is None:
                others += alike
                continue
            made = path.edits(alike)
            plain += [edits for edits in made if edits is not None]
            others += [document for document, edits in zip(alike, made, strict=True) if edits is None]
        plain.sort(key=attrgetter("locations"))  # a script takes hashes with the same fields together
        return plain, others

    def groups(
        self, documents: Iterable[StoredDocument]
    ) -> tuple[list[tuple[Counts, list[StoredDocument]]], list[StoredDocument]]:
        """Return the plain ones among some documents in groups with the same counts, and the other documents."""
        found: list[tuple[Counts, list[StoredDocument]]] = []
        others: list[StoredDocument] = []
        for model, alike in of_each_model(documents):
            path = self._path_of(model)
            if path is None:
                others += alike
                continue
            names = path.names(alike)
            # One group for the whole page, as in most data: found in less time than document by document.
            if names[0] is not None and len(set(names)) == 1:
                found.append((path.counts(names[0]), alike))
                continue
            groups: dict[Hashable, list[StoredDocument]] = {}
            for document, name in zip(alike, names, strict=True):
                if name is None:
                    others.append(document)
                elif name in groups:
                    groups[name].append(document)
                else:
                    groups[name] = [document]
            found += [(path.counts(name), members) for name, members in groups.items()]
        return found, others

    def _path_of(self, model: PlannedModel) -> FastPath | None:
        if id(model) not in self._paths:
            self._paths[id(model)] = model, fast_path_of(model, self._transformation)
        return self._paths[id(model)][1]


def fast_path_of(model: PlannedModel, transformation: Transformation) -> FastPath | None:
    """Return the fast path for the documents of a model; None if there is none."""
    if isinstance(transformation, DocumentTransformation):
        if model.storage is Storage.JSON:
            return None
        constants = transformation.constants_of_moves(model.key_prefix)
        return None if constants is None else _of_shapes(HashShapes(model, transformation, constants))
    converters = [transformation.plain_converter(path.kind, model.storage) for path in model.paths]
    known = [converter for converter in converters if converter is not None]
    if len(known) < len(converters):
        return None
    if model.storage is Storage.HASH:
        hashes = PlainHashes(model, known)
        return FastPath(hashes.edits, hashes.kinds, partial(_counts_of_fields, model.paths))
    plain = PlainJson.of(model, known)
    return (
        None if plain is None else FastPath(plain.edits, plain.kinds, partial(_counts_of_values, model.paths))
    )


def _of_shapes(shapes: HashShapes) -> FastPath:
    return FastPath(
        lambda documents: [shapes.edits(document.key, document.fields or ()) for document in documents],
        lambda documents: [shapes.shape_of(document.fields or ())[0] for document in documents],
        lambda shape: [(value.path, conversion.outcome, None) for value, conversion in shape.classified],
    )


_OUTCOMES = {
    DEFAULT_STYLE: (Classification.CONVERTIBLE, True),
    OTHER_STYLE: (Classification.CONVERTIBLE, False),
    CONVERTED: (Classification.ALREADY, None),
    NULL: (Classification.NULL, None),
}


def _counts_of_fields(paths: Sequence[ValuePath], kinds: Sequence[int]) -> Counts:
    return [(path, *_OUTCOMES[kind]) for path, kind in zip(paths, kinds, strict=True) if kind != ABSENT]


def _counts_of_values(paths: Sequence[ValuePath], name: tuple[tuple[int, ...], tuple[int, ...]]) -> Counts:
    return [(paths[number], *_OUTCOMES[kind]) for number, kind in zip(*name, strict=True)]
