"""Results of runs and rollbacks, and of their previews: for the command line and for programs.

Before a result is reported, it is checked that no other client, and no failover, has undone a part of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from redstart.display import MAX_EXAMPLES_SHOWN
from redstart.effects import Op
from redstart.errors import AuthenticationError, DataMigrationError, MigrationError
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.record import Record, read_record
from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.data.statistics import Statistics
from redstart.migrations.failure import BlockedDocuments, Failure, FailureSummary
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.indexes.status import IndexStatus
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.integrity import require_kept
from redstart.migrations.lease import server_is_behind
from redstart.migrations.outcomes import Outcome, Refusal
from redstart.migrations.phase import CONVERT, roll_back
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Command, Hint


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before the first write of a run.

    Attributes:
        indexes: estimates for the indexes with changing attributes.
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
        blocked: by index, documents that would drop out of query results at its cutover. Without `accept_unindexed`, a
            run would convert the data and refuse these cutovers.
        unchecked: errors of checks that the permissions of the user do not allow.
    """

    preflight: Preflight
    data: Statistics
    refusal: Refusal | None
    unchecked: list[AuthenticationError]
    seconds: float
    blocked: dict[str, BlockedDocuments] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        return Outcome.DRY_RUN


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What a run did.

    Attributes:
        data: None if an index could not be prepared; then no document was changed.
        indexes: the result for each index with changing attributes.
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
        if self.data is not None and self.data.disappeared:
            return Outcome.PROBLEMS_FOUND
        return Outcome.CUTOVER_REFUSED if outcome is Outcome.DONE and self.refused else outcome

    def raise_for_outcome(self, call: str = "run()") -> None:
        """Raise DataMigrationError if the run is not complete.

        Args:
            call: the method that repeats the run, for the hint.
        """
        refused = self._refused_indexes()
        names = ", ".join(one.name for one in refused)
        dropped = _examples(one.coverage for one in refused)
        if self.outcome is Outcome.NOT_STARTED:
            raise DataMigrationError(
                f"Nothing was converted: the dual-format index would drop documents: {names}{dropped}.",
                f"Correct or delete these documents; then call {call} again.",
            )
        if self.data is not None and self.outcome is Outcome.PROBLEMS_FOUND:
            raise DataMigrationError(f"Conversion stopped: {self.data.stopped}.", after_disappearance(call))
        if self.data is not None and self.outcome is Outcome.STOPPED:
            usual = self.failure_mode in (FailureMode.LOG_AND_SKIP, FailureMode.FAIL)
            again = CONVERT if usual else Command("migrate-data run", "--failure-mode", self.failure_mode)
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
                    f". Correct them, or call {call} with failure_mode quarantine or default; or cut over ",
                    "without these documents: ",
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
        migration_id: of the migration, for hints.
    """

    data: DataRollbackResult | None
    indexes: dict[str, CutoverResult] = field(default_factory=dict)
    lacking: dict[str, Coverage] = field(default_factory=dict)
    lacked_before: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, list[Failure]] = field(default_factory=dict)
    is_preview: bool = False
    is_skipped: bool = False
    migration_id: str = field(kw_only=True)

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
        if (
            self.data.kept
            or self.data.unrestored
            or self.data.without_undo_log
            or self.lacks_more_than_before
        ):
            return Outcome.PROBLEMS_FOUND
        return Outcome.CUTOVER_REFUSED if self.refused else outcome

    def raise_for_outcome(self, call: str = "rollback()") -> None:
        """Raise DataMigrationError if the rollback is not complete, or left values or documents behind.

        Args:
            call: the method that repeats the rollback, for the hint.
        """
        refused = [switched for switched in self.indexes.values() if not switched.done]
        again = roll_back(self.migration_id)
        if self.outcome is Outcome.NOT_STARTED:
            raise DataMigrationError(
                "Rollback refused: the dual-format index would drop documents"
                f"{_examples(one.coverage for one in refused)}.",
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
        kept = _values_left(self.data)
        if refused:
            raise DataMigrationError(
                "Rollback complete, except for indexes: the previous ones would drop documents: "
                f"{', '.join(self.refused)}{_examples(one.coverage for one in refused)}.{kept}",
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
                    "Write these values in the previous format, which the old version reads. Originals that were not "
                    "restored stay on the server; list them with: ",
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


def _values_left(data: DataRollbackResult) -> str:
    """Return sentences with the numbers of values that were not rolled back; empty if there are none."""
    kinds: tuple[tuple[str, int, list[Failure]], ...] = (
        ("Values that stay converted, because they are excluded or not reversible", data.kept, data.examples),
        ("Values not restored", data.unrestored, data.unrestored_examples),
        ("Values that stay converted, because the undo log was dropped", data.without_undo_log, []),
    )
    return "".join(_counted(*kind) for kind in kinds)


_COMPLETE = (Outcome.DONE, Outcome.NOTHING_TO_DO, Outcome.DRY_RUN, Outcome.SKIPPED)


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


def after_disappearance(again: str | Command) -> Hint:
    """Return the hint for a run whose documents have disappeared.

    Args:
        again: what repeats the run.
    """
    return Hint(
        "If they were moved, renamed or deleted by mistake, restore them and repeat ",
        again,
        ". If they were deleted on purpose, first remove the progress with: ",
        Command("migrate-data clear-progress"),
    )


def unmatched_message(prefixes: Sequence[str]) -> str:
    """Return the message that no document has one of the key prefixes."""
    return f"0 documents matched the {'prefix' if len(prefixes) == 1 else 'prefixes'} {', '.join(prefixes)}."


def _counted(title: str, count: int, examples: Sequence[Failure]) -> str:
    """Return a sentence with the number of values of a kind; empty if there are none."""
    first = f", such as {examples[0]}" if examples else ""
    return f" {title}: {count}{first}." if count else ""


def _examples(checks: Iterable[Coverage | None]) -> str:
    """Return examples of documents that an index would drop, to be appended to a sentence."""
    keys = [key for one in checks if one is not None for key in one.examples]
    if not keys:
        return ""
    return ", such as " + ", ".join(
        key.decode("utf-8", errors="backslashreplace") for key in keys[:MAX_EXAMPLES_SHOWN]
    )


def require_complete_run(keys: StateKeys, result: MigrationResult, absent: Sequence[str]) -> Op[None]:
    """Raise an error if another client has changed an index, or its record, or the state after the conversion.

    Args:
        absent: indexes of models that do not exist.

    Raises:
        MigrationError, StateDamagedError: it has.

    Effects: reads only.
    """
    if result.data is None:
        return
    yield from require_kept(keys)
    if result.data.stopped is not None:
        return
    changed = [
        index.name
        for index in result.indexes
        if index.outcome is IndexOutcome.EXPANDED or index.name in absent
    ]
    if changed:
        raise MigrationError(
            f"The documents are converted, but another client changed indexes during this run: {', '.join(changed)}.",
            Hint("See their state with: ", Command("migrate status"), ". Then run the same command again."),
        )


def require_complete_rollback(keys: StateKeys, before: Record, result: RollbackResult) -> Op[None]:
    """Raise an error for state that was removed during a rollback, or whose removal a failover has lost.

    Args:
        before: the record before the rollback.

    Raises:
        StateDamagedError, UnsafeServerError: it was.

    Effects: reads only.
    """
    if result.data is None or before.plan is None:
        return
    if result.data.nothing_to_do:
        yield from require_kept(keys)
    elif result.data.stopped is None and (yield from read_record(keys)).unfinished == "rollback":
        raise server_is_behind()
