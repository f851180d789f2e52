"""Indexes brought up to date by an application that starts, perhaps many times at once."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.mapping.declaration import ModelDeclaration
from redstart.migrations.data.planned.plan import plan_for_indexes
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.state.damage import LISTS
from redstart.migrations.data.state.keys import StateKeys
from redstart.migrations.data.state.record import converted_prefixes
from redstart.migrations.indexes.expand import ExpansionOptions, IndexState
from redstart.migrations.indexes.migrate import IndexMigration
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes
from redstart.migrations.indexes.preflight import require_search
from redstart.migrations.indexes.status import IndexStatus, Standing, index_statuses
from redstart.migrations.integrity import require_intact
from redstart.migrations.lease import when_it_is_free


def planned_at_start(declarations: Iterable[ModelDeclaration]) -> list[PlannedIndex]:
    """The indexes of some models; of several for one name, that of the model declared last."""
    # Functions of tests declare a class of one name each.
    return list({one.name: one for one in planned_indexes(declarations)}.values())


def bring_up_to_date(
    declarations: Sequence[ModelDeclaration], migration: Callable[[], IndexMigration]
) -> Op[list[IndexStatus]]:
    """Do what `om migrate run` does: create what is missing, replace what differs, as far as the data allows.

    An index that has more than its model needs, or has replaced the definition that the model asks for, is left: a
    newer version of the application may be running beside this one. Where another process is changing indexes, wait
    for it and look again.

    Args:
        declarations: the models of one server.
        migration: makes the index migrations of this process.

    Returns:
        The indexes that were left.

    Raises:
        MigrationError: an index was not replaced, for documents that are found now would not be found.
        See `IndexMigration.run` for others.

    Effects: a read for each index, and some, where all are as they should be; else those of `IndexMigration.run`.
        Safe to repeat.
    """
    planned = planned_at_start(declarations)
    if not planned:
        return []
    yield from require_search()
    models = plan_for_indexes(declarations, "UTC").models
    keys = StateKeys(DATETIME_MIGRATION)

    def look_and_run() -> Op[list[IndexStatus]]:
        statuses = yield from index_statuses(planned)
        left = [one for one in statuses if one.is_newer]
        if all(one.standing is Standing.UP_TO_DATE or one.is_newer for one in statuses):
            return left
        yield from require_intact(keys, exempt=LISTS)
        results = yield from migration().run(
            planned,
            partial(converted_prefixes, keys, models),
            ExpansionOptions(keep_newer=True, one_by_one=True),
        )
        refused = [one.name for one in results if one.state is IndexState.REFUSED]
        if refused:
            raise MigrationError(
                f"Not replaced: {', '.join(refused)}. Documents that are found now would not be found.",
                "See which, and the ways on, with: om migrate run",
            )
        return left

    return (yield from when_it_is_free(look_and_run))
