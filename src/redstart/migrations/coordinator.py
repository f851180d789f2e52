"""A data migration under live queries: prepare indexes, convert data, cut over; and its rollback."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.blocking import blocking_values
from redstart.migrations.context import Context
from redstart.migrations.data.damage import LISTS, require_undoable
from redstart.migrations.data.plan import Plan, with_index_attributes, with_prefixes
from redstart.migrations.data.record import converted_prefixes, read_record
from redstart.migrations.data.results import DataRollbackResult, RunOptions
from redstart.migrations.data.rollback import begin_rollback, rollback
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.run import begin_run, require_room_aside, run
from redstart.migrations.failure import MAX_EXAMPLES, Failure
from redstart.migrations.indexes.build import find_built, find_index
from redstart.migrations.indexes.coverage import Coverage, check_coverage, keep_nothing
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome, IndexResult, is_expanded
from redstart.migrations.indexes.migrator import IndexMigration, none_converted
from redstart.migrations.indexes.plan import PlannedIndex, changing_attributes, pending_attributes
from redstart.migrations.indexes.preflight import IndexEstimate, estimate_builds, require_migratable
from redstart.migrations.indexes.state import IndexRecord, IndexState, read_records
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.integrity import require_intact
from redstart.migrations.key_ownership import require_excluded_documents_fit, require_own_documents
from redstart.migrations.options import RollbackOptions
from redstart.migrations.run_results import MigrationResult, RollbackResult
from redstart.migrations.server_checks import has_search
from redstart.migrations.unmanaged_indexes import (
    record_unmanaged_indexes,
    require_indexes_unaffected,
    require_unmanaged_indexes_unaffected_by_rollback,
)
from redstart.next_steps import Command, Hint
from redstart.values.types import Storage

BLOCKING_NAMED = MAX_EXAMPLES
"""Documents of each index that are read to find blocking values; all of them are counted."""


def migrate_forward(
    context: Context,
    plan: Plan,
    options: RunOptions,
    planned: Sequence[PlannedIndex],
    indexes: IndexMigration,
    index_options: ExpansionOptions,
    *,
    expand: bool = True,
    include_prefixes: Collection[str] = (),
) -> Op[MigrationResult]:
    """Convert every planned value; queries return every document throughout.

    Existing indexes are prepared first, and cut over when every document is converted. Without an index or a search
    module only the data is converted.

    Args:
        expand: False to fail if an index is not ready, instead of preparing it.
        include_prefixes: longer key prefixes whose keys are documents of the planned models.

    Raises:
        MigrationError: an index is not ready, and `expand` is False; or an unmanaged index would lose documents; or see
            `require_migratable`. Nothing was written.
        See `run` of `data.run` and `IndexMigration.run` for others.

    Effects: those of both. Safe to repeat.
    """
    plan = with_prefixes(plan, included=include_prefixes)
    require_room_aside(plan, options.failure_mode)
    yield from require_intact(context.keys, exempt=("failures",))
    concerned = yield from require_possible_run(context, plan, planned, index_options)
    if concerned and not expand:
        yield from _require_expanded(concerned, context.transformation.texts.values)
    yield from record_unmanaged_indexes(context, plan, resume=options.resume)
    if concerned:
        # First, so that a concurrent rollback of indexes sees that the data is about to change.
        yield from begin_run(context, plan, resume=options.resume)
        ready = yield from _prepare_indexes(concerned, indexes, index_options)
        if any(result.outcome is IndexOutcome.REFUSED for result in ready):
            return MigrationResult(None, ready)
        options = replace(options, clearing=(yield from _numeric_hash_fields(concerned)))
    data = yield from run(
        context,
        plan,
        options,
        before_reading=partial(_prepare_indexes_again, concerned, indexes, index_options),
    )
    if data.stopped is not None or not concerned:
        return MigrationResult(data, ready if concerned else [])
    results = yield from indexes.run(
        concerned, partial(converted_prefixes, context.keys, plan.models), index_options
    )
    return MigrationResult(data, results, (yield from blocking(context, plan, results)))


def require_possible_run(
    context: Context,
    plan: Plan,
    planned: Sequence[PlannedIndex],
    options: ExpansionOptions,
    *,
    include_prefixes: Collection[str] = (),
) -> Op[list[PlannedIndex]]:
    """Return the indexes with changing attributes, unless a run is refused for keys or an index.

    Raises:
        MigrationError, UnsafeServerError: see `require_own_documents`, `require_indexes_unaffected`,
            `require_excluded_documents_fit` and `require_migratable`. Nothing was written.

    Effects: those of the checks, of which only `require_migratable` sends scripts, which leave nothing behind.
    """
    yield from require_own_documents(with_prefixes(plan, included=include_prefixes), context.transformation)
    if not (yield from has_search()):
        return []
    changing = with_index_attributes(plan, context.transformation)
    concerned = yield from changing_indexes(planned, changing)
    if not options.accept_unindexed:
        yield from require_indexes_unaffected(plan, planned, context.transformation)
        yield from require_excluded_documents_fit(plan, concerned, context.transformation)
    if concerned:
        _ = yield from require_migratable(concerned, keep_old_index=options.keep_old_index)
    return concerned


def estimate_indexes(
    context: Context, plan: Plan, planned: Sequence[PlannedIndex], *, keep_old_index: bool
) -> Op[list[IndexEstimate]]:
    """Estimate what `migrate_forward` does with indexes. Reads only."""
    if not (yield from has_search()):
        return []
    changing = with_index_attributes(plan, context.transformation)
    concerned = yield from changing_indexes(planned, changing)
    return (yield from estimate_builds(concerned, keep_old_index=keep_old_index))


def changing_indexes(planned: Sequence[PlannedIndex], plan: Plan) -> Op[list[PlannedIndex]]:
    """Return the indexes with attributes that change their type with the data. A read for each, and one.

    Args:
        plan: the part of the plan that changes index attributes.
    """
    prefixes = {model.key_prefix for model in plan.models}
    records = yield from read_records()
    concerned = []
    for index in planned:
        if index.key_prefix not in prefixes:
            continue
        record = records.get(index.name)
        if record is None:
            active = yield from find_index(index.name)
            changing = () if active is None else changing_attributes(active.index, index)
        else:
            changing = changing_attributes(record.legacy, index)
        if changing:
            concerned.append(index)
    return concerned


def blocking(context: Context, plan: Plan, results: Sequence[IndexResult]) -> Op[dict[str, list[Failure]]]:
    """Return, by index, the values that keep documents out of an index: its cutover was refused, or it is new.

    Effects: a read for each.
    """
    records = yield from read_records()
    values: dict[str, list[Failure]] = {}
    for result in results:
        record = records.get(result.name)  # None if another client has rolled it back since
        if (result.is_refused or result.is_incomplete) and result.coverage is not None and record is not None:
            keys = result.coverage.examples[:BLOCKING_NAMED]
            changing = pending_attributes(record.final, record.changing)
            values[result.name] = yield from blocking_values(
                keys, record.key_prefix, plan, changing, context.transformation, record.final
            )
    return values


def blocking_now(
    context: Context, plan: Plan, planned: Sequence[PlannedIndex]
) -> Op[dict[str, list[Failure]]]:
    """Return, by index, the values for which a cutover would be refused now. Reads only, some for each 1,000 keys.

    Args:
        planned: of converted data.
    """
    records = yield from read_records()
    results = []
    for one in planned:
        result = yield from check_built(one, records.get(one.name))
        if result is not None:
            results.append(result)
    return (yield from blocking(context, plan, results))


def check_built(planned: PlannedIndex, record: IndexRecord | None) -> Op[IndexResult | None]:
    """Return the result of a cutover that would be refused now; None if the new index is not complete, or is active.

    Effects: reads only, some for each 1,000 keys.
    """
    if record is None or record.is_cut_over:
        return None
    name, built = yield from find_built(planned.name, planned.index)
    if built is None or built.indexing:
        return None
    coverage = yield from check_coverage(keep_nothing, name, planned.name, record)
    return IndexResult(planned.name, planned.model, IndexOutcome.REFUSED, coverage)


def _prepare_indexes(
    concerned: Sequence[PlannedIndex], indexes: IndexMigration, options: ExpansionOptions
) -> Op[list[IndexResult]]:
    return (yield from indexes.run(concerned, none_converted, replace(options, data_follows=True)))


def _prepare_indexes_again(
    concerned: Sequence[PlannedIndex], indexes: IndexMigration, options: ExpansionOptions
) -> Op[None]:
    """Prepare the indexes under the lease of the data: a rollback that ended since may have left indexes of text."""
    ready = (yield from _prepare_indexes(concerned, indexes, options)) if concerned else []
    if any(result.outcome is IndexOutcome.REFUSED for result in ready):
        raise MigrationError(
            "Another client changed the indexes during this run. No document was changed.",
            "Run the same command again.",
        )


def _require_expanded(concerned: Sequence[PlannedIndex], values: str) -> Op[None]:
    for index in concerned:
        if not (yield from is_expanded(index)):
            raise MigrationError(
                f"The index {index.name} of {index.model} does not accept converted {values} yet, and --no-expand was "
                "given.",
                Hint("Prepare it with: ", Command("migrate run")),
            )


def _numeric_hash_fields(concerned: Sequence[PlannedIndex]) -> Op[frozenset[tuple[str, str]]]:
    """Return the hash fields that become NUMERIC in an index, by key prefix and name. One read."""
    records: dict[str, IndexRecord] = yield from read_records()
    return frozenset(
        (index.key_prefix, name)
        for index in concerned
        if index.index.storage is Storage.HASH and index.name in records
        for name in pending_attributes(index.index, records[index.name].changing)
    )


def migrate_back(
    context: Context,
    indexes: IndexMigration,
    options: RollbackOptions,
    *,
    exclude_prefixes: Collection[str] = (),
) -> Op[RollbackResult]:
    """Roll back all runs since the last rollback; queries return every document throughout.

    At the end an index of the old definition is active. If some values are not reversible, that index would lose their
    documents, and the dual-format index stays active.

    Args:
        exclude_prefixes: see `rollback`.

    Raises:
        See `rollback`, `require_possible_rollback` and `IndexMigration.before_undo`.

    Effects: those of both. Safe to repeat.
    """
    migration_id = context.keys.migration_id
    yield from require_intact(context.keys, exempt=LISTS)
    yield from require_undoable(context)
    yield from require_possible_rollback(context, options, exclude_prefixes=exclude_prefixes)
    can_have_indexes = yield from has_search()
    if can_have_indexes:
        # Before data or names change: indexes are only built and compared, and a refusal leaves all as it is.
        names = yield from indexes_to_roll_back(context)
        refused = (yield from indexes.before_undo(names, check_only=True)) if names else []
        if refused:
            return RollbackResult(None, dict(refused), migration_id=migration_id)
    # First: an application that starts during the rollback then reads that nothing is converted, and does not cut over.
    yield from begin_rollback(context)
    before = (yield from _switch_indexes(context, indexes)) if can_have_indexes else _SwitchedIndexes()
    if not all(switched.done for switched in before.results.values()):
        return RollbackResult(None, before.results, migration_id=migration_id)
    data = yield from rollback(
        context,
        exclude_prefixes=exclude_prefixes,
        reformat_preexisting=options.reformat_preexisting,
        batch_documents=options.batch_size,
    )
    result = RollbackResult(
        data, lacking=before.lacking, lacked_before=before.lacked_before, migration_id=migration_id
    )
    if data.stopped is not None or not before.names:
        return result
    return replace(result, indexes=dict((yield from indexes.after_undo(before.names))))


@dataclass(frozen=True, slots=True)
class _SwitchedIndexes:
    """The indexes that were switched to dual-format ones, before a rollback of the data.

    Attributes:
        names: of all indexes to roll back.
        results: of the switch, by name.
        lacking, lacked_before: see RollbackResult.
    """

    names: Sequence[str] = ()
    results: dict[str, CutoverResult] = field(default_factory=dict)
    lacking: dict[str, Coverage] = field(default_factory=dict)
    lacked_before: dict[str, int] = field(default_factory=dict)


def _switch_indexes(context: Context, indexes: IndexMigration) -> Op[_SwitchedIndexes]:
    lacked_before = {name: record.missing_before or 0 for name, record in (yield from read_records()).items()}
    names = yield from indexes_to_roll_back(context)
    # Also if there are none: it removes the lease of a program that died.
    results = dict((yield from indexes.before_undo(names)))
    lacking = {
        name: switched.coverage
        for name, switched in results.items()
        if switched.coverage is not None and switched.coverage.missing
    }
    return _SwitchedIndexes(names, results, lacking, lacked_before)


def preview_back(
    context: Context, options: RollbackOptions, *, exclude_prefixes: Collection[str] = ()
) -> Op[DataRollbackResult]:
    """Count the values that `migrate_back` would restore and rewrite now. Reads only.

    Args, Raises: see `migrate_back`.
    """
    yield from require_possible_rollback(context, options, exclude_prefixes=exclude_prefixes)
    return (yield from _preview(context, options, exclude_prefixes))


def _preview(
    context: Context, options: RollbackOptions, exclude_prefixes: Collection[str]
) -> Op[DataRollbackResult]:
    return (
        yield from preview_rollback(
            context,
            exclude_prefixes=exclude_prefixes,
            reformat_preexisting=options.reformat_preexisting,
            batch_documents=options.batch_size,
        )
    )


def require_possible_rollback(
    context: Context, options: RollbackOptions, *, exclude_prefixes: Collection[str]
) -> Op[None]:
    """Raise MigrationError if a rollback is refused for keys, or for an unmanaged index that would lose documents.

    Raises:
        MigrationError: see `require_own_documents` and `require_unmanaged_indexes_unaffected_by_rollback`. Nothing was
            written.

    Effects: reads; a pass over the keyspace if `require_unmanaged_indexes_unaffected_by_rollback` needs the preview.
    """
    plan = (yield from read_record(context.keys)).plan
    if plan is None:
        return
    plan = with_prefixes(plan, excluded=exclude_prefixes, included=options.include_prefixes)
    command = Command("migrate-data rollback", context.keys.migration_id)
    yield from require_own_documents(plan, context.transformation, command)
    if not options.accept_unindexed and (yield from has_search()):

        def rewritten() -> Op[int]:
            return (yield from _preview(context, options, exclude_prefixes)).reformatted

        yield from require_unmanaged_indexes_unaffected_by_rollback(context, plan, rewritten)


def rollback_indexes(
    context: Context, indexes: IndexMigration, *, accept_unindexed: bool = False, drop_created: bool = False
) -> Op[tuple[bool, dict[str, CutoverResult]]]:
    """Roll back indexes only: the step before the rollback of the data, or the step after it.

    Args:
        accept_unindexed, drop_created: see `IndexMigration.rollback`.

    Returns:
        Whether the data is rolled back, and the result for each index.

    Effects: see `IndexMigration.rollback`. Safe to repeat.
    """

    def is_undone() -> Op[bool]:
        # A completed rollback leaves no record; `drop-undo-log` does, for the data is still converted.
        return (yield from read_record(context.keys)).is_new

    yield from require_intact(context.keys, exempt=LISTS)
    undone, done = yield from indexes.rollback(
        is_undone, accept_unindexed=accept_unindexed, drop_created=drop_created
    )
    return undone, dict(done)


def indexes_to_roll_back(context: Context) -> Op[list[str]]:
    """Return the indexes to roll back: of data to be rolled back, or already rolled back. Two reads."""
    if not context.transformation.changes_indexes:
        return []
    data = yield from read_record(context.keys)
    records = (yield from read_records()).values()
    if data.plan is None:  # `drop-undo-log` leaves the number of the run: what it converted stays
        return [
            record.name
            for record in records
            if record.state is IndexState.ROLLING_BACK and data.generation == 0
        ]
    prefixes = {model.key_prefix for model in data.plan.models}
    return [record.name for record in records if record.changing and record.key_prefix in prefixes]
