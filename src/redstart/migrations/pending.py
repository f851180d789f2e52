"""Pending work of `Migrator().run()` in the format of redis-om: an index that differs is dropped and created.

Redstart does not drop it first: the new index is built, then cut over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from redstart.commands.keyspace import get
from redstart.effects import Op, call
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.indexes.keys import hash_key
from redstart.migrations.indexes.preflight import require_search
from redstart.migrations.indexes.status import Standing, index_statuses
from redstart.migrations.startup import planned_at_start


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
        if status.standing is Standing.UP_TO_DATE or status.is_newer:
            continue
        planned, stored = status.planned, (yield from call(get(hash_key(status.planned.name))))
        actions = [MigrationAction.CREATE]
        if status.standing is not Standing.ABSENT:
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
