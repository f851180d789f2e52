"""The way back under live queries: indexes that accept both forms, data undone, the old definitions again."""

from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.data.running.context import Context
from redstart.migrations.data.state.record import read_record
from redstart.migrations.data.undoing.rollback import RollbackResult, begin_rollback, rollback
from redstart.migrations.indexes.migrate import IndexMigration
from redstart.migrations.indexes.preflight import search_is_here
from redstart.migrations.indexes.records import read_records
from redstart.migrations.indexes.switch import Switched


@dataclass(frozen=True, slots=True)
class Back:
    """What a rollback did.

    Attributes:
        data: None when an index that accepts both forms would have lost documents; then none was touched.
        indexes: what became of each index, by name; empty where none was to be stepped back, or the data is not undone.
    """

    data: RollbackResult | None
    indexes: dict[str, Switched] = field(default_factory=dict)

    @property
    def refused(self) -> list[str]:
        """The indexes that could not be switched."""
        return [name for name, switched in self.indexes.items() if not switched.done]


def migrate_back(
    context: Context,
    indexes: IndexMigration,
    *,
    numbers_of_before_too: bool = False,
    batch_documents: int = 1_000,
) -> Op[Back]:
    """Undo all runs since the last rollback, with indexes that serve all the way.

    At the end an index of the old definition serves. Where values have no old form, it would lose their documents:
    then the index that takes both forms goes on.

    Args:
        numbers_of_before_too, batch_documents: see `rollback`.

    Raises:
        See `rollback` and `IndexMigration.before_undo`.

    Effects: those of both. Safe to repeat.
    """
    # First: whoever brings indexes forward beside this, as an application that starts does, then sees that nothing
    # is converted, and does not cut over under the undo.
    yield from begin_rollback(context)
    names: list[str] = []
    if (yield from search_is_here()):
        names = yield from _names_with_dates(context)
        # Also without any: what a program that died left of the lease goes.
        before = dict((yield from indexes.before_undo(names)))
        if not all(switched.done for switched in before.values()):
            return Back(None, before)
    data = yield from rollback(
        context, numbers_of_before_too=numbers_of_before_too, batch_documents=batch_documents
    )
    if data.stopped is not None or not names:
        return Back(data)
    after = yield from indexes.after_undo(names)
    return Back(data, dict(after))


def swap_back(
    context: Context, indexes: IndexMigration, *, accept_unindexed: bool = False
) -> Op[tuple[bool, dict[str, Switched]]]:
    """The steps of the way back that are about indexes, by hand: those before the data is undone, or those after it.

    Args:
        accept_unindexed: also where documents that are found now would not be found.

    Returns:
        Whether the data is undone, and what became of each index.
    """

    def is_undone() -> Op[bool]:
        # A completed rollback leaves no record; `forget` does, for the data is still converted.
        return (yield from read_record(context.keys)).is_new

    undone, done = yield from indexes.swap_back(is_undone, accept_unindexed=accept_unindexed)
    return undone, dict(done)


def _names_with_dates(context: Context) -> Op[list[str]]:
    """The indexes to step back: those of the data that is to be undone, or that was and they are not. Two reads."""
    data = yield from read_record(context.keys)
    records = (yield from read_records()).values()
    if data.plan is None:  # `forget` leaves the number of the run: what it converted stays
        return [record.name for record in records if record.stepping_back and data.generation == 0]
    prefixes = {model.key_prefix for model in data.plan.models}
    return [record.name for record in records if record.moving and record.key_prefix in prefixes]
