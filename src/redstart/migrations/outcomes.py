"""Outcomes and results of a data migration: decided once, for the command line and for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from redstart.display import MAX_EXAMPLES_SHOWN
from redstart.errors import AuthenticationError, ConfigurationError, DataMigrationError, MigrationError
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.rollback import DataRollbackResult
from redstart.migrations.data.run import RunResult
from redstart.migrations.data.statistics import Statistics
from redstart.migrations.data.status import DataStatus
from redstart.migrations.data.verify import JournalCheck, Verification
from redstart.migrations.failure import Failure, FailureSummary
from redstart.migrations.holder import is_gone
from redstart.migrations.indexes.coverage import Coverage, IndexCheck
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.indexes.status import IndexStatus
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.model_check import ModelCheck
from redstart.migrations.phase import MigrationStatus
from redstart.migrations.server_checks import require_safe_undo
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, DATETIME_MIGRATION
from redstart.next_steps import Command, Hint


class Outcome(StrEnum):
    """Outcome of an operation. Each has one exit code and, unless it is a success, one error.

    Attributes:
        DONE: all work is done.
        NOTHING_TO_DO: there was no work.
        DRY_RUN: nothing was written; the result tells what would be done.
        SKIPPED: nothing was done, because `om` was importing the calling module for its models.
        NOT_STARTED: nothing was written, because documents would drop out of an index.
        STOPPED: stopped before the end, with the progress saved.
        CUTOVER_REFUSED: the data is done; an index was not switched, because documents would drop out of it.
        PROBLEMS_FOUND: a verification found problems, or a rollback left values or documents behind.
        PENDING: work is left.
        RECORDED_ELSEWHERE: redis-om's record has the migration as applied, and Redstart has no state of it.
    """

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    DRY_RUN = "dry_run"
    SKIPPED = "skipped"
    NOT_STARTED = "not_started"
    STOPPED = "stopped"
    CUTOVER_REFUSED = "cutover_refused"
    PROBLEMS_FOUND = "problems_found"
    PENDING = "pending"
    RECORDED_ELSEWHERE = "recorded_elsewhere"


Refusal = ConfigurationError | MigrationError
"""The error that refuses a run before its first write."""


@dataclass(frozen=True, slots=True)
class StatisticsResult:
    """What `stats` found.

    Attributes:
        data: counts, the estimate of a run, and facts about the server.
        is_interrupted: whether progress of a run or rollback is saved.
    """

    data: Statistics
    is_interrupted: bool

    @property
    def refusal(self) -> Refusal | None:
        """The error of a run on this server in its current configuration; None if it would start."""
        try:
            require_safe_undo(self.data.facts)
        except MigrationError as exc:
            return exc
        return None


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before the first write of a run.

    Attributes:
        indexes: estimates for the indexes whose dates change their type.
        superseded: indexes with a newer definition than that of their model, if any index changes.
        is_recorded_elsewhere: whether redis-om's record has the migration as applied, and Redstart has no state of it.
        is_interrupted: whether progress of a run or rollback is saved.
    """

    indexes: list[IndexEstimate]
    superseded: list[IndexStatus]
    is_recorded_elsewhere: bool
    is_interrupted: bool


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would do.

    Attributes:
        data: counts of all values, with examples of values before and after, and the failures.
        refusal: the error with which a run would be refused.
        unchecked: errors of checks that the permissions of the user do not allow.
    """

    preflight: Preflight
    data: Statistics
    refusal: Refusal | None
    unchecked: list[AuthenticationError]
    seconds: float

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        return Outcome.DRY_RUN


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What a run did.

    Attributes:
        data: None if an index could not be prepared; then no document was changed.
        indexes: the result for each index with dates.
        blocking: by index, the first values that keep documents out of one whose cutover was refused.
        failures: the recorded failed values of the run, by cause.
        failure_mode: how the run handled these values.
        is_skipped: whether nothing was done, because `om` was importing the calling module.
        absent: after a complete run, indexes of models that do not exist; queries on them raise IndexNotFoundError.
    """

    data: RunResult | None
    indexes: list[IndexResult] = field(default_factory=list)
    blocking: dict[str, list[Failure]] = field(default_factory=dict)
    failures: FailureSummary = field(default_factory=FailureSummary)
    failure_mode: FailureMode = FailureMode.LOG_AND_SKIP
    is_skipped: bool = False
    absent: list[str] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether a cutover was refused, or an index could not be prepared."""
        return bool(self._refused_indexes())

    def _refused_indexes(self) -> list[IndexResult]:
        return [one for one in self.indexes if one.outcome is IndexOutcome.REFUSED]

    @property
    def data_outcome(self) -> Outcome:
        """The outcome for the documents, without that for the indexes."""
        if self.is_skipped:
            return Outcome.SKIPPED
        if self.data is None:
            return Outcome.NOT_STARTED
        return Outcome.DONE if self.data.stopped is None else Outcome.STOPPED

    @property
    def outcome(self) -> Outcome:
        """The outcome of the whole run."""
        outcome = self.data_outcome
        return Outcome.CUTOVER_REFUSED if outcome is Outcome.DONE and self.refused else outcome

    def raise_for_outcome(self, call: str = "run()") -> None:
        """Raise DataMigrationError if the run is not complete.

        Args:
            call: the method that repeats the run, for the hint.
        """
        refused = self._refused_indexes()
        names = ", ".join(one.name for one in refused)
        dropped = _examples(one.membership for one in refused)
        if self.outcome is Outcome.NOT_STARTED:
            raise DataMigrationError(
                f"Nothing was converted: the dual-format index would drop documents: {names}{dropped}.",
                f"Correct or delete these documents; then call {call} again.",
            )
        if self.data is not None and self.outcome is Outcome.STOPPED:
            again = (
                Command("migrate-data run")
                if self.failure_mode in (FailureMode.LOG_AND_SKIP, FailureMode.FAIL)
                else Command("migrate-data run", "--failure-mode", self.failure_mode)
            )
            raise DataMigrationError(
                f"Conversion stopped: {self.data.stopped}.",
                Hint(f"Progress is saved. Resume with {call}, or with: ", again),
            )
        if self.outcome is Outcome.CUTOVER_REFUSED:
            values = [failure for failures in self.blocking.values() for failure in failures]
            blocking = f"\nBlocking: {values[0]}" if values else ""
            raise DataMigrationError(
                f"Conversion complete; cutover refused: {names}. Documents would drop out of query results"
                f"{dropped}.{blocking}",
                Hint(
                    "List the failed values with: ",
                    Command("migrate-data errors"),
                    (
                        f". Correct them, or call {call} with failure_mode quarantine or default; or cut over "
                        "without these documents: "
                    ),
                    Command("migrate run", "--accept-unindexed"),
                ),
            )


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What a rollback did, or would do.

    Attributes:
        data: None if a dual-format index would have lost documents; then nothing was changed.
        indexes: the result for each index, by name; empty if no index was rolled back, or the data was not.
        lacking: by name, indexes with fewer documents than before the rollback. They were incomplete before the
            migration: `lacked_before` is the number of documents missing then.
        rejected: by name, values that the original definition of a refused index does not accept; the first ones.
        is_preview: whether nothing was written.
        is_skipped: whether nothing was done, because `om` was importing the calling module.
    """

    data: DataRollbackResult | None
    indexes: dict[str, CutoverResult] = field(default_factory=dict)
    lacking: dict[str, Coverage] = field(default_factory=dict)
    lacked_before: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, list[Failure]] = field(default_factory=dict)
    is_preview: bool = False
    is_skipped: bool = False

    @property
    def lacks_more_than_before(self) -> bool:
        """Return whether more documents are missing from an index than before the migration."""
        return any(one.missing > self.lacked_before[name] for name, one in self.lacking.items())

    @property
    def refused(self) -> list[str]:
        """Return the indexes that could not be rolled back."""
        return [name for name, switched in self.indexes.items() if not switched.done]

    @property
    def data_outcome(self) -> Outcome:
        """The outcome for the documents, without that for the indexes and for values left behind."""
        if self.is_skipped:
            return Outcome.SKIPPED
        if self.data is None:
            return Outcome.NOT_STARTED
        if self.data.nothing_to_do:
            return Outcome.NOTHING_TO_DO
        if self.is_preview:
            return Outcome.DRY_RUN
        return Outcome.DONE if self.data.stopped is None else Outcome.STOPPED

    @property
    def outcome(self) -> Outcome:
        """The outcome of the whole rollback."""
        outcome = self.data_outcome
        if self.data is None or self.is_preview or outcome not in (Outcome.DONE, Outcome.NOTHING_TO_DO):
            return outcome
        if self.data.kept or self.data.unrestored or self.data.forgotten or self.lacks_more_than_before:
            return Outcome.PROBLEMS_FOUND
        return Outcome.CUTOVER_REFUSED if self.refused else outcome

    def raise_for_outcome(self, call: str = "rollback()") -> None:
        """Raise DataMigrationError if the rollback is not complete, or left values or documents behind.

        Args:
            call: the method that repeats the rollback, for the hint.
        """
        refused = [switched for switched in self.indexes.values() if not switched.done]
        again = Command("migrate-data rollback", DATETIME_MIGRATION)
        if self.outcome is Outcome.NOT_STARTED:
            raise DataMigrationError(
                "Rollback refused: the dual-format index would drop documents"
                f"{_examples(one.membership for one in refused)}.",
                Hint(
                    f"Correct these documents, and call {call} again; or accept that queries miss them: ",
                    Command("migrate rollback", "--accept-unindexed"),
                    ", and then: ",
                    again,
                ),
            )
        if self.data is None or self.outcome in _COMPLETE:
            return
        if self.outcome is Outcome.STOPPED:
            raise DataMigrationError(
                f"Rollback stopped: {self.data.stopped}.",
                Hint(f"Progress is saved. Resume with {call}, or with: ", again),
            )
        kept = _counted(
            "Values left as numbers, because they are excluded or have no text equivalent",
            self.data.kept,
            self.data.examples,
        )
        kept += _counted("Values not restored", self.data.unrestored, self.data.unrestored_examples)
        kept += _counted(
            "Values that stay converted, because the undo log was dropped", self.data.forgotten, []
        )
        if refused:
            raise DataMigrationError(
                "Rollback complete, except for indexes: the previous ones would drop documents: "
                f"{', '.join(self.refused)}{_examples(one.membership for one in refused)}.{kept}",
                Hint(
                    "Correct these documents; then: ",
                    Command("migrate rollback"),
                    ". Until then the dual-format indexes stay active.",
                ),
            )
        if kept:
            raise DataMigrationError(
                f"Rollback complete, except for some values.{kept}",
                Hint(
                    (
                        "Write these values as text for the old version. Originals that were not restored stay "
                        "on the server; list them with: "
                    ),
                    Command("migrate-data errors"),
                ),
            )
        numbers = ", ".join(
            f"{name}: {one.missing:,} (before the migration {self.lacked_before[name]:,})"
            for name, one in self.lacking.items()
        )
        raise DataMigrationError(
            f"Rollback complete. Some documents are not in the previous indexes, so no query returns them: {numbers}"
            f"{_examples(self.lacking.values())}.",
            "Correct these documents; the server indexes them at once.",
        )


