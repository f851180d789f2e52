"""Operations, and the change that an operation makes to each document. Pure: nothing here reads or writes a server."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from redstart.errors import NotConvertibleError
from redstart.mapping.value_paths import Location, display
from redstart.migrations.operations.document import BytesOrJson, Document, shown
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.operations.value_types import Segments

Kept: TypeAlias = Literal["old", "new"]
"""Which of two values stays: that of the version before an operation, or that of the version after it."""


class Operation(ABC):
    """One change of the models, as a migration file contains it. Immutable."""

    @abstractmethod
    def describe(self) -> str:
        """Return what the operation does, in one sentence: for `om migrate plan`, `history` and `show`."""

    @abstractmethod
    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models after the operation. Raises MigrationStateError if it does not fit those before it."""

    @abstractmethod
    def inverse(self, before: ProjectState) -> "Operation | None":
        """Return the operation that changes the models back; None if there is none.

        Raises:
            MigrationStateError: the operation does not fit.
        """

    @property
    def is_reversible(self) -> bool:
        """Return whether documents that are written after a run can be changed back.

        The undo log restores the others in any case.
        """
        return True


class ChangedDocument(NamedTuple):
    """A document after a change.

    Attributes:
        document: the changed document.
        failures: the values that the operation skipped, replaced or quarantined, according to its failure mode.
    """

    document: Document
    failures: Sequence[NotConvertibleError] = ()


class DocumentChange(ABC):
    """The change that an operation makes in the documents of one model. Pure; the given documents stay unchanged.

    Attributes:
        reads: paths whose values determine the change.
        writes: paths whose values change; the last one is that of a new value, if there is any.
        decided_by_shape: whether a document alone shows that the change is pending. If not, `is_pending` returns
            whether the change can be made, and only the record of the run distinguishes a changed document.
        sources, targets: paths of the values that it moves, and of those that it makes of them, if a document can have
            both with contents that do not fit each other.
        in_place: paths of values that change together with values that are removed. A document in which one of them
            has changed must lose the removed values at once: otherwise it would seem to be pending.
        moves_values: whether the change of a hash depends only on which fields it has, and which of them are equal to
            each other and to `constants`: it moves and removes values, and does not look at them.
        constants: values that it writes.
        kept: which value stays where a document has both; None: that is a failure.
        keeps_numbers: whether the values that it writes to hashes are numbers before and after it, as text.
        is_repeatable: whether each document in which it is pending after a run was written by the old version. If not,
            a cleanup does not repeat it.
    """

    reads: Sequence[Segments] = ()
    writes: Sequence[Segments] = ()
    decided_by_shape: bool = True
    has_backward: bool = True
    sources: Sequence[Segments] = ()
    targets: Sequence[Segments] = ()
    in_place: Sequence[Segments] = ()
    moves_values: bool = False
    constants: Sequence[BytesOrJson] = ()
    kept: Kept | None = None
    keeps_numbers: bool = False
    is_repeatable: bool = True

    def preferring(self, kept: Kept | None) -> "DocumentChange":  # noqa: ARG002 - most have only one place
        """Return the change that keeps one of two values where a document has both; None: that is a failure."""
        return self

    def after_run(self) -> "DocumentChange":
        """Return the change for a cleanup and a verification, when the new version may have written documents."""
        return self

    @abstractmethod
    def is_pending(self, document: Document) -> bool:
        """Return whether a document still has to be changed."""

    @abstractmethod
    def forward(self, document: Document) -> Document:
        """Return the changed document; an equal one if nothing is pending.

        Raises:
            NotConvertibleError: a value cannot be changed. The document has to stay unchanged.
        """

    def change(self, document: Document) -> ChangedDocument:
        """Return the result of `forward` with the failures that did not prevent it. Raises NotConvertibleError."""
        return ChangedDocument(self.forward(document))

    @abstractmethod
    def backward(self, document: Document) -> Document:
        """Return the document as the version before the operation reads it.

        Raises:
            NotConvertibleError: a value cannot be changed back, or the operation has no inverse.
        """

    def restores(self, document: Document) -> bool:
        """Return whether `backward` restores each byte of this document after `forward`."""
        try:
            return self.backward(self.forward(document)) == document
        except NotConvertibleError:
            return False


class DocumentOperation(Operation):
    """An operation that changes the documents of a model.

    Attributes:
        model: the name of the model.
        only_removes: whether it only removes a value, which happens at the cleanup.
    """

    model: str
    only_removes: ClassVar[bool] = False

    @abstractmethod
    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document. Raises MigrationStateError if the operation does not fit."""


@dataclass(frozen=True)
class Unchanged(DocumentChange):
    """The change of an operation that does not change documents."""

    def is_pending(self, document: Document) -> bool:  # noqa: ARG002 - no document is pending
        """Return False."""
        return False

    def forward(self, document: Document) -> Document:
        """Return the document."""
        return document

    def backward(self, document: Document) -> Document:
        """Return the document."""
        return document


class DocumentPipeline(DocumentChange):
    """Changes of one model that are made in one pass, in their order.

    Args:
        changes: those of the operations.
    """

    def __init__(self, changes: Iterable[DocumentChange]) -> None:
        self.changes = tuple(changes)
        self.reads = tuple(dict.fromkeys(path for one in self.changes for path in one.reads))
        self.writes = tuple(dict.fromkeys(path for one in self.changes for path in one.writes))
        self.decided_by_shape = all(one.decided_by_shape for one in self.changes)
        self.has_backward = all(one.has_backward for one in self.changes)

    def is_pending(self, document: Document) -> bool:
        """Return whether one of the changes is pending."""
        return any(one.is_pending(document) for one in self.changes)

    def forward(self, document: Document) -> Document:
        """Return the document after all changes that are pending."""
        return self.change(document).document

    def change(self, document: Document) -> ChangedDocument:
        """Return the document after all changes that are pending, with all failures."""
        failures: list[NotConvertibleError] = []
        for one in self.changes:
            if one.is_pending(document):
                document, found = one.change(document)
                failures += found
        return ChangedDocument(document, failures)

    def backward(self, document: Document) -> Document:
        """Return the document after all changes were made backward, the last one first."""
        for one in reversed(self.changes):
            document = one.backward(document)
        return document

    def backward_if_possible(self, document: Document) -> Document:
        """Return the document after those changes backward that have an inverse; the others leave it as it is.

        Raises:
            NotConvertibleError: a value cannot be changed back.
        """
        for one in reversed(self.changes):
            if one.has_backward:
                document = one.backward(document)
        return document


def not_convertible(location: Location, value: BytesOrJson, reason: str) -> NotConvertibleError:
    """Return the error for a value at a location."""
    return NotConvertibleError(display(location), shown(value), reason)


def not_reversible(path: str) -> NotConvertibleError:
    """Return the error for a change that has no inverse."""
    return NotConvertibleError(path, "", "the operation has no inverse")


def model_title(model: ModelState | str) -> str:
    """Return the short name of a model for a sentence: `Order` of `shop.models.Order`."""
    name = model if isinstance(model, str) else model.name
    return name.rpartition(".")[2]
