"""The operations of a migration file as a data migration: all changes of a document in one pass."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from redstart.errors import NotConvertibleError
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.value_paths import ValuePath, display
from redstart.migrations.data.edit_builder import before_mark, source_mark, target_mark
from redstart.migrations.data.edits import (
    READ,
    SUBJECT,
    ClassifiedValue,
    DocumentTransformation,
    StoredDocument,
    StoredValue,
)
from redstart.migrations.data.operation_edits import BoundChange, Step, edit_set
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.operations.base import ChangedDocument, Kept, not_convertible
from redstart.migrations.operations.document import Change, Document, changes, stored_text, with_members_of
from redstart.migrations.operations.state import ModelState
from redstart.migrations.operations.value_types import Segments
from redstart.migrations.transformation import Classification, Conversion, EditSet
from redstart.values.lossless_json import parse_json
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class ModelChanges:
    """What a migration does to the documents of one model.

    Attributes:
        model: the model before the migration.
        changes: the changes of its operations, in their order.
    """

    model: ModelState
    changes: tuple[BoundChange, ...]

    @property
    def written_names(self) -> set[str]:
        """The top-level fields that the changes write."""
        return {str(path[0]) for one in self.changes for path in one.change.writes}

    def after_run(self) -> "ModelChanges":
        """Return the changes for a cleanup and a verification."""
        return ModelChanges(
            self.model, tuple(BoundChange(one.change.after_run(), one.is_removal) for one in self.changes)
        )

    def planned(self) -> PlannedModel:
        """Return the plan: the top-level fields that the changes read or write, whole.

        An embedded document is read whole, because a change may depend on whether it exists.
        """
        subjects = {one.subject[0] for one in self.changes}
        names = dict.fromkeys(
            path[0] for one in self.changes for path in (*one.change.reads, *one.change.writes)
        )
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

    A migration first only adds and converts values, so that the old version of the application still finds its own.
    Values that are no longer needed are removed by a second run, with `removes`.

    Args:
        migration_id: the id of the file.
        title: what it does, in the imperative.
        models: the changes of each model.
        removes: whether values are removed, too. So it is at once if there is a change that documents do not show.
        is_applied: whether each change that documents do not show is made.
        is_cleanup: whether the new version may have removed values that a run has made.
    """

    __slots__ = (
        "_changes",
        "_is_applied",
        "_is_cleanup",
        "_removes",
        "decided_by_shape",
        "has_backward",
        "makes_marks",
        "migration_id",
        "title",
    )

    def __init__(
        self,
        migration_id: str,
        title: str,
        models: Iterable[ModelChanges],
        *,
        removes: bool = False,
        is_applied: bool = False,
        is_cleanup: bool = False,
    ) -> None:
        self.migration_id = migration_id  # type: ignore[misc]  # an attribute of the class in other transformations
        self.title = title  # type: ignore[misc]  # as above
        self._removes = removes
        self._is_applied = is_applied
        self._is_cleanup = is_cleanup
        self._changes = {one.model.key_prefix: one for one in models}
        bound = [one.change for model in self._changes.values() for one in model.changes]
        self.decided_by_shape = all(change.decided_by_shape for change in bound)
        self.has_backward = all(change.has_backward for change in bound)
        self.makes_marks = not self.decided_by_shape or any(change.targets for change in bound)

    def as_applied(self) -> "OperationTransformation":
        """Return the migration for documents in which each change is made that they do not show."""
        return OperationTransformation(
            self.migration_id,
            self.title,
            self._changes.values(),
            removes=self._removes,
            is_applied=True,
            is_cleanup=self._is_cleanup,
        )

    def plan(self) -> Plan:
        """Return which values of which keys are read and changed."""
        return Plan(tuple(one.planned() for _, one in sorted(self._changes.items())))

    def paths(self, _declaration: ModelDeclaration) -> tuple[ValuePath, ...]:
        """Return no paths: the plan comes from the file, and not from models."""
        return ()

    def constants_of_moves(self, key_prefix: str) -> Sequence[bytes] | None:
        """Return the values that the changes of a model write; None if the record of the run decides, too."""
        found = [one.change for one in self._changes[key_prefix].changes]
        if not self.decided_by_shape or self._is_applied or not all(change.moves_values for change in found):
            return None
        return [stored_text(value) for change in found for value in change.constants]

    def classify_document(self, stored: StoredDocument) -> list[ClassifiedValue]:
        """Classify each change of a document, at its subject."""
        original = document = document_of(stored)
        classified: list[ClassifiedValue] = []
        steps: list[Step] = []
        for number, one in enumerate(self._changes[stored.model.key_prefix].changes):
            try:
                found = self._next(stored, document, number, one)
            except NotConvertibleError as error:
                # The document stays unchanged, so nothing of it is pending.
                return [*classified, (value_at(stored, original, one), _failed(error))]
            if isinstance(found, bool):
                if found:
                    classified.append((value_at(stored, document, one), _ALREADY))
                continue
            after, made, failures = found
            classified += [(value_at(stored, original, one), _failed(failure)) for failure in failures]
            if made:
                document = after
                steps.append(Step(number, one, made))
        if not steps:
            return classified
        if all(conversion.outcome is Classification.ALREADY for _, conversion in classified):
            _remove_sources(original, document, steps)
        is_one_group = not self.decided_by_shape
        found_edits = edit_set(original, document, steps, is_one_group=is_one_group)
        if not found_edits.edits:  # all new values are None, which is stored as nothing
            return [*classified, *((value_at(stored, document, step.bound), _ALREADY) for step in steps)]
        marks = [mark for step in steps for mark in self._marks_of(stored, original, document, step)]
        edits: EditSet | None = found_edits._replace(marks=tuple(marks))
        for step in steps:
            conversion = Conversion(
                Classification.CONVERTIBLE, _text_at(document, step.bound.location), edits=edits
            )
            classified.append((value_at(stored, original, step.bound), conversion))
            edits = _NO_EDITS  # the first one has those of all
        return classified

    def changed_document(self, stored: StoredDocument) -> Document:
        """Return the planned fields of a document after a run. Raises NotConvertibleError for the first failure."""
        document = document_of(stored)
        for number, one in enumerate(self._changes[stored.model.key_prefix].changes):
            found = self._next(stored, document, number, one)
            if not isinstance(found, bool):
                document = found[0]
        return document

    def reverted_document(self, stored: StoredDocument) -> Document:
        """Return the planned fields of a document that was written after a run, after a rollback.

        Raises:
            NotConvertibleError: a value cannot be changed back, or an operation has no inverse.
        """
        document = document_of(stored)
        for number, one in reversed(list(enumerate(self._changes[stored.model.key_prefix].changes))):
            document = self._backward(stored, document, number, one)
        return document

    def _next(
        self, stored: StoredDocument, document: Document, number: int, one: BoundChange
    ) -> tuple[Document, list[Change], Sequence[NotConvertibleError]] | bool:
        """Return the document after a change, and what changed; if it is not pending, whether it is made already."""
        change = one.change
        if self._is_applied and not change.decided_by_shape:
            return _has_result(document, one)
        if not change.is_pending(document):
            return one.is_removal or _has_result(document, one)
        after, failures = self._changed(stored, document, number, one)
        made = changes(document, after)
        if self._removes or not self.decided_by_shape or failures:
            return after, made, failures
        in_place = {(str(path[0]),) for path in one.change.in_place}
        if any(item.path[:1] in in_place for item in made):
            return after, made, failures
        if one.is_in_items:
            for item in made:
                if item.old is not None and item.new is not None:
                    after.set(item.path, with_members_of(document.get(item.path), after.get(item.path)))
            made = changes(document, after)
        kept = [item for item in made if item.new is not None]
        if len(kept) < len(made):
            for item in made:
                if item.new is None:
                    after.set(item.path, document.get(item.path))
        return (after, kept, ()) if kept else not one.is_removal

    def _changed(
        self, stored: StoredDocument, document: Document, number: int, one: BoundChange
    ) -> ChangedDocument:
        """Return the result of a change. If old and new values do not fit, those stay that were written since."""
        present = [document.has(path) for path in one.targets]
        if not any(present):
            if self._is_cleanup and _were_made(stored, document, number, one):
                return _without_new_values(document, one)
            return one.change.change(document)
        if not (all(present) or self._is_applied) and _were_made(stored, document, number, one):
            # Only the new version removes one of several values.
            return one.change.preferring(one.change.kept or "new").change(document)
        try:
            return one.change.preferring(None).change(document)
        except NotConvertibleError:
            kept: Kept | None = None
            if _is_marked(stored, source_mark(stored.key, number, _texts_at(document, one.sources))):
                kept = "new"
                before = before_mark(stored.key, number, _texts_at(document, one.targets))
                if self._is_applied and _is_marked(stored, before):
                    kept = "old"  # a rollback has restored it: no version has written the new values since
            elif _is_marked(stored, target_mark(stored.key, number, _texts_at(document, one.targets))):
                kept = "old"
            change = one.change if kept is None else one.change.preferring(kept)
            return change.change(document)

    def _marks_of(
        self, stored: StoredDocument, before: Document, after: Document, step: "Step"
    ) -> tuple[bytes, ...]:
        """Return the marks of a change that has written new values."""
        one = step.bound
        if not (self.decided_by_shape and one.targets) or all(change.new is None for change in step.made):
            return ()
        sources = after if all(after.has(path) for path in one.sources) else before
        marks = (
            source_mark(stored.key, step.number, _texts_at(sources, one.sources)),
            target_mark(stored.key, step.number, _texts_at(after, one.targets)),
        )
        if not any(before.has(path) for path in one.targets):
            return marks
        return (*marks, before_mark(stored.key, step.number, _texts_at(before, one.targets)))

    def revert_document(self, stored: StoredDocument, subjects: Collection[StoredValue]) -> EditSet | str:
        """Return the edits that make the changes of some subjects backward, the last change first."""
        wanted = {value.location for value in subjects}
        original = document = document_of(stored)
        steps: list[Step] = []
        for number, one in reversed(list(enumerate(self._changes[stored.model.key_prefix].changes))):
            if one.location not in wanted:
                continue
            try:
                before = self._backward(stored, document, number, one)
            except NotConvertibleError as error:
                return f"{error.path}: {error.reason}"
            steps.append(Step(number, one, changes(document, before)))
            document = before
        return edit_set(original, document, steps)

    def is_written_by_both(self, document: StoredDocument, subject: StoredValue) -> bool:
        """Return whether neither the old nor the new values of a change are those that the run has left."""
        known = document.marks or {}
        found = document_of(document)
        for number, one in enumerate(self._changes[document.model.key_prefix].changes):
            if one.location != subject.location or one.change.kept == "new" or not one.sources:
                continue
            if not all(found.has(path) for path in one.sources):
                continue
            source = source_mark(document.key, number, _texts_at(found, one.sources))
            target = target_mark(document.key, number, _texts_at(found, one.targets))
            if known.get(source) is False and known.get(target) is False:
                return True
        return False

    def _backward(
        self, stored: StoredDocument, document: Document, number: int, one: BoundChange
    ) -> Document:
        """Return the document before a change. If old and new values do not fit, the new ones written since stay."""
        change = one.change
        if stored.marks and any(document.has(path) for path in one.sources):
            mark = source_mark(stored.key, number, _texts_at(document, one.sources))
            if stored.marks.get(mark, False):
                change = change.preferring("new")
        return change.backward(document)