_COMPLETE = (Outcome.DONE, Outcome.NOTHING_TO_DO, Outcome.DRY_RUN, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What a verification found.

    Attributes:
        data: counts of values, and the problems of all checks.
        undo_log: the comparison with the undo log; None if it was not requested, or there is none.
        models: the documents that models can and cannot read; None if it was not requested.
        indexes: the lookup of every document in its index.
    """

    data: Verification
    undo_log: JournalCheck | None
    models: ModelCheck | None
    indexes: list[IndexCheck]

    @property
    def is_ok(self) -> bool:
        """Whether no value is missing, wrong or unconverted."""
        return self.data.problems.count == 0

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        return Outcome.DONE if self.is_ok else Outcome.PROBLEMS_FOUND

    def raise_for_outcome(self) -> None:
        """Raise DataMigrationError if there are problems."""
        if self.outcome is Outcome.PROBLEMS_FOUND:
            count = self.data.problems.count
            raise DataMigrationError(
                f"Verification found {count:,} problem{'s' * (count != 1)}, such as {self.data.problems.first[0]}.",
                Hint("List them with: ", Command("migrate-data verify", "--verbose")),
            )


class RunState(StrEnum):
    """Whether a run or rollback is in progress."""

    NONE = "none"
    RUNNING = "running"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The progress of a running or interrupted migration."""

    status: DataStatus

    @property
    def state(self) -> RunState:
        """Running while a process that may be alive holds the lease; otherwise interrupted if progress is saved."""
        if self.status.lease is not None and not is_gone(self.status.lease.holder):
            return RunState.RUNNING
        return RunState.NONE if self.status.checkpoint is None else RunState.INTERRUPTED

    @property
    def is_running(self) -> bool:
        """Whether a run or rollback is in progress."""
        return self.state is RunState.RUNNING

    @property
    def done(self) -> int:
        """How much of the present stage is done."""
        return self._counts()[0]

    @property
    def total(self) -> int:
        """The total of the present stage: 0 while unknown, otherwise at least what is done."""
        done, total = self._counts()
        return max(done, total) if total else 0

    def _counts(self) -> tuple[int, int]:
        lease, checkpoint = self.status.lease, self.status.checkpoint
        activity = lease.activity if lease is not None and self.is_running else None
        if activity is not None and (activity.done or self.status.lease_is_of_indexes):
            return activity.done, activity.total
        return (0, 0) if checkpoint is None else (checkpoint.met, checkpoint.total)


@dataclass(frozen=True, slots=True)
class StatusResult(MigrationStatus):
    """The status of a migration, with its outcome: whether work is left.

    Attributes:
        absent: indexes of models that do not exist; queries on them raise IndexNotFoundError.
    """

    absent: list[str]

    @property
    def progress(self) -> RunProgress:
        """The progress of a running or interrupted run or rollback."""
        return RunProgress(self.data)

    @property
    def is_recorded_elsewhere(self) -> bool:
        """Whether redis-om's record has the migration as applied, and Redstart has no state of it."""
        return self.data.recorded_elsewhere and self.data.record.is_new

    @property
    def outcome(self) -> Outcome:
        """The outcome: whether work is left."""
        if self.is_recorded_elsewhere:
            return Outcome.RECORDED_ELSEWHERE
        data = self.data
        is_pending = bool(data.pending) or data.unlisted or self.is_cutover_pending or bool(self.absent)
        return Outcome.PENDING if is_pending else Outcome.DONE

    def raise_for_outcome(self) -> None:
        """Raise DataMigrationError if work is left."""
        if self.outcome is Outcome.RECORDED_ELSEWHERE:
            raise DataMigrationError(
                RECORDED_ELSEWHERE,
                Hint(POSSIBLE_CAUSES, "\n", SEE_FORMAT, "\n", RESTORE_STATE, "\n", RECORD_HERE),
            )
        if self.outcome is Outcome.PENDING:
            models = ", ".join(model.name for model in self.data.pending)
            raise DataMigrationError(
                f"The migration is pending (phase: {self.phase}){': ' * bool(models)}{models}.",
                Hint("List the next steps with: ", Command("migrate-data status")),
            )


RECORDED_ELSEWHERE = (
    f"{APPLIED_MIGRATIONS} lists {DATETIME_MIGRATION} as applied, but there is no state of Redstart for it."
)
POSSIBLE_CAUSES = (
    "Either redis-om applied it, which it records even if nothing was converted; or Redstart applied it, and its state "
    "was lost."
)
SEE_FORMAT = Hint("See whether all dates are converted with: ", Command("migrate-data verify"))
RESTORE_STATE = (
    "If Redstart converted them, first restore the keys redstart:* from a backup: without them converted values cannot "
    "be rolled back."
)
RECORD_HERE = Hint(
    "Otherwise convert the rest, if any, and record it with: ",
    Command("migrate-data run"),
    ". It does not change numbers.",
)
"""What to do if the migration is recorded elsewhere: each command prints those that apply to it."""


@dataclass(frozen=True, slots=True)
class RecordedFailures:
    """Failed values that are recorded, and those that are only counted.

    Attributes:
        listed: of the last run, replaced or quarantined by any run, and not restored by a rollback.
        not_listed: number beyond the 100,000 recorded ones.
    """

    listed: Sequence[Failure]
    not_listed: int

    @property
    def count(self) -> int:
        """Number of all failed values."""
        return len(self.listed) + self.not_listed


@dataclass(frozen=True, slots=True)
class RollbackEstimate:
    """What a rollback would read.

    Attributes:
        documents: their number; an estimate unless `exact`.
        seconds: expected duration.
    """

    documents: int
    exact: bool
    seconds: float


def unmatched_message(prefixes: Sequence[str]) -> str:
    """Return the message that no document has one of the key prefixes."""
    return f"0 documents matched the {'prefix' if len(prefixes) == 1 else 'prefixes'} {', '.join(prefixes)}."


def _counted(title: str, count: int, examples: Sequence[Failure]) -> str:
    """Return a sentence with the number of values of a kind; empty if there are none."""
    first = f", such as {examples[0]}" if examples else ""
    return f" {title}: {count}{first}." if count else ""


def _examples(memberships: Iterable[Coverage | None]) -> str:
    """Return examples of documents that an index would drop, to be appended to a sentence."""
    keys = [key for one in memberships if one is not None for key in one.examples]
    if not keys:
        return ""
    return ", such as " + ", ".join(
        key.decode("utf-8", errors="backslashreplace") for key in keys[:MAX_EXAMPLES_SHOWN]
    )
