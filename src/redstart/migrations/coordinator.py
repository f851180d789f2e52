"""A data migration under live queries: prepare indexes, convert data, cut over; and its rollback."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.blocking import blocking_values
from redstart.migrations.context import Context
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.plan import Plan, with_prefixes
from redstart.migrations.data.record import converted_prefixes, read_record
from redstart.migrations.data.rollback import (
    DataRollbackResult,
    begin_rollback,
    require_undoable,
    rollback,
)
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.run import RunOptions, begin_run, require_room_aside, run
from redstart.migrations.excluded_documents import require_excluded_documents_fit
from redstart.migrations.failure import MAX_EXAMPLES, Failure
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome, IndexResult, is_expanded
from redstart.migrations.indexes.lifecycle import IndexState
from redstart.migrations.indexes.migrator import IndexMigration, none_converted
from redstart.migrations.indexes.plan import PlannedIndex, changing_attributes, pending_attributes
from redstart.migrations.indexes.preflight import IndexEstimate, estimate_builds, require_migratable
from redstart.migrations.indexes.state import IndexRecord, read_records
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.integrity import require_intact
from redstart.migrations.key_ownership import require_own_documents
from redstart.migrations.outcomes import MigrationResult, RollbackResult
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
        See `runner.run` and `IndexMigration.run` for others.

    Effects: those of both. Safe to repeat.
    """
    plan = with_prefixes(plan, included=include_prefixes)
    require_room_aside(plan, options.failure_mode)
    yield from require_intact(context.keys, exempt=("failures",))
    concerned = yield from require_possible_run(plan, planned, index_options)
    if concerned and not expand:
        yield from _require_expanded(concerned)
    yield from record_unmanaged_indexes(context, plan, resume=options.resume)
    if concerned:
        # First: who swaps indexes back beside this then sees that the data is about to change.
        yield from begin_run(context, plan, resume=options.resume)
        ready = yield from _made_ready(concerned, indexes, index_options)
        if any(one.outcome is IndexOutcome.REFUSED for one in ready):
            return MigrationResult(None, ready)
        options = replace(options, clearing=(yield from _fields_of_numbers(concerned)))
    data = yield from run(
        context, plan, options, before_reading=partial(_still_ready, concerned, indexes, index_options)
    )
    if data.stopped is not None or not concerned:
        return MigrationResult(data, ready if concerned else [])
    results = yield from indexes.run(
        concerned, partial(converted_prefixes, context.keys, plan.models), index_options
    )
    return MigrationResult(data, results, (yield from blocking(context, plan, results)))


def require_possible_run(
    plan: Plan,
    planned: Sequence[PlannedIndex],
    options: ExpansionOptions,
    *,
    include_prefixes: Collection[str] = (),
) -> Op[list[PlannedIndex]]:
    """Return the indexes whose dates change their type with the data, unless a run is refused for keys or an index.

    Raises:
        MigrationError, UnsafeServerError: see `require_own_documents`, `require_indexes_unaffected`,
            `require_excluded_documents_fit` and `require_migratable`. Nothing was written.
    """
    yield from require_own_documents(with_prefixes(plan, included=include_prefixes))
    if not (yield from has_search()):
        return []
    concerned = yield from indexes_with_dates(planned)
    if not options.accept_unindexed:
        yield from require_indexes_unaffected(plan, planned)
        yield from require_excluded_documents_fit(plan, concerned)
    if concerned:
        _ = yield from require_migratable(concerned, keep_old_index=options.keep_old_index)
    return concerned


def forecast_with_dates(planned: Sequence[PlannedIndex], *, keep_old_index: bool) -> Op[list[IndexEstimate]]:
    """Estimate what `migrate_forward` does with indexes. Reads only."""
    if not (yield from has_search()):
        return []
    return (
        yield from estimate_builds((yield from indexes_with_dates(planned)), keep_old_index=keep_old_index)
    )


