"""Index migrations at the start of an application, which may run in many processes at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from redstart.commands.keyspace import get
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.plan import plan_for_indexes
from redstart.migrations.data.record import converted_prefixes
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes
from redstart.migrations.indexes.state import hash_key
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus, index_statuses
from redstart.migrations.integrity import require_intact
from redstart.migrations.lease import retry_while_locked
from redstart.migrations.phase import MIGRATE_INDEXES
from redstart.migrations.server_checks import require_search
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Hint


def planned_at_start(declarations: Iterable[ModelDeclaration]) -> list[PlannedIndex]:
    """Return the indexes of some models; of several with one name, that of the model declared last."""
    # Functions of tests declare a class of one name each.
    return list({index.name: index for index in planned_indexes(declarations)}.values())


def bring_up_to_date(
    declarations: Sequence[ModelDeclaration],
    transformation: Transformation,
    migration: Callable[[], IndexMigration],
) -> Op[list[IndexStatus]]:
    """Do what `om migrate run` does: create missing indexes and replace outdated ones, as far as the data allows.

    An index with more than its model requires, or with a later definition, is kept: a newer version of the application
    may be running. If another process is changing indexes, wait for it and start again.

    Args:
        declarations: the models of one server.
        transformation: the data migration that converts the values of changing attributes.
        migration: makes the index migrations of this process.

    Returns:
        The indexes that were kept.

    Raises:
        MigrationError: an index was not replaced, because documents would drop out of query results.
        See `IndexMigration.run` for others.

    Effects: a read for each index, and some, if all are up to date; else those of `IndexMigration.run`.
        Safe to repeat.
    """
    planned = planned_at_start(declarations)
    if not planned:
        return []
    yield from require_search()
    models = plan_for_indexes(declarations, transformation).models
    keys = StateKeys(transformation.migration_id)

    def check_and_migrate() -> Op[list[IndexStatus]]:
        statuses = yield from index_statuses(planned)
        left = [status for status in statuses if status.is_newer]
        if all(status.active is ActiveIndex.UP_TO_DATE or status.is_newer for status in statuses):
            return left
        yield from require_intact(keys, exempt=LISTS)
        results = yield from migration().run(
            planned,
            partial(converted_prefixes, keys, models),
            ExpansionOptions(keep_newer=True, one_by_one=True),
        )
        refused = [result.name for result in results if result.outcome is IndexOutcome.REFUSED]
        if refused:
            raise MigrationError(
                f"Indexes were not replaced: {', '.join(refused)}. Documents would drop out of query results.",
                Hint("List these documents and your options with: ", MIGRATE_INDEXES),
            )
        return left

    return (yield from retry_while_locked(check_and_migrate))


class MigrationAction(Enum):
    """The change of an index."""

    CREATE = 2
    DROP = 1


@dataclass(frozen=True, slots=True)
class PendingIndex:
    """One index that differs from its model.

    Attributes:
        schema: the schema text of redis-om for the model, and `hash` its sha1.
        conn: the client of its server.
        previous_hash: the hash stored for the active index; None if redis-om never stored one.
    """

    model_name: str
    index_name: str
    schema: str
    hash: str
    action: MigrationAction
    conn: Any
    previous_hash: str | None = None


def pending_indexes(declarations: Sequence[ModelDeclaration], conn: Any) -> Op[list[PendingIndex]]:
    """Return the indexes of some models that are missing or differ from the models.

    Raises:
        UnsupportedServerError: the server has no search module.

    Effects: a read for each index, and one more for each that is pending.
    """
    yield from require_search()
    pending: list[PendingIndex] = []
    for status in (yield from index_statuses(planned_at_start(declarations))):
        if status.active is ActiveIndex.UP_TO_DATE or status.is_newer:
            continue
        planned, stored = status.planned, (yield from call(get(hash_key(status.planned.name))))
        actions = [MigrationAction.CREATE]
        if status.active is not ActiveIndex.ABSENT:
            actions.insert(0, MigrationAction.DROP)
        pending += [
            PendingIndex(
                planned.model,
                planned.name,
                planned.schema,
                planned.schema_hash,
                action,
                conn,
                None if stored is None else stored.decode(errors="replace"),
            )
            for action in actions
        ]
    return pending
