"""Rollback under live queries: dual-format indexes, data in text format, then the original indexes."""

from collections.abc import Collection
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.context import Context
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.plan import with_prefixes
from redstart.migrations.data.record import read_record
from redstart.migrations.data.rollback import (
    RollbackResult,
    begin_rollback,
    require_undoable,
    rollback,
)
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.indexes.coverage import Membership
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.preflight import search_is_here
from redstart.migrations.indexes.state import read_records
from redstart.migrations.indexes.switch import Switched
from redstart.migrations.integrity import require_intact
from redstart.migrations.key_ownership import require_own_documents


@dataclass(frozen=True, slots=True)
class Back:
    """What a rollback did.

    Attributes:
        data: None if a dual-format index would have lost documents; then nothing was changed.
        indexes: the result for each index, by name; empty if no index was rolled back, or the data was not.
        lacking: by name, indexes with fewer documents than before the rollback. They were incomplete before the
            migration: `lacked_before` is the number of documents missing then.
    """

    data: RollbackResult | None
    indexes: dict[str, Switched] = field(default_factory=dict)
    lacking: dict[str, Membership] = field(default_factory=dict)
    lacked_before: dict[str, int] = field(default_factory=dict)

    @property
    def lacks_more_than_before(self) -> bool:
        """Return whether more documents are missing from an index than before the migration."""
        return any(one.missing > self.lacked_before[name] for name, one in self.lacking.items())

    @property
    def refused(self) -> list[str]:
        """Return the indexes that could not be rolled back."""
        return [name for name, switched in self.indexes.items() if not switched.done]


def migrate_back(
    context: Context,
    indexes: IndexMigration,
    *,
    exclude_prefixes: Collection[str] = (),
    include_prefixes: Collection[str] = (),
    reformat_preexisting: bool = False,
    batch_documents: int = 1_000,
) -> Op[Back]:
    """Roll back all runs since the last rollback; queries return every document throughout.

    At the end an index of the old definition is active. If some values have no text format, that index would lose their
    documents, and the dual-format index stays active.

    Args:
        exclude_prefixes, reformat_preexisting, batch_documents: see `rollback`.
        include_prefixes: longer key prefixes whose keys are documents of the models of the runs.

    Raises:
        See `rollback`, `require_own_documents` and `IndexMigration.before_undo`.

    Effects: those of both. Safe to repeat.
    """
    yield from require_intact(context.keys, exempt=LISTS)
    yield from require_undoable(context)
    yield from _require_own_documents(context, exclude_prefixes, include_prefixes)
    has_search = yield from search_is_here()
    if has_search:
        # Before data or names change: indexes are only built and compared, and a refusal leaves all as it is.
        names = yield from _names_with_dates(context)
        refused = (yield from indexes.before_undo(names, check_only=True)) if names else []
        if refused:
            return Back(None, dict(refused))
    # Then: whoever brings indexes forward beside this, as an application that starts does, sees that nothing is
    # converted, and does not cut over under the undo.
    yield from begin_rollback(context)
    names = []
    lacking: dict[str, Membership] = {}
    lacked_before: dict[str, int] = {}
    if has_search:
        lacked_before = {name: one.unserved or 0 for name, one in (yield from read_records()).items()}
        names = yield from _names_with_dates(context)
        # Also without any: what a program that died left of the lease goes.
        before = dict((yield from indexes.before_undo(names)))
        if not all(switched.done for switched in before.values()):
            return Back(None, before)
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
        return Back(data, lacking=lacking, lacked_before=lacked_before)
    after = yield from indexes.after_undo(names)
    return Back(data, dict(after), lacking, lacked_before)


def preview_back(
    context: Context,
    *,
    exclude_prefixes: Collection[str] = (),
    include_prefixes: Collection[str] = (),
    reformat_preexisting: bool = False,
    batch_documents: int = 1_000,
) -> Op[RollbackResult]:
    """Count the values that `migrate_back` would restore and rewrite now. Reads only.

    Args, Raises: see `migrate_back`.
    """
    yield from _require_own_documents(context, exclude_prefixes, include_prefixes)
    return (
        yield from preview_rollback(
            context,
            exclude_prefixes=exclude_prefixes,
            reformat_preexisting=reformat_preexisting,
            batch_documents=batch_documents,
        )
    )


def rollback_indexes(
    context: Context, indexes: IndexMigration, *, accept_unindexed: bool = False, drop_created: bool = False
) -> Op[tuple[bool, dict[str, Switched]]]:
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


def _require_own_documents(
    context: Context, excluded: Collection[str], included: Collection[str]
) -> Op[None]:
    """Raise MigrationError if another model or index has keys that the rollback would rewrite as documents of a run."""
    plan = (yield from read_record(context.keys)).plan
    if plan is not None:
        yield from require_own_documents(
            with_prefixes(plan, excluded=excluded, included=included),
            f"om migrate-data rollback {context.keys.migration_id}",
        )


def _names_with_dates(context: Context) -> Op[list[str]]:
    """Return the indexes to roll back: of data to be rolled back, or already rolled back. Two reads."""
    data = yield from read_record(context.keys)
    records = (yield from read_records()).values()
    if data.plan is None:  # `drop-undo-log` leaves the number of the run: what it converted stays
        return [record.name for record in records if record.stepping_back and data.generation == 0]
    prefixes = {model.key_prefix for model in data.plan.models}
    return [record.name for record in records if record.moving and record.key_prefix in prefixes]