def indexes_with_dates(planned: Sequence[PlannedIndex]) -> Op[list[PlannedIndex]]:
    """Return the indexes whose dates change their type with the data. A read for each, and one."""
    records = yield from read_records()
    concerned = []
    for one in planned:
        record = records.get(one.name)
        if record is None:
            found = yield from find_index(one.name)
            changing = () if found is None else changing_attributes(found.index, one)
        else:
            changing = changing_attributes(record.legacy, one)
        if changing:
            concerned.append(one)
    return concerned


def blocking(context: Context, plan: Plan, results: Sequence[IndexResult]) -> Op[dict[str, list[Failure]]]:
    """Return, by index, the values that keep documents out of an index: its cutover was refused, or it is new.

    Effects: a read for each.
    """
    records = yield from read_records()
    found: dict[str, list[Failure]] = {}
    for one in results:
        record = records.get(one.name)  # None where somebody has stepped it back by now
        if (one.is_refused or one.is_incomplete) and one.membership is not None and record is not None:
            keys = one.membership.examples[:BLOCKING_NAMED]
            changing = pending_attributes(record.final, record.changing)
            found[one.name] = yield from blocking_values(
                keys, record.key_prefix, plan, changing, context.transformation
            )
    return found


def _made_ready(
    concerned: Sequence[PlannedIndex], indexes: IndexMigration, options: ExpansionOptions
) -> Op[list[IndexResult]]:
    return (yield from indexes.run(concerned, none_converted, replace(options, data_follows=True)))


def _still_ready(
    concerned: Sequence[PlannedIndex], indexes: IndexMigration, options: ExpansionOptions
) -> Op[None]:
    """Prepare again, now that no rollback can start: one that ended since may have left indexes of text."""
    ready = (yield from _made_ready(concerned, indexes, options)) if concerned else []
    if any(one.outcome is IndexOutcome.REFUSED for one in ready):
        raise MigrationError("Another client changed the indexes during this run.", "Run the command again.")


def _require_expanded(concerned: Sequence[PlannedIndex]) -> Op[None]:
    for one in concerned:
        if not (yield from is_expanded(one)):
            raise MigrationError(
                f"The index {one.name} of {one.model} does not accept converted dates yet, and --no-expand was given.",
                Hint("Prepare it with: ", Command("migrate run")),
            )


def _fields_of_numbers(concerned: Sequence[PlannedIndex]) -> Op[frozenset[tuple[str, str]]]:
    """Return the hash fields that become NUMERIC in an index, by key prefix and name. One read."""
    records: dict[str, IndexRecord] = yield from read_records()
    return frozenset(
        (one.key_prefix, name)
        for one in concerned
        if one.index.storage is Storage.HASH and one.name in records
        for name in pending_attributes(one.index, records[one.name].changing)
    )


def migrate_back(
    context: Context,
    indexes: IndexMigration,
    *,
    exclude_prefixes: Collection[str] = (),
    include_prefixes: Collection[str] = (),
    reformat_preexisting: bool = False,
    accept_unindexed: bool = False,
    batch_documents: int = 1_000,
) -> Op[RollbackResult]:
    """Roll back all runs since the last rollback; queries return every document throughout.

    At the end an index of the old definition is active. If some values have no text format, that index would lose their
    documents, and the dual-format index stays active.

    Args:
        exclude_prefixes, reformat_preexisting, batch_documents: see `rollback`.
        include_prefixes: longer key prefixes whose keys are documents of the models of the runs.
        accept_unindexed: whether unmanaged indexes may lose documents.

    Raises:
        See `rollback`, `require_own_documents`, `require_unmanaged_indexes_unaffected_by_rollback` and
            `IndexMigration.before_undo`.

    Effects: those of both. Safe to repeat.
    """
    yield from require_intact(context.keys, exempt=LISTS)
    yield from require_undoable(context)
    preview = _preview(context, exclude_prefixes, reformat_preexisting, batch_documents)
    yield from _require_possible_rollback(
        context, preview, exclude_prefixes, include_prefixes, accept_unindexed=accept_unindexed
    )
    can_have_indexes = yield from has_search()
    if can_have_indexes:
        # Before data or names change: indexes are only built and compared, and a refusal leaves all as it is.
        names = yield from _names_with_dates(context)
        refused = (yield from indexes.before_undo(names, check_only=True)) if names else []
        if refused:
            return RollbackResult(None, dict(refused))
    # First: an application that starts during the rollback then reads that nothing is converted, and does not cut over.
    yield from begin_rollback(context)
    names = []
    lacking: dict[str, Coverage] = {}
    lacked_before: dict[str, int] = {}
    if can_have_indexes:
        lacked_before = {name: one.missing_before or 0 for name, one in (yield from read_records()).items()}
        names = yield from _names_with_dates(context)
        # Also if there are none: it removes the lease of a program that died.
        before = dict((yield from indexes.before_undo(names)))
        if not all(switched.done for switched in before.values()):
            return RollbackResult(None, before)
        lacking = {
            name: switched.membership
            for name, switched in before.items()
            if switched.membership is not None and switched.membership.missing
        }
    data = yield from rollback(
        context,
        exclude_prefixes=exclude_prefixes,
        reformat_preexisting=reformat_preexisting,
        batch_documents=batch_documents,
    )
    if data.stopped is not None or not names:
        return RollbackResult(data, lacking=lacking, lacked_before=lacked_before)
    after = yield from indexes.after_undo(names)
    return RollbackResult(data, dict(after), lacking, lacked_before)


