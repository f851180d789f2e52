"""The operations of a migration file as a data migration: all changes of a document in one pass."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.errors import NotConvertibleError
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.value_paths import Each, Location, ValuePath
from redstart.migrations.data.document_transformation import (
    READ,
    SUBJECT,
    ClassifiedValue,
    DocumentTransformation,
)
from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.operations.base import DocumentChange
from redstart.migrations.operations.document import Change, Document, changes, stored_text
from redstart.migrations.operations.paths import Segments
from redstart.migrations.operations.state import ModelState
from redstart.migrations.transformation import Conversion, Edit, EditSet, Outcome
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class ModelChanges:
    """What a migration does to the documents of one model.

    Attributes:
        model: the model before the migration.
        changes: the changes of its operations, in their order.
    """

    model: ModelState
    changes: tuple[DocumentChange, ...]

    def planned(self) -> PlannedModel:
        """Return the plan: the top-level fields that the changes read or write, whole.

        An embedded document is read whole, because a change may depend on whether it exists.
        """
        subjects = {subject_of(change)[0] for change in self.changes}
        names = dict.fromkeys(path[0] for change in self.changes for path in (*change.reads, *change.writes))
        paths = (ValuePath((name,), SUBJECT if name in subjects else READ, optional=True) for name in names)
        return PlannedModel(
            self.model.name,
            self.model.key_prefix,
            self.model.key_suffix,
            self.model.storage,
            tuple(paths),
        )


class OperationTransformation(DocumentTransformation):
    """The changes of one migration file.

    Args:
        migration_id: the id of the file.
        title: what it does, in the imperative.
        models: the changes of each model.
    """

    __slots__ = ("_changes", "_is_applied", "migration_id", "title")

    def __init__(
        self, migration_id: str, title: str, models: Iterable[ModelChanges], *, is_applied: bool = False
    ) -> None:
        self.migration_id = migration_id  # type: ignore[misc]  # an attribute of the class in other transformations
        self.title = title  # type: ignore[misc]  # as above
        self._is_applied = is_applied
        self._changes = {one.model.key_prefix: one for one in models}

    @property
    def decided_by_shape(self) -> bool:
        """Whether each document shows by itself which changes are pending."""
        return all(change.decided_by_shape for one in self._changes.values() for change in one.changes)

    def as_applied(self) -> "OperationTransformation":
        """Return the migration for documents of which every change is made that a document does not show."""
        models = self._changes.values()
        return OperationTransformation(self.migration_id, self.title, models, is_applied=True)

    def plan(self) -> Plan:
        """Return which values of which keys are read and changed."""
        return Plan(tuple(one.planned() for _, one in sorted(self._changes.items())))

    def paths(self, _declaration: ModelDeclaration) -> tuple[ValuePath, ...]:
        """Return no paths: the plan comes from the file, and not from models."""
        return ()

    def classify_document(self, stored: StoredDocument) -> list[ClassifiedValue]:
        """Classify each change of a document, at its last written path."""
        all_changes = self._changes[stored.model.key_prefix].changes
        original = document = document_of(stored)
        classified: list[ClassifiedValue] = []
        steps: list[tuple[int, list[Change]]] = []
        pending: list[tuple[int, StoredValue]] = []
        for number, change in enumerate(all_changes):
            subject = subject_of(change)
            try:
                is_made = self._is_applied and not change.decided_by_shape
                if is_made or not change.is_pending(document):
                    if has_value(document, subject):
                        value = value_at(stored, document, subject)
                        classified.append((value, Conversion(Outcome.ALREADY)))
                    continue
                after = change.forward(document)
            except NotConvertibleError as error:
                # The document stays as it is, so nothing of it is pending.
                reason = Conversion(Outcome.UNCONVERTIBLE, reason=f"{error.path}: {error.reason}")
                return [*classified, (value_at(stored, original, subject), reason)]
            steps.append((number, changes(document, after)))
            pending.append((number, value_at(stored, original, subject)))
            document = after
        if not pending:
            return classified
        edits = edit_set(original, document, steps, [all_changes[number] for number, _ in pending])
        for position, (number, value) in enumerate(pending):
            new = _new_text(document, subject_of(all_changes[number]))
            conversion = Conversion(Outcome.CONVERTIBLE, new, edits=edits if position == 0 else EditSet())
            classified.append((value, conversion))
        return classified

    def revert_document(self, stored: StoredDocument, subjects: Collection[StoredValue]) -> EditSet | str:
        """Return the edits that make the changes of some subjects backward, the last change first."""
        wanted = {value.location for value in subjects}
        original = document = document_of(stored)
        steps: list[tuple[int, list[Change]]] = []
        reverted: list[DocumentChange] = []
        for number, change in reversed(list(enumerate(self._changes[stored.model.key_prefix].changes))):
            if _location(original, subject_of(change)) not in wanted:
                continue
            try:
                before = change.backward(document)
            except NotConvertibleError as error:
                return f"{error.path}: {error.reason}"
            steps.append((number, changes(document, before)))
            reverted.append(change)
            document = before
        return edit_set(original, document, steps, reverted)


def document_of(stored: StoredDocument) -> Document:
    """Return the planned fields of a stored document."""
    if stored.model.storage is Storage.HASH:
        return Document.of_hash({str(value.location[0]): value.raw for value in stored.values})
    return Document(Storage.JSON, {str(value.location[0]): value.parsed for value in stored.values})


def subject_of(change: DocumentChange) -> Segments:
    """Return the path at which a change is counted and reported: the last one that it writes."""
    return change.writes[-1]


def has_value(document: Document, path: Segments) -> bool:
    """Return whether there is a value at a path of a model, in any of its items."""
    return any(path[-1] in holder for _, holder in document.holders(path[:-1]))


def value_at(stored: StoredDocument, document: Document, subject: Segments) -> StoredValue:
    """Return the value that stands for a change; empty if there is none."""
    path = next(path for path in stored.model.paths if path.segments[0] == subject[0])
    location = _location(document, subject)
    if not document.has(location):
        return StoredValue(location, path, b"")
    return StoredValue(location, path, stored_text(document.get(location)))


def _location(document: Document, subject: Segments) -> tuple[str, ...]:
    """Return the location of a subject: a list or map on the way stands for its items."""
    names: list[str] = []
    for step in subject:
        if isinstance(step, Each):
            break
        names.append(str(step))
    return tuple(names)


def _new_text(document: Document, subject: Segments) -> bytes:
    location = _location(document, subject)
    return stored_text(document.get(location)) if document.has(location) else b""


def edit_set(
    before: Document,
    after: Document,
    steps: Sequence[tuple[int, list[Change]]],
    made: Iterable[DocumentChange],
) -> EditSet:
    """Return the edits that turn one version of a document into another.

    Args:
        steps: the changes of each step, with its number.
        made: the changes that were made; what they read must not change meanwhile.
    """
    final = changes(before, after)
    groups = _groups([change.path for change in final], steps)
    edits = []
    for change, group in zip(final, groups, strict=True):
        twin = None
        if before.storage is Storage.HASH:
            twin = _twin(change, group, final, groups)
        edits.append(Edit(change.path, change.old, change.new, converts=True, expiry_of=twin, group=group))
    edited = [change.path for change in final]
    read = dict.fromkeys(_location(before, path) for one in made for path in one.reads)
    unchanged = dict(value for location in read for value in _unchanged(before, location, edited))
    return EditSet(tuple(edits), tuple(unchanged.items()))


def _groups(paths: Sequence[tuple[str, ...]], steps: Sequence[tuple[int, list[Change]]]) -> list[int]:
    """Return for each changed path the number of its group: steps that change the same path are one group."""
    group_of = {number: number for number, _ in steps}

    def root(number: int) -> int:
        while group_of[number] != number:
            number = group_of[number]
        return number

    touching: list[list[int]] = [
        [number for number, made in steps if any(_overlap(one.path, path) for one in made)] for path in paths
    ]
    for numbers in touching:
        for number in numbers[1:]:
            group_of[root(number)] = root(numbers[0])
    return [root(numbers[0]) for numbers in touching]


def _twin(
    change: Change, group: int, final: Sequence[Change], groups: Sequence[int]
) -> tuple[str, ...] | None:
    """Return the hash field from which a new field inherits its expiry, or to which a removed one gives it.

    It is the field of the same group with the same bytes; or the only one that was removed.
    """
    others = [other for other, number in zip(final, groups, strict=True) if number == group]
    if change.old is None:
        removed = [other for other in others if other.new is None]
        same = [other for other in removed if other.old == change.new]
        candidates = same or (removed if len(removed) == 1 else [])
    elif change.new is None:
        candidates = [other for other in others if other.old is None and other.new == change.old]
    else:
        return None
    return candidates[0].path if candidates else None


def _overlap(one: Location, other: Location) -> bool:
    """Return whether one location contains the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _unchanged(
    document: Document, location: tuple[str, ...], edited: Sequence[Location]
) -> Iterator[tuple[Location, bytes | None]]:
    """Yield the values at and below a location that no edit changes, the largest ones."""
    touching = [path for path in edited if _overlap(path, location)]
    if not touching:
        raw = stored_text(document.get(location)) if document.has(location) else None
        yield location, raw
        return
    if any(len(path) <= len(location) for path in touching) or not document.has(location):
        return
    value: Any = document.get(location)
    if isinstance(value, Mapping):
        for name in value:
            yield from _unchanged(document, (*location, name), edited)
