"""The service of data migrations: every use case once, for the command line and for programs."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Self

from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.blocking import rejected_by_previous
from redstart.migrations.context import Context
from redstart.migrations.coordinator import (
    blocking_now,
    estimate_indexes,
    indexes_to_roll_back,
    migrate_back,
    migrate_forward,
    preview_back,
    require_possible_run,
)
from redstart.migrations.cutover_prediction import above_accepted, blocked_by_conversion, cutovers_of_run
from redstart.migrations.data.checkpoint import load_checkpoint
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.page_converter import expected_failures
from redstart.migrations.data.plan import Plan, make_plan, plan_for_indexes, with_recorded_exclusions
from redstart.migrations.data.record import is_recorded_without_state, read_record
from redstart.migrations.data.run import require_recorded_plan, require_room_aside
from redstart.migrations.data.statistics import READS_PER_RUN, WRITE_TO_READ, Statistics, statistics
from redstart.migrations.data.status import status as read_status
from redstart.migrations.data.unrestored import all_unrestored
from redstart.migrations.failure import Failure, FailureMode, FailureSummary
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes, require_one_definition_each
from redstart.migrations.indexes.preflight import require_aliases
from redstart.migrations.indexes.status import IndexStatus, absent_indexes, index_statuses
from redstart.migrations.integrity import require_intact, require_kept
from redstart.migrations.key_ownership import PrefixChecks, require_same_types
from redstart.migrations.lease_state import LeaseState
from redstart.migrations.maintenance import (
    clear_progress,
    drop_undo_log,
    force_unlock,
    has_progress,
    has_undo_log,
    held_leases,
    last_copies,
)
from redstart.migrations.options import MAX_BATCH_SIZE, MigrationOptions, RollbackOptions, require_within
from redstart.migrations.outcomes import (
    ModelReading,
    RecordedFailures,
    SchemaResult,
    StatisticsResult,
    StatusResult,
    VerificationResult,
    first_refusal,
    read_full_status,
    verify_all,
)
from redstart.migrations.phase import with_index_lease
from redstart.migrations.run_progress import RunProgress
from redstart.migrations.run_results import (
    DryRun,
    MigrationResult,
    Preflight,
    RollbackEstimate,
    RollbackResult,
    require_complete_rollback,
    require_complete_run,
)
from redstart.migrations.schema_check import check_schema
from redstart.migrations.server_checks import has_search, require_safe_undo
from redstart.migrations.state_keys import StateKeys
from redstart.values.timezones import NaiveTimezone

logger = logging.getLogger(__name__)

_ROLLBACK_TO_RUN = 2.0
"""Ratio of the times of a rollback and a run: 2.0 to 2.7 on 6,000 documents, most of it the replay of the undo log."""


@dataclass(frozen=True, slots=True)
class DataMigration:
    """A transformation of some models, and its rollback. Each operation checks first what it depends on.

    Attributes:
        declarations: the models; none for operations that only use what is recorded on the server.
        plan: which values of which keys are read and changed.
        naive_timezone: the zone in which the models read values without an offset, for `verify(check_data=True)`.
        exclude_prefixes: longer key prefixes whose keys belong to no model.
        exclusions_are_settings: whether these are settings of the project, which may concern other models.
    """

    context: Context
    declarations: tuple[ModelDeclaration, ...]
    plan: Plan
    naive_timezone: NaiveTimezone
    exclude_prefixes: tuple[str, ...] = field(default=())
    exclusions_are_settings: bool = False

    @classmethod
    def for_models(
        cls,
        declarations: Iterable[ModelDeclaration],
        *,
        context: Context,
        naive_timezone: NaiveTimezone,
        exclude_prefixes: Iterable[str] = (),
        exclusions_are_settings: bool = False,
        assigns_keys: bool = True,
    ) -> Self:
        """Return the migration of some models.

        Args:
            context: with the transformation.
            assigns_keys: False for operations that assign no keys to models: key prefixes may overlap.

        Raises:
            ConfigurationError: key prefixes overlap.
        """
        declared, excluded = tuple(declarations), tuple(exclude_prefixes)
        make = make_plan if assigns_keys else plan_for_indexes
        plan = make(declared, context.transformation, excluded=excluded)
        return cls(context, declared, plan, naive_timezone, excluded, exclusions_are_settings)

    @property
    def keys(self) -> StateKeys:
        """The keys of the state on the server."""
        return self.context.keys

    def planned_indexes(self) -> list[PlannedIndex]:
        """Return the indexes of the models. Raises ConfigurationError if two models define one index differently."""
        planned = planned_indexes(self.declarations)
        require_one_definition_each(planned)
        return planned

    def _index_migration(self) -> IndexMigration:
        context = self.context
        return IndexMigration(context.holder, context.token, context.clock, context.monitor, context.is_gone)

    @property
    def _given_exclusions(self) -> tuple[str, ...]:
        return () if self.exclusions_are_settings else self.exclude_prefixes

    def _known_exclusions(self) -> Op[Plan]:
        """Return the plan without the keys that the recorded runs have skipped. One read."""
        return with_recorded_exclusions(self.plan, (yield from read_record(self.keys)).plan)

    def _prefixes(self) -> PrefixChecks:
        return PrefixChecks(self.keys, self.declarations)

    def unused_exclusions(self) -> Op[list[str]]:
        """Return a warning for each exclusion in the settings that concerns no keys. One read, if there are any."""
        if not self.exclusions_are_settings or not self.exclude_prefixes:
            return []
        return (yield from self._prefixes().warnings(self.exclude_prefixes))

    def _require_used_prefixes(self, included: Iterable[str] = ()) -> Op[None]:
        """Raise ConfigurationError if a given exclusion or inclusion concerns no keys. Up to two reads.

        Exclusions in the settings of the project may concern models that are not imported: these are logged.
        """
        for text in (yield from self.unused_exclusions()):
            logger.warning("%s", text)
        yield from self._prefixes().require_used("--exclude-prefix", self._given_exclusions)
        yield from self._prefixes().require_used("--include-prefix", included)

    def stats(self, *, exact: bool = False, batch_size: int = 1_000) -> Op[StatisticsResult]:
        """Count documents and values by kind, and estimate the duration of a run. Reads only.

        Args:
            exact: read every document instead of a sample.

        Raises:
            ConfigurationError: `batch_size` is out of range.
            StateDamagedError: state on the server is missing or damaged.
        """
        require_within("batch_size", batch_size, MAX_BATCH_SIZE)
        yield from require_intact(self.keys)
        plan = yield from self._known_exclusions()
        rng = None if exact else Random()
        counts = yield from statistics(self.context, plan, rng=rng, batch_documents=batch_size)
        return StatisticsResult(counts, (yield from load_checkpoint(self.keys)) is not None)

    def estimate_run(self) -> Op[Statistics]:
        """Estimate the documents and the duration of a run from a sample. Reads only."""
        return (yield from statistics(self.context, self.plan, rng=Random()))

    def preflight(self, options: MigrationOptions) -> Op[Preflight]:
        """Return what a run would do with indexes, and what it should warn of. Reads only.

        Raises:
            ConfigurationError: two models define one index differently.
            MigrationError: a given alias does not point to an index of the models.
            StateDamagedError: state on the server is missing or damaged.
        """
        yield from require_intact(self.keys, exempt=("failures",))
        yield from self._require_used_prefixes(options.include_prefixes)
        record = yield from read_record(self.keys)
        is_elsewhere = yield from is_recorded_without_state(self.keys, record)
        planned = self.planned_indexes()
        if options.aliases:
            yield from require_aliases(options.aliases, planned)
        indexes = yield from estimate_indexes(
            self.context, self.plan, planned, keep_old_index=options.keep_old_index
        )
        statuses = (yield from index_statuses(planned)) if indexes else []
        is_interrupted = (yield from load_checkpoint(self.keys)) is not None
        return Preflight(
            indexes, [one for one in statuses if one.is_superseded], is_elsewhere, is_interrupted
        )

    def dry_run(self, options: MigrationOptions, preflight: Preflight | None = None) -> Op[DryRun]:
        """Read and classify every value, and check whether a run would be refused. Reads only.

        Args:
            preflight: the result of `preflight`, if it is known.

        Raises:
            See `preflight`.
        """
        if preflight is None:
            preflight = yield from self.preflight(options)
        began = self.context.clock()
        find_failures = partial(
            expected_failures, mode=options.failure_mode, transformation=self.context.transformation
        )
        cutovers = yield from cutovers_of_run(self.context, self.plan, self.planned_indexes())
        counts = yield from statistics(
            self.context,
            self.plan,
            rng=None,
            batch_documents=options.batch_size,
            find_failures=find_failures,
            find_blocked=partial(
                blocked_by_conversion,
                cutovers,
                mode=options.failure_mode,
                transformation=self.context.transformation,
            ),
        )
        refusal, unchecked = yield from first_refusal(self._checks_of_run(options, counts))
        # With failure mode `fail`, a run does not reach the cutover.
        stops = options.failure_mode is FailureMode.FAIL and counts.survey.failures.count
        blocked = {} if stops else above_accepted(cutovers, counts.survey.blocked)
        return DryRun(preflight, counts, refusal, unchecked, self.context.clock() - began, blocked)

    def _checks_of_run(
        self, options: MigrationOptions, counts: Statistics
    ) -> Iterator[Callable[[], Op[object] | None]]:
        yield lambda: require_room_aside(self.plan, options.failure_mode)
        yield lambda: require_safe_undo(counts.facts)
        yield lambda: require_recorded_plan(self.context, self.plan, resume=options.resume)
        yield lambda: require_possible_run(
            self.context,
            self.plan,
            self.planned_indexes(),
            options.for_indexes,
            include_prefixes=options.include_prefixes,
        )

    def run(self, options: MigrationOptions) -> Op[MigrationResult]:
        """Convert all values of the models, and cut over their indexes. Queries return every document throughout.

        Raises:
            ConfigurationError, MigrationError: refused before the first write; see `migrate_forward`.
            LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

        Effects: those of `migrate_forward`. Safe to repeat, also after an interruption.
        """
        yield from self._require_used_prefixes(options.include_prefixes)
        planned = self.planned_indexes()
        if options.aliases:
            yield from require_aliases(options.aliases, planned)
        result = yield from migrate_forward(
            self.context.resumed_by(options.command(self._given_exclusions)),
            self.plan,
            options.for_data,
            planned,
            self._index_migration(),
            options.for_indexes,
            expand=options.expand,
            include_prefixes=options.include_prefixes,
        )
        failures = FailureSummary()
        if result.data is not None and result.data.errors:
            failures = yield from FailureLog(self.keys).summary()
        is_complete = result.data is not None and result.data.stopped is None
        absent = (yield from absent_indexes(planned)) if is_complete else []
        yield from require_complete_run(self.keys, result, absent)
        return replace(result, failures=failures, failure_mode=options.failure_mode, absent=absent)

    def verify(self, *, check_data: bool = False, batch_size: int = 1_000) -> Op[VerificationResult]:
        """Read every value again, and look up every document in its index if that is cut over. Reads only.

        Args:
            check_data: also convert every original in the undo log again, and load every document through its model.

        Raises:
            ConfigurationError: `batch_size` is out of range, or two models define one index differently.
            MigrationError: another model with the same key prefix reads its values otherwise.
            StateDamagedError: state on the server is missing or damaged.
        """
        require_within("batch_size", batch_size, MAX_BATCH_SIZE)
        yield from require_intact(self.keys)
        yield from self._require_used_prefixes()
        plan = yield from self._known_exclusions()
        require_same_types(plan, self.context.transformation)
        planned = self.planned_indexes()
        models = ModelReading(self.declarations, self.naive_timezone) if check_data else None
        is_new = (yield from read_record(self.keys)).is_new
        result = yield from verify_all(self.context, plan, planned, models, batch_documents=batch_size)
        if not is_new:
            yield from require_kept(self.keys)
        return result

    def status(self) -> Op[StatusResult]:
        """Return the phase, and which models are applied or pending. Reads only, at most 1,000 documents of a model.

        Raises:
            StateDamagedError: state on the server is missing or damaged.
        """
        yield from require_intact(self.keys)
        plan = yield from self._known_exclusions()
        return (yield from read_full_status(self.context, plan, self.planned_indexes()))

    def blocking(self, refused: Iterable[IndexStatus]) -> Op[dict[str, list[Failure]]]:
        """Return, by index, the first values because of which a cutover is refused. Reads only.

        Args:
            refused: the indexes.
        """
        planned = [one.planned for one in refused]
        return (yield from blocking_now(self.context, self.plan, planned))

    def check_schema(self) -> Op[SchemaResult]:
        """Compare the changing attributes of the active indexes with the models. Reads only, and none of documents.

        Raises:
            ConfigurationError: two models define one index differently.
            UnsupportedServerError: the server has no search module.
            StateDamagedError: state on the server is missing or damaged.
        """
        found = yield from check_schema(self.planned_indexes(), self.plan, self.context.transformation)
        return SchemaResult(found.resume_command, found.phase, found.indexes, found.failures)

    def progress(self) -> Op[RunProgress]:
        """Return the progress of a running or interrupted run or rollback. Some reads, and none of documents.

        Raises:
            StateDamagedError: state on the server is missing or damaged.
        """
        yield from require_intact(self.keys)
        status = yield from read_status(self.keys, self.plan)
        return RunProgress((yield from with_index_lease(status, self.context.is_gone)))

    def failures(self) -> Op[RecordedFailures]:
        """Return the recorded failed values. A read for each 500, and some.

        Raises:
            StateDamagedError: state on the server is missing or damaged.
        """
        yield from require_intact(self.keys)
        failures = yield from FailureLog(self.keys).all()
        for document in (yield from all_unrestored(self.keys)):
            failures += document.failures()
        return RecordedFailures(failures, (yield from read_record(self.keys)).failures_not_kept)

    def preflight_rollback(self) -> Op[Plan | None]:
        """Return the plan of the runs to roll back; None if there are none. Reads only.

        Raises:
            StateDamagedError: state that a rollback needs is missing or damaged.
        """
        yield from require_intact(self.keys, exempt=LISTS)
        return (yield from read_record(self.keys)).plan

    def estimate_rollback(self, plan: Plan) -> Op[RollbackEstimate]:
        """Estimate the documents and the duration of a rollback from a sample. Reads only.

        Args:
            plan: that of the runs to roll back.
        """
        sample = yield from statistics(self.context, plan, rng=Random())
        writes = sum(model.documents * WRITE_TO_READ[model.model.storage] for model in sample.models)
        share = writes / max(1, sample.documents)
        seconds = sample.read_seconds * (READS_PER_RUN + share) * _ROLLBACK_TO_RUN
        return RollbackEstimate(sample.documents, sample.exact, seconds)

    def preview_rollback(self, options: RollbackOptions) -> Op[RollbackResult]:
        """Count the values that a rollback would restore and rewrite now. Reads only.

        Raises:
            MigrationError: a rollback would be refused; see `preview_back`.
        """
        yield from require_intact(self.keys, exempt=LISTS)
        yield from self._require_used_prefixes(options.include_prefixes)
        data = yield from preview_back(self.context, options, exclude_prefixes=self.exclude_prefixes)
        return RollbackResult(data, is_preview=True, migration_id=self.keys.migration_id)

    def rollback(self, options: RollbackOptions) -> Op[RollbackResult]:
        """Undo all runs since the last rollback: restore the original bytes of each value that has not changed since.

        Raises:
            MigrationError: refused before the first write; see `migrate_back`.
            LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

        Effects: those of `migrate_back`. Safe to repeat, also after an interruption.
        """
        yield from self._require_used_prefixes(options.include_prefixes)
        before = yield from read_record(self.keys)
        command = options.command(self.keys.migration_id, self._given_exclusions)
        context = self.context.resumed_by(command)
        result = yield from migrate_back(
            context, self._index_migration(), options, exclude_prefixes=self.exclude_prefixes
        )
        yield from require_complete_rollback(self.keys, before, result)
        if not result.refused:
            return result
        refused = {name: result.indexes[name].coverage for name in result.refused}
        rejected = yield from rejected_by_previous(refused, is_converted=result.data is None)
        return replace(result, rejected=rejected)

    def preflight_clear_progress(self) -> Op[bool]:
        """Return whether there is progress to remove. Reads only.

        Raises:
            StateDamagedError: state other than the progress is missing or damaged.
        """
        yield from require_intact(self.keys, exempt=("checkpoint", *LISTS))
        return (yield from has_progress(self.keys))

    def clear_progress(self) -> Op[bool]:
        """Remove the progress of an interrupted run or rollback: the next one starts from the beginning.

        Returns:
            Whether there was any.

        Raises:
            LeaseHeldError: a run is in progress.
            StateDamagedError: state other than the progress is missing or damaged.

        Effects: see `redstart.migrations.maintenance.clear_progress`. Safe to repeat.
        """
        _ = yield from self.preflight_clear_progress()
        return (yield from clear_progress(self.context))

    def last_copies(self) -> Op[int]:
        """Count the originals of which the undo log has the only copy. Some reads.

        Raises:
            StateDamagedError: a key of the undo log is from another program.
        """
        return (yield from last_copies(self.context))

    def drop_undo_log(self) -> Op[bool]:
        """Drop the undo log and all originals. Converted values can no longer be rolled back.

        Returns:
            Whether there was an undo log.

        Raises:
            LeaseHeldError: a run is in progress.
            MigrationError: a run or rollback was interrupted.
            StateDamagedError: a key of the undo log is from another program.

        Effects: see `redstart.migrations.maintenance.drop_undo_log`. Safe to repeat.
        """
        return (yield from drop_undo_log(self.context, self._index_migration()))

    def has_undo_log(self) -> Op[bool]:
        """Return whether there is an undo log, or other state that `drop_undo_log` removes. Some reads."""
        return (yield from has_undo_log(self.context, has_indexes=(yield from has_search())))

    def held_leases(self) -> Op[list[LeaseState | StateDamagedError]]:
        """Return the leases that `force_unlock` would remove. Some reads."""
        return (yield from held_leases(self.context))

    def has_rollback_work(self) -> Op[bool]:
        """Return whether there is anything to roll back, or a rollback to complete. Some reads."""
        if (yield from read_record(self.keys)).plan is not None:
            return True
        if (yield from load_checkpoint(self.keys)) is not None:
            return True
        return (yield from has_search()) and bool((yield from indexes_to_roll_back(self.context)))

    def force_unlock(self) -> Op[list[LeaseState | StateDamagedError]]:
        """Remove the leases of data, indexes and migration files; their holders stop before the next write.

        Returns, Raises, Effects: see `redstart.migrations.maintenance.force_unlock`.
        """
        return (yield from force_unlock(self.context))
