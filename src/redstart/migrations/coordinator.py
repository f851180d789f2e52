"""A data migration under live queries: prepare indexes, convert data, cut over."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.blocking import blocking_values
from redstart.migrations.context import Context
from redstart.migrations.data.converting.beginning import begin_run, require_room_aside
from redstart.migrations.data.failures import Failure
from redstart.migrations.data.plan import Plan, with_prefixes
from redstart.migrations.data.record import converted_prefixes
from redstart.migrations.data.run import RunOptions, RunResult, run
from redstart.migrations.excluded_documents import require_excluded_documents_fit
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.expand import ExpansionOptions, IndexResult, IndexState, is_expanded
from redstart.migrations.indexes.filters import require_no_filters_on_dates
from redstart.migrations.indexes.forecast import IndexForecast, forecast
from redstart.migrations.indexes.migrator import IndexMigration, none_converted
from redstart.migrations.indexes.plan import PlannedIndex, awaited_attributes, moving_attributes
from redstart.migrations.indexes.preflight import require_possible, search_is_here
from redstart.migrations.indexes.state import IndexRecord, read_records
from redstart.migrations.integrity import require_intact
from redstart.migrations.key_ownership import require_own_documents
from redstart.migrations.unmanaged_indexes import require_no_losses
from redstart.values.types import Storage

BLOCKING_NAMED = 20
"""Documents of each index that are read to find blocking values; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Forward:
    """What a migration did.

    Attributes:
        data: None if an index could not be prepared; then no document was changed.
        indexes: the result for each index with dates.
        blocking: by index, the first values that keep documents out of one whose cutover was refused.
    """

    data: RunResult | None
    indexes: list[IndexResult] = field(default_factory=list)
    blocking: dict[str, list[Failure]] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Return whether a cutover was refused."""
        return any(one.state is IndexState.REFUSED for one in self.indexes)


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
) -> Op[Forward]:
    """Convert every planned value; queries return every document throughout.

    Existing indexes are prepared first, and cut over when every document is converted. Without an index or a search
    module only the data is converted.

    Args:
        expand: False to fail if an index is not ready, instead of preparing it.
        include_prefixes: longer key prefixes whose keys are documents of the planned models.

    Raises:
        MigrationError: an index is not ready, and `expand` is False; or an unmanaged index would lose documents; or see
            `require_possible`. Nothing was written.
        See `runner.run` and `IndexMigration.run` for others.

    Effects: those of both. Safe to repeat.
    """
    plan = with_prefixes(plan, included=include_prefixes)
    require_room_aside(plan, options.failure_mode)
    yield from require_intact(context.keys, exempt=("failures",))
    concerned = yield from require_possible_run(plan, planned, index_options)
    if concerned and not expand:
        yield from _require_expanded(concerned)
    if concerned:
        # First: who swaps indexes back beside this then sees that the data is about to change.
        yield from begin_run(context, plan, resume=options.resume)
        ready = yield from _made_ready(concerned, indexes, index_options)
        if any(one.state is IndexState.REFUSED for one in ready):
            return Forward(None, ready)
        options = replace(options, clearing=(yield from _fields_of_numbers(concerned)))
    data = yield from run(
        context, plan, options, before_reading=partial(_still_ready, concerned, indexes, index_options)
    )
    if data.stopped is not None or not concerned:
        return Forward(data, ready if concerned else [])
    results = yield from indexes.run(
        concerned, partial(converted_prefixes, context.keys, plan.models), index_options
    )
    return Forward(data, results, (yield from blocking(context, plan, results)))


def require_possible_run(
    plan: Plan,
    planned: Sequence[PlannedIndex],
    options: ExpansionOptions,
    *,
    include_prefixes: Collection[str] = (),
) -> Op[list[PlannedIndex]]:
    """Return the indexes whose dates change their type with the data, unless a run is refused for keys or an index.

    Raises:
        MigrationError, UnsafeServerError: see `require_own_documents`, `require_no_losses`,
            `require_no_filters_on_dates`, `require_excluded_documents_fit` and `require_possible`. Nothing was written.
    """
    yield from require_own_documents(with_prefixes(plan, included=include_prefixes))
    if not (yield from search_is_here()):
        return []
    concerned = yield from indexes_with_dates(planned)
    if not options.accept_unindexed:
        yield from require_no_losses(plan, planned)
        yield from require_no_filters_on_dates(plan)
        yield from require_excluded_documents_fit(plan, concerned)
    if concerned:
        _ = yield from require_possible(concerned, keep_old_index=options.keep_old_index)
    return concerned


def forecast_with_dates(planned: Sequence[PlannedIndex], *, keep_old_index: bool) -> Op[list[IndexForecast]]:
    """Estimate what `migrate_forward` does with indexes. Reads only."""
    if not (yield from search_is_here()):
        return []
    return (yield from forecast((yield from indexes_with_dates(planned)), keep_old_index=keep_old_index))


def indexes_with_dates(planned: Sequence[PlannedIndex]) -> Op[list[PlannedIndex]]:
    """Return the indexes whose dates change their type with the data. A read for each, and one."""
    records = yield from read_records()
    concerned = []
    for one in planned:
        record = records.get(one.name)
        if record is None:
            found = yield from find_index(one.name)
            moving = () if found is None else moving_attributes(found.index, one)
        else:
            moving = moving_attributes(record.legacy, one)
        if moving:
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
            moving = awaited_attributes(record.final, record.moving)
            found[one.name] = yield from blocking_values(
                keys, record.key_prefix, plan, moving, context.naive_timezone
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
    if any(one.state is IndexState.REFUSED for one in ready):
        raise MigrationError("Another client changed the indexes during this run.", "Run the command again.")


def _require_expanded(concerned: Sequence[PlannedIndex]) -> Op[None]:
    for one in concerned:
        if not (yield from is_expanded(one)):
            raise MigrationError(
                f"The index {one.name} of {one.model} does not accept converted dates yet, and --no-expand was given.",
                "Prepare it with: om migrate run",
            )


def _fields_of_numbers(concerned: Sequence[PlannedIndex]) -> Op[frozenset[tuple[str, str]]]:
    """Return the hash fields that become NUMERIC in an index, by key prefix and name. One read."""
    records: dict[str, IndexRecord] = yield from read_records()
    return frozenset(
        (one.key_prefix, name)
        for one in concerned
        if one.index.storage is Storage.HASH and one.name in records
        for name in awaited_attributes(one.index, records[one.name].moving)
    )