def preview_back(
    context: Context,
    *,
    exclude_prefixes: Collection[str] = (),
    include_prefixes: Collection[str] = (),
    reformat_preexisting: bool = False,
    accept_unindexed: bool = False,
    batch_documents: int = 1_000,
) -> Op[DataRollbackResult]:
    """Count the values that `migrate_back` would restore and rewrite now. Reads only.

    Args, Raises: see `migrate_back`.
    """
    preview = _preview(context, exclude_prefixes, reformat_preexisting, batch_documents)
    yield from _require_possible_rollback(
        context, preview, exclude_prefixes, include_prefixes, accept_unindexed=accept_unindexed
    )
    return (yield from preview())


def rollback_indexes(
    context: Context, indexes: IndexMigration, *, accept_unindexed: bool = False, drop_created: bool = False
) -> Op[tuple[bool, dict[str, CutoverResult]]]:
    """Roll back indexes only: the step before the rollback of the data, or the step after it.

    Args:
        accept_unindexed, drop_created: see `IndexMigration.rollback`.

    Returns:
        Whether the data is rolled back, and the result for each index.
    """

    def is_undone() -> Op[bool]:
        # A completed rollback leaves no record; `drop-undo-log` does, for the data is still converted.
        return (yield from read_record(context.keys)).is_new

    yield from require_intact(context.keys, exempt=LISTS)
    undone, done = yield from indexes.rollback(
        is_undone, accept_unindexed=accept_unindexed, drop_created=drop_created
    )
    return undone, dict(done)


def _preview(
    context: Context, excluded: Collection[str], reformat_preexisting: bool, batch_documents: int
) -> Callable[[], Op[DataRollbackResult]]:
    return partial(
        preview_rollback,
        context,
        exclude_prefixes=excluded,
        reformat_preexisting=reformat_preexisting,
        batch_documents=batch_documents,
    )


def _require_possible_rollback(
    context: Context,
    preview: Callable[[], Op[DataRollbackResult]],
    excluded: Collection[str],
    included: Collection[str],
    *,
    accept_unindexed: bool,
) -> Op[None]:
    """Raise MigrationError if a rollback would rewrite keys of another model, or drop documents from an index.

    Effects: reads; a pass over the keyspace if `require_unmanaged_indexes_unaffected_by_rollback` needs the preview.
    """
    plan = (yield from read_record(context.keys)).plan
    if plan is None:
        return
    yield from require_own_documents(
        with_prefixes(plan, excluded=excluded, included=included),
        Command("migrate-data rollback", context.keys.migration_id),
    )

    def rewritten() -> Op[int]:
        return (yield from preview()).reformatted

    if not accept_unindexed and (yield from has_search()):
        yield from require_unmanaged_indexes_unaffected_by_rollback(
            context.keys, with_prefixes(plan, excluded=excluded), rewritten
        )


def _names_with_dates(context: Context) -> Op[list[str]]:
    """Return the indexes to roll back: of data to be rolled back, or already rolled back. Two reads."""
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