def _were_made(stored: StoredDocument, document: Document, number: int, one: BoundChange) -> bool:
    """Return whether a run has made values of those of a hash, and they are absent now.

    In JSON, an old version that saves a whole document has removed them; the new version stores null.
    """
    if document.storage is not Storage.HASH or not one.targets:
        return False
    if not all(document.has(path) for path in one.sources):
        return False
    return _is_marked(stored, source_mark(stored.key, number, _texts_at(document, one.sources)))


def _without_new_values(document: Document, one: BoundChange) -> ChangedDocument:
    """Return a document from which a version has removed the new values.

    Raises:
        NotConvertibleError: it is not known which version it was.
    """
    if one.change.kept == "old":
        return one.change.change(document)
    if one.change.kept == "new":
        changed = document.copy()
        for path in one.sources:
            changed.remove(path)
        return ChangedDocument(changed)
    names = ", ".join(display(path) for path in one.targets)
    raise not_convertible(
        one.sources[0],
        document.get(one.sources[0]),
        f"{names}, which the run has made of it, is absent: the new version has removed it, or the old one has written "
        "the document again",
    )


def _is_marked(stored: StoredDocument, mark: bytes) -> bool:
    """Return whether the server has a mark; False, and noted as wanted, if it was not asked."""
    known = stored.marks or {}
    if mark not in known:
        stored.wanted = (*stored.wanted, mark)
    return known.get(mark, False)


