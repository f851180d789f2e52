"""Outcomes of a data migration, and operations that only read it, with their results.

Such are the status, a verification, and the first reason why a run would be refused.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from redstart.effects import Op
from redstart.errors import AuthenticationError, ConfigurationError, DataMigrationError, MigrationError
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.context import Context
from redstart.migrations.data.checkpoint import load_checkpoint
from redstart.migrations.data.failures import failure_at
from redstart.migrations.data.plan import Plan, with_index_attributes
from redstart.migrations.data.record import read_record
from redstart.migrations.data.statistics import Statistics
from redstart.migrations.data.verify import JournalCheck, Problems, Verification, verify, verify_journal
from redstart.migrations.failure import Failure
from redstart.migrations.indexes.coverage import IndexCheck, verify_indexes
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.status import (
    ActiveIndex,
    IndexStatus,
    absent_among,
    absent_indexes,
    index_statuses,
)
from redstart.migrations.model_check import ModelCheck
from redstart.migrations.phase import MigrationStatus, migration_status, next_command
from redstart.migrations.run_progress import RunProgress
from redstart.migrations.schema_check import SchemaComparison, compare, mismatching
from redstart.migrations.server_checks import has_search, require_safe_undo
from redstart.migrations.state_keys import APPLIED_MIGRATIONS
from redstart.next_steps import Command, Hint
from redstart.values.timezones import NaiveTimezone


class Outcome(StrEnum):
    """Outcome of an operation. Each has one exit code and, unless it is a success, one error.

    Attributes:
        DONE: all work is done.
        NOTHING_TO_DO: there was no work.
        DRY_RUN: nothing was written; the result describes what would be done.
        SKIPPED: nothing was done, because `om` was importing the calling module for its models.
        NOT_STARTED: nothing was written, because documents would drop out of an index.
        STOPPED: stopped before the end, with the progress saved.
        CUTOVER_REFUSED: the data is done; an index was not switched, because documents would drop out of it.
        PROBLEMS_FOUND: a verification found problems, a rollback left values or documents behind, or all documents of a
            model disappeared during a run.
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
class VerificationResult:
    """The result of a verification.

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
    def is_pending(self) -> bool:
        """Whether a complete run is still to come: no run has converted these models, or it was interrupted."""
        return bool(self.data.unconverted) and (self.data.is_new or self.data.is_interrupted)

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        if self.is_pending:
            return Outcome.PENDING
        return Outcome.DONE if self.is_ok else Outcome.PROBLEMS_FOUND

    def raise_for_outcome(self) -> None:
        """Raise DataMigrationError if there are problems, or the data is not converted."""
        if self.outcome is Outcome.PENDING:
            raise DataMigrationError(
                f"The data is not converted yet ({self.data.unconverted:,} values).",
                Hint("Convert with: ", Command("migrate-data run")),
            )
        if self.outcome is Outcome.PROBLEMS_FOUND:
            count = self.data.problems.count
            raise DataMigrationError(
                f"Verification found {count:,} problem{'s' * (count != 1)}, such as {self.data.problems.first[0]}.",
                Hint("List them with: ", Command("migrate-data verify", "--verbose")),
            )


@dataclass(frozen=True, slots=True)
class SchemaResult(SchemaComparison):
    """What a comparison of indexes with models found, with its outcome: whether work is left."""

    @property
    def outcome(self) -> Outcome:
        """The outcome: whether work is left."""
        return Outcome.DONE if self.next_command is None else Outcome.PENDING

    def raise_for_outcome(self) -> None:
        """Raise DataMigrationError if an index differs from its model, or data is not converted."""
        if self.next_command is not None:
            # During a rollback no index may be pending by itself.
            pending = [check for check in self.indexes if check.is_pending] or self.indexes
            names = ", ".join(dict.fromkeys(check.status.planned.name for check in pending))
            raise DataMigrationError(
                f"Indexes, or the data in them, are not converted: {names}.",
                Hint("Continue with: ", self.next_command),
            )


@dataclass(frozen=True, slots=True)
class StatusResult(MigrationStatus):
    """The status of a migration, with its outcome: whether work is left.

    Attributes:
        absent: indexes of models that do not exist; queries on them raise IndexNotFoundError.
        next_command: the next command of `om`; None if nothing is left to do.
        refused: of converted models, the indexes for which a cutover is refused.
    """

    absent: list[str]
    next_command: Command | None
    refused: list[IndexStatus] = field(default_factory=list)

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
                recorded_elsewhere(self.data.migration_id),
                Hint(POSSIBLE_CAUSES, "\n", SEE_FORMAT, "\n", RESTORE_STATE, "\n", RECORD_HERE),
            )
        if self.outcome is Outcome.PENDING:
            models = ", ".join(model.name for model in self.data.pending)
            raise DataMigrationError(
                f"The migration is pending (phase: {self.phase}){': ' * bool(models)}{models}.",
                Hint("List the next steps with: ", Command("migrate-data status")),
            )


def recorded_elsewhere(migration_id: str) -> str:
    """Return the message that redis-om's record has a migration of which Redstart has no state."""
    return f"{APPLIED_MIGRATIONS} lists {migration_id} as applied, but there is no state of Redstart for it."


