"""Classification of a document as read, and its edits in one of the failure modes.

Facts that a document does not show are recorded by the run as marks.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeAlias

import msgpack

from redstart.effects import Argument, Op
from redstart.mapping.value_paths import (
    Each,
    Location,
    ValuePath,
    can_be_read,
    can_be_set,
    in_list,
    path_text,
    siblings_path,
    slice_path,
)
from redstart.migrations.data.edits import (
    ClassifiedValue,
    DocumentEdits,
    DocumentTransformation,
    StoredDocument,
    StoredValue,
)
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.failure import QUARANTINE_SUFFIX as QUARANTINE_SUFFIX  # noqa: PLC0414 - modules of the engine
from redstart.migrations.failure import FailureMode as FailureMode  # noqa: PLC0414 - import both from here
from redstart.migrations.lease import Lease
from redstart.migrations.transformation import Classification as Outcome
from redstart.migrations.transformation import Conversion, Edit, EditSet, Transformation
from redstart.values.lossless_json import JsonNumber, parse_json, restores_exactly
from redstart.values.types import Storage

# Looking up a member of an enum costs as much as converting a value.
_JSON = Storage.JSON
_CONVERTIBLE = Outcome.CONVERTIBLE
_ALREADY = Outcome.ALREADY
_LOSSY = Outcome.LOSSY
_UNCONVERTIBLE = Outcome.UNCONVERTIBLE


_UNREADABLE_KEY = Conversion(
    Outcome.UNCONVERTIBLE, reason="RedisJSON cannot address a key that begins with a space"
)
_NO_PATH = Conversion(Outcome.UNCONVERTIBLE, reason="RedisJSON cannot change only this list item")


CLEARING_MODES = (FailureMode.DEFAULT, FailureMode.QUARANTINE)
"""Modes that change failed values. They also remove empty values that block a new index."""

ClassifiedDocument = tuple[StoredDocument, list[ClassifiedValue]]


def classify(document: StoredDocument, transformation: Transformation) -> list[ClassifiedValue]:
    """Classify each value of a document; or each change, if the transformation decides for whole documents."""
    if isinstance(transformation, DocumentTransformation):
        return transformation.classify_document(document)
    if document.model.storage is _JSON:
        return [(value, _classify_json(value, transformation)) for value in document.values]
    classified: list[ClassifiedValue] = []
    for value in document.values:  # a comprehension takes a tenth longer here
        classified.append((value, transformation.convert_hash(value.raw, value.path)))
    return classified


def _classify_json(value: StoredValue, transformation: Transformation) -> Conversion:
    if value.misplaced is not None:
        return Conversion(_UNCONVERTIBLE, reason=value.misplaced)
    conversion = transformation.convert_json(value.parsed, value.path)
    if conversion.new is None or not cannot_be_written(value.location):
        return conversion
    return _NO_PATH if can_be_read(value.location) else _UNREADABLE_KEY


def classify_stored(
    stored: bytes, path: ValuePath, transformation: Transformation, *, json: bool
) -> Conversion:
    """Classify a value from the undo log."""
    if json:
        return transformation.convert_json(parse_json(stored), path)
    return transformation.convert_hash(stored, path)


def edits_for(
    document: StoredDocument,
    classified: list[ClassifiedValue],
    mode: FailureMode,
    transformation: Transformation,
    clearing: Collection[tuple[str, str]] = (),
) -> DocumentEdits:
    """Return the edits that convert a document, and those of its failure mode for failed values.

    Args:
        clearing: hash fields, by key prefix and name, whose empty values would keep a document out of a new index.
            Only `default` and `quarantine` remove them.
    """
    json = document.model.storage is _JSON
    if isinstance(transformation, DocumentTransformation):
        sets = [conversion.edits for _, conversion in classified if conversion.edits is not None]
        return document_edits(document, sets)
    if not json and (plain := _plain_edits(document, classified, mode, transformation, clearing)) is not None:
        return plain
    possible = (
        _edit_of(document, value, conversion, mode, transformation, clearing)
        for value, conversion in classified
    )
    edits = [edit for edit in possible if edit is not None]
    guards = guard_paths(edits, large=document.large) if json else ()
    guarded_bytes = document.size if guards else 0
    return DocumentEdits(
        document.key, json, edits, [(path, None) for path in guards], guarded_bytes, large=document.large
    )


def document_edits(document: StoredDocument, sets: Iterable[EditSet]) -> DocumentEdits:
    """Return sets of edits of one document as one."""
    sets = list(sets)
    return DocumentEdits(
        document.key,
        document.model.storage is _JSON,
        [edit for one in sets for edit in one.edits],
        unchanged=[value for one in sets for value in one.unchanged],
        is_atomic=True,
        marks=[mark for one in sets for mark in one.marks],
    )


def _plain_edits(
    document: StoredDocument,
    classified: list[ClassifiedValue],
    mode: FailureMode,
    transformation: Transformation,
    clearing: Collection[tuple[str, str]],
) -> DocumentEdits | None:
    """Return the edits of a hash that needs only exact conversions; else None."""
    locations: list[Location] = []
    old: list[Any] = []
    new: list[Any] = []
    for value, conversion in classified:
        outcome = conversion.outcome
        if outcome is _CONVERTIBLE:
            locations.append(value.location)
            old.append(value.raw)
            new.append(conversion.new)
        elif outcome is not _ALREADY:
            edit = _edit_of(document, value, conversion, mode, transformation, clearing)
            if edit is not None:
                return None
    return DocumentEdits.plain(document.key, tuple(locations), old, new)


def _edit_of(
    document: StoredDocument,
    value: StoredValue,
    conversion: Conversion,
    mode: FailureMode,
    transformation: Transformation,
    clearing: Collection[tuple[str, str]],
) -> Edit | None:
    """Return the edit of one value; None if it stays unchanged."""
    if conversion.new is not None:
        return Edit(value.location, value.raw, conversion.new, None, True, conversion.outcome is _LOSSY)
    if conversion.outcome is _UNCONVERTIBLE:
        return _edit_of_failure(document, value, mode, transformation)
    if conversion.outcome is Outcome.NULL and mode in CLEARING_MODES and document.model.storage is not _JSON:
        is_blocking = (document.model.key_prefix, value.location[0]) in clearing
        return Edit(value.location, value.raw, None) if is_blocking else None
    return None


def guard_paths(edits: list[Edit], *, large: bool = False) -> list[str]:
    """Return the path of the outermost list of every edit that lies in one.

    Of a large document, just the values with the path of the edit are guarded, and of these just the items that are
    edited, if all of them are converted.
    """
    if large:
        values: dict[str, list[Edit]] = {}
        for edit in edits:
            if in_list(edit.location):
                values.setdefault(siblings_path(edit.location), []).append(edit)
        return [_guard_of(path, items) for path, items in values.items()]
    lists = (_outermost_list(edit.location) for edit in edits if in_list(edit.location))
    return [path_text(location) for location in dict.fromkeys(lists)]


def cannot_be_written(location: Location) -> bool:
    """Return whether RedisJSON cannot change this location alone: no path reads it, or none sets this list item."""
    return not can_be_read(location) or (in_list(location) and not can_be_set(location))


def _outermost_list(location: Location) -> Location:
    return location[: next(index for index, step in enumerate(location) if isinstance(step, int))]


def _guard_of(path: str, edits: list[Edit]) -> str:
    """Return the path that guards values of one path, with an item more at both ends.

    Failed values are replaced by equal defaults, which can be distinguished only with the whole list.
    """
    if not all(edit.converts for edit in edits):
        return path
    positions = [int(edit.location[len(_outermost_list(edit.location))]) for edit in edits]
    return slice_path(edits[0].location, max(0, min(positions) - 1), max(positions) + 2)


def _edit_of_failure(
    document: StoredDocument, value: StoredValue, mode: FailureMode, transformation: Transformation
) -> Edit | None:
    if value.misplaced is not None:
        return None  # another type than the path has: replacing it would destroy a whole list or object
    if cannot_be_written(value.location) or not _restores_exactly(value.parsed):
        return None  # once overwritten, it could not be restored byte for byte
    if isinstance(value.parsed, dict) and not can_be_set(value.location):
        return None  # the same: only a merge writes here, and it would drop the object's nulls
    if mode is FailureMode.DEFAULT:
        return Edit(value.location, value.raw, transformation.default(document.model.storage))
    if mode is FailureMode.QUARANTINE and can_be_quarantined(value.path):
        left = transformation.quarantined(document.model.storage)
        return Edit(value.location, value.raw, left, quarantine_location(value.location))
    return None


def can_be_quarantined(path: ValuePath) -> bool:
    """Return whether the path is a named field: only that has a quarantine field. List items and map values stay."""
    return not any(isinstance(step, Each | int) for step in path.segments)


def quarantine_location(location: Location) -> Location:
    """Return the location to which quarantine moves the value of a named field."""
    return (*location[:-1], f"{location[-1]}{QUARANTINE_SUFFIX}")


def declared_quarantine_fields(model: PlannedModel) -> list[tuple[ValuePath, str]]:
    """Return the planned paths whose quarantine field is a declared field or alias, with its name."""
    asides = ((path, str(quarantine_location((str(path.segments[-1]),))[0])) for path in model.paths)
    return [(path, name) for path, name in asides if can_be_quarantined(path) and name in path.siblings]


def _restores_exactly(parsed: object) -> bool:
    """Return whether the server, given this JSON value again, returns the same text."""
    if isinstance(parsed, JsonNumber):
        return restores_exactly(parsed)
    if isinstance(parsed, list):
        return all(map(_restores_exactly, parsed))
    return not isinstance(parsed, dict) or all(map(_restores_exactly, parsed.values()))


Texts: TypeAlias = Sequence[bytes | None]


def source_mark(key: bytes, number: int, texts: Texts) -> bytes:
    """Return the mark of the old values that a change of a document has copied."""
    return packed_mark(key, "source", number, texts)


def target_mark(key: bytes, number: int, texts: Texts) -> bytes:
    """Return the mark of the new values that a change of a document has written."""
    return packed_mark(key, "target", number, texts)


def before_mark(key: bytes, number: int, texts: Texts) -> bytes:
    """Return the mark of the new values that a document had before a change, in place of those it has written."""
    return packed_mark(key, "before", number, texts)


def left_mark(document: StoredDocument) -> bytes:
    """Return the mark of a document that a run has left unchanged."""
    return packed_mark(document.key, "left", 0, [part for value in document.values for part in _text(value)])


def _text(value: StoredValue) -> tuple[bytes, bytes]:
    return msgpack.packb(value.location), value.raw


_pack = msgpack.Packer().pack  # a packer of its own for each mark takes three times as long


def packed_mark(key: bytes, kind: str, number: int, texts: Texts) -> bytes:
    """Return a mark of a kind: `source`, `target`, `before` or `left`."""
    packed: bytes = _pack([key, kind, number, list(texts)])
    return packed


def marked_values(mark: bytes) -> tuple[str, int, list[bytes | None]]:
    """Return the kind, number and texts of a mark."""
    _, kind, number, texts = msgpack.unpackb(mark)
    return kind, number, texts


def classify_with_marks(
    documents: Sequence[StoredDocument], transformation: Transformation, marks: ProcessedDocuments | None
) -> Op[list[ClassifiedDocument]]:
    """Return documents with their classified values. A read for the marks on which the classification depends."""
    judged = [(document, classify(document, transformation)) for document in documents]
    if marks is None:
        return judged
    while asking := [at for at, (document, _) in enumerate(judged) if document.wanted]:
        wanted = [(judged[at][0], mark) for at in asking for mark in judged[at][0].wanted]
        found = yield from marks.contained([mark for _, mark in wanted])
        for document, mark in wanted:
            document.marks = {**(document.marks or {}), mark: mark in found}
        for at in asking:
            document, _ = judged[at]
            document.wanted = ()
            judged[at] = (document, classify(document, transformation))
    return judged


def mark_left(
    lease: Lease, marks: ProcessedDocuments, documents: Sequence[StoredDocument], record: str
) -> Op[None]:
    """Record documents that a run has met and left unchanged.

    Args:
        record: the key of the record, which counts them.

    Effects: one script. Safe to repeat.
    """
    if documents:
        commands: list[Sequence[Argument]] = [
            ["MARK", *marks.part_and_member(left_mark(document)), record] for document in documents
        ]
        yield from lease.commit(commands)


def without_left(
    documents: Sequence[StoredDocument], transformation: Transformation, marks: ProcessedDocuments | None
) -> Op[list[StoredDocument]]:
    """Return the documents that the run has changed. One read, if documents do not show their changes."""
    if marks is None or transformation.decided_by_shape:
        return list(documents)
    names = [left_mark(document) for document in documents]
    left = yield from marks.contained(names)
    return [document for document, name in zip(documents, names, strict=True) if name not in left]