def _texts_at(document: Document, paths: Sequence[tuple[str, ...]]) -> list[bytes | None]:
    return [stored_text(document.get(path)) if document.has(path) else None for path in paths]


_ALREADY, _NO_EDITS = Conversion(Classification.ALREADY), EditSet()


def _remove_sources(original: Document, document: Document, steps: Sequence[Step]) -> None:
    """Remove the values of which steps have made only empty texts that later steps have removed as no value.

    They would be moved again, and the document would never be done.
    """
    emptied = {item.path for step in steps for item in step.made if item.new is None and item.old == b""}
    for step in reversed(steps if emptied else ()):
        targets = step.bound.targets
        if targets and emptied.issuperset(targets) and not any(map(original.has, targets)):
            for source in filter(document.has, step.bound.sources):
                old = stored_text(document.get(source))
                step.made.append(Change(source, old, None))
                document.remove(source)
                if old == b"":
                    emptied.add(source)


def _failed(error: NotConvertibleError) -> Conversion:
    return Conversion(Classification.UNCONVERTIBLE, reason=f"{error.path}: {error.reason}")


def document_of(stored: StoredDocument) -> Document:
    """Return the planned fields of a stored document."""
    if stored.model.storage is Storage.HASH:
        names = (path.segments[0] for path in stored.model.paths)
        fields = zip(names, stored.fields or (), strict=True)
        return Document(Storage.HASH, {str(name): raw for name, raw in fields if raw is not None})
    return Document(Storage.JSON, {str(value.location[0]): value.parsed for value in stored.values})