POSSIBLE_CAUSES = (
    "Either redis-om applied it, which it records even if nothing was converted; or Redstart applied it, and its state "
    "was lost."
)
SEE_FORMAT = Hint("See whether all values are converted with: ", Command("migrate-data verify"))
RESTORE_STATE = (
    "If Redstart converted them, first restore the keys redstart:* from a backup: without them converted values cannot "
    "be rolled back."
)
RECORD_HERE = Hint(
    "Otherwise convert the rest, if any, and record it with: ",
    Command("migrate-data run"),
    ". It does not change values that are converted.",
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


def read_full_status(context: Context, plan: Plan, planned: Sequence[PlannedIndex]) -> Op[StatusResult]:
    """Return the phase, which models are applied or pending, and the next command. Reads only.

    Effects: some reads, and a sample of at most 1,000 documents of each model.
    """
    transformation = context.transformation
    state = yield from migration_status(transformation, plan, sample_documents=True, is_gone=context.is_gone)
    statuses = (yield from index_statuses(planned)) if (yield from has_search()) else []
    absent = yield from absent_among(statuses)
    checks = compare(statuses, with_index_attributes(plan, transformation), state.data.record)
    indexes = [
        status
        for status in mismatching(checks)
        # Without any index the application does not search its documents.
        if status.active is not ActiveIndex.ABSENT or status.planned.name in absent
    ]
    pending = {model.key_prefix for model in state.data.pending}
    following = next_command(state.resume_command, state.phase, indexes, pending)
    converted = {model.key_prefix for model in (*state.data.applied, *state.data.rewritten)}
    refused = [one for one in indexes if one.lacking and one.planned.key_prefix in converted]
    return StatusResult(
        state.phase, state.is_cutover_pending, state.data, state.is_cut_over, absent, following, refused
    )


NO_SUCH_INDEX = Hint("there is no index of this name; see ", Command("migrate status"))
"""A problem that a verification reports."""


@dataclass(frozen=True, slots=True)
class ModelReading:
    """Models that read every document as a whole, and the zone in which they read values without an offset."""

    declarations: Sequence[ModelDeclaration]
    naive_timezone: NaiveTimezone


def verify_all(
    context: Context,
    plan: Plan,
    planned: Sequence[PlannedIndex],
    models: ModelReading | None,
    *,
    batch_documents: int,
) -> Op[VerificationResult]:
    """Read every value again, and look up every document in its index if that is cut over. Reads only.

    Args:
        planned: the indexes of the models.
        models: given to read every document through its model, too, and to convert every original in the undo log
            again.
    """
    recorded = (yield from read_record(context.keys)).plan
    check = None
    if models is not None:
        check = ModelCheck(models.declarations, models.naive_timezone, context.transformation, recorded)
    checks = [] if check is None else [check]
    values = yield from verify(context, plan, checks=checks, batch_documents=batch_documents)
    undo_log = None
    if check is not None:
        check.report_unnamed(values.problems)
        recorded = (yield from read_record(context.keys)).plan
        if recorded is not None:
            undo_log = yield from verify_journal(context, recorded, values.problems)
    yield from _find_disappeared(context, plan, values, [] if undo_log is None else undo_log.gone)
    indexes = yield from _verify_indexes(planned, values.problems)
    return VerificationResult(values, undo_log, check, indexes)


def _find_disappeared(context: Context, plan: Plan, found: Verification, reported: Sequence[str]) -> Op[None]:
    """Report models that had documents in a run and have none now. Two reads.

    Args:
        reported: key prefixes of models that are reported already.
    """
    record = yield from read_record(context.keys)
    checkpoint = yield from load_checkpoint(context.keys)
    surveyed = {} if checkpoint is None else checkpoint.surveyed
    for prefix in (model.key_prefix for model in plan.models):
        count = record.applied[prefix].documents if prefix in record.applied else 0
        count = max(count, surveyed.get(prefix, 0))
        if count and not found.tally.documents[prefix] and prefix not in reported:
            reason = f"all documents have disappeared since the run: {count:,}"
            found.problems.add(failure_at(f"{prefix}*".encode(), "", b"", reason))


def _verify_indexes(planned: Sequence[PlannedIndex], problems: Problems) -> Op[list[IndexCheck]]:
    checks = yield from verify_indexes(planned, (yield from absent_indexes(planned)))
    for check in checks:
        if not check.serves:
            problems.add(failure_at(check.name.encode(), "", b"", str(NO_SUCH_INDEX)))
            continue
        for key in check.examples[: check.problems]:
            problems.add(failure_at(key, "", b"", f"not in the index {check.name}"))
        problems.count += max(0, check.problems - len(check.examples))
    return checks


def first_refusal(
    checks: Iterable[Callable[[], Op[object] | None]],
) -> Op[tuple[Refusal | None, list[AuthenticationError]]]:
    """Return the error of the first check that fails, and the errors of checks that were not permitted."""
    unchecked: list[AuthenticationError] = []
    for check in checks:
        try:
            operation = check()
            if operation is not None:
                _ = yield from operation
        except (ConfigurationError, MigrationError) as exc:
            return exc, unchecked
        except (
            AuthenticationError
        ) as exc:  # the user of a preview may have fewer permissions than that of a run
            unchecked.append(exc)
    return None, unchecked
