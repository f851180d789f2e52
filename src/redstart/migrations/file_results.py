"""Results of migration files: of one file, of several, of contractions and rollbacks."""

from dataclasses import dataclass, field

from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.failure import Failure, FailureSummary
from redstart.migrations.indexes.expand import IndexResult
from redstart.migrations.outcomes import Outcome
from redstart.migrations.steps.functions import FunctionsResult
from redstart.migrations.steps.key_moves import MoveResult
from redstart.migrations.steps.removed_models import RemovalResult
from redstart.migrations.steps.storage_changes import StorageResult


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result of a run of one file.

    Attributes:
        data: of its documents; None if it changes none, or if an index could not be prepared.
        indexes: of its indexes.
        failures: documents that could not be changed, by reason.
        is_prepared: False if an index could not be prepared; then no document was changed.
        moves: of documents to new keys.
        functions: of RunPython.
        storage: of documents whose storage changes.
    """

    data: RunResult | None
    indexes: tuple[IndexResult, ...] = ()
    failures: FailureSummary = field(default_factory=FailureSummary)
    is_prepared: bool = True
    moves: tuple[MoveResult, ...] = ()
    functions: tuple[FunctionsResult, ...] = ()
    storage: tuple[StorageResult, ...] = ()

    @property
    def stopped(self) -> str | None:
        """Why the run stopped early; None if it did not, or if a cutover was refused."""
        parts = (self.data, *self.storage, *self.moves, *self.functions)
        return next((one.stopped for one in parts if one is not None and one.stopped is not None), None)

    @property
    def has_lost_documents(self) -> bool:
        """Whether it stopped, because all documents of a model have disappeared."""
        return self.data is not None and bool(self.data.disappeared)

    @property
    def outcome(self) -> Outcome:
        """The outcome of the file."""
        if not self.is_prepared:
            return Outcome.NOT_STARTED
        if self.stopped is not None:
            return Outcome.PROBLEMS_FOUND if self.has_lost_documents else Outcome.STOPPED
        is_refused = any(one.is_refused for one in self.indexes)
        return Outcome.CUTOVER_REFUSED if is_refused else Outcome.DONE

    @property
    def is_complete(self) -> bool:
        """Return whether everything is done."""
        return self.outcome is Outcome.DONE


@dataclass(frozen=True, slots=True)
class FileRollbackResult:
    """The result of a rollback of one file.

    Attributes:
        data: of its documents; None if it changed none.
        indexes: of its indexes.
        moves: of documents back to their old keys.
        restored_documents: number of documents of removed models that are restored.
        originals: number of documents that are stored in their old storage again, with every byte.
        storage: of documents that were written since, and stored as before.
        unrestored: original values of documents whose storage was changed that could not be restored. They are kept.
    """

    migration_id: str
    data: DataRollbackResult | None
    indexes: tuple[IndexResult, ...] = ()
    moves: tuple[MoveResult, ...] = ()
    restored_documents: int = 0
    originals: int = 0
    storage: tuple[StorageResult, ...] = ()
    unrestored: tuple[Failure, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The outcome of the rollback."""
        if self.data is not None and self.data.stopped is not None:
            return Outcome.STOPPED
        if any(one.is_refused for one in self.indexes):
            return Outcome.CUTOVER_REFUSED
        is_left = self.data is not None and (self.data.kept or self.data.unrestored)
        is_left = is_left or bool(self.unrestored) or any(one.left for one in self.storage)
        return Outcome.PROBLEMS_FOUND if is_left else Outcome.DONE

    @property
    def is_complete(self) -> bool:
        """Return whether the file is not applied any more."""
        return self.outcome in (Outcome.DONE, Outcome.PROBLEMS_FOUND)


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """One file that a run has worked on.

    Attributes:
        result: of its documents and indexes.
        seconds: how long it took.
    """

    migration_id: str
    result: FileResult
    seconds: float


@dataclass(frozen=True, slots=True)
class FilesResult:
    """The result of a run of migration files.

    Attributes:
        files: those worked on, in order. Only the last one may be incomplete.
        pending: ids of those that are still pending.
    """

    files: tuple[AppliedFile, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def stopped(self) -> AppliedFile | None:
        """The file at which the run stopped; None if it is complete."""
        return next((one for one in self.files if not one.result.is_complete), None)


@dataclass(frozen=True, slots=True)
class ContractResult:
    """The removals of one file.

    Attributes:
        data: values that only the version before it needs; None if there are none.
        removed: documents of removed models.
        storage: documents whose storage is changed, interrupted runs and the run before the cleanup included.
    """

    data: RunResult | None
    removed: tuple[RemovalResult, ...] = ()
    storage: tuple[StorageResult, ...] = ()

    @property
    def stopped(self) -> str | None:
        """Why it is not complete; None if it is."""
        parts = (self.data, *self.storage, *self.removed)
        return next((one.stopped for one in parts if one is not None and one.stopped is not None), None)

    @property
    def outcome(self) -> Outcome:
        """The outcome of the removal."""
        if self.data is not None and self.data.disappeared:
            return Outcome.PROBLEMS_FOUND
        return Outcome.DONE if self.stopped is None else Outcome.STOPPED