def edited_document(stored: StoredDocument, classified: Iterable[ClassifiedValue]) -> Document:
    """Return the planned fields of a document with the edits of its classified values."""
    document = document_of(stored).copy()
    for _, conversion in classified:
        for edit in () if conversion.edits is None else conversion.edits.edits:
            location = tuple(map(str, edit.location))
            if edit.new is not None:
                is_hash = document.storage is Storage.HASH
                document.set(location, edit.new if is_hash else parse_json(edit.new))
            elif document.has(location):
                document.remove(location)
    return document


def has_value(document: Document, path: Segments) -> bool:
    """Return whether there is a value at a path of a model, in any of its items."""
    if len(path) == 1:
        return path[0] in document.root
    return any(path[-1] in holder for _, holder in document.holders(path[:-1]))


def _has_result(document: Document, one: BoundChange) -> bool:
    """Return whether a document has a value that a change makes: of several parts, one can be absent."""
    return any(has_value(document, path) for path in one.change.targets or (one.subject,))


def value_at(stored: StoredDocument, document: Document, one: BoundChange) -> StoredValue:
    """Return the value that represents a change; empty if there is none."""
    name = one.subject[0]
    path = next(path for path in stored.model.paths if path.segments[0] == name)
    return StoredValue(one.location, path, _text_at(document, one.location))


def _text_at(document: Document, location: tuple[str, ...]) -> bytes:
    """Return the stored bytes at a location; empty if there is no value."""
    return stored_text(document.get(location)) if document.has(location) else b""
