"""The states of an index during its migration, and the only transitions between them.

Whether another tool has replaced the active index is not a state: it is found by comparing the active index with the
record (see redstart.migrations.indexes.drift), and the next run repairs it with one of these transitions.
"""

from enum import StrEnum

from redstart.errors import MigrationError
from redstart.next_steps import Command, Hint


class IndexState(StrEnum):
    """The progress of the migration of one index, as recorded.

    A record is written before the change that it announces is used, and after the change that it confirms. So a process
    that ends between the two leaves a state from which the same command continues.
    """

    # The final definition is recorded. The previous index is active, or a dual-format index that was just activated.
    PLANNED = "planned"
    # A dual-format index is active; the final index is built next to it.
    EXPANDED = "expanded"
    # The final index is active; redis-om's keys match it.
    CUT_OVER = "cut over"
    # As CUT_OVER, and the unused indexes are dropped.
    CONTRACTED = "contracted"
    # A rollback was started: a dual-format index is active, or about to be.
    ROLLING_BACK = "rolling back"


class IndexEvent(StrEnum):
    """What changes the state of an index."""

    PLAN = "plan"
    REDEFINE = "redefine"
    EXPAND = "expand"
    CUT_OVER = "cut over"
    CONTRACT = "contract"
    REOPEN = "reopen"
    ROLL_BACK = "roll back"
    ABANDON_ROLLBACK = "abandon the rollback"
    REFUSE_ROLLBACK = "refuse the rollback"
    RESTORE = "restore"
    KEEP_CREATED = "keep"
    DROP_CREATED = "drop"


_S = IndexState
_E = IndexEvent

TRANSITIONS: dict[tuple[IndexState | None, IndexEvent], IndexState | None] = {
    # PLAN. `om migrate run` records the previous and the final definition: commit.lua. Nothing is built yet.
    (None, _E.PLAN): _S.PLANNED,
    # Again, for an index that did not exist before Redstart, or that had no dates: another tool has created one with
    # dates as text, and the data is not converted. That index is the previous one from now on.
    (_S.PLANNED, _E.PLAN): _S.PLANNED,
    (_S.EXPANDED, _E.PLAN): _S.PLANNED,
    (_S.CUT_OVER, _E.PLAN): _S.PLANNED,
    (_S.CONTRACTED, _E.PLAN): _S.PLANNED,
    (_S.ROLLING_BACK, _E.PLAN): _S.PLANNED,
    # REDEFINE. The model requires another definition than the recorded one: commit.lua. The active index stays, and an
    # index of the new definition is built from the start.
    (_S.PLANNED, _E.REDEFINE): _S.PLANNED,
    (_S.EXPANDED, _E.REDEFINE): _S.PLANNED,
    (_S.CUT_OVER, _E.REDEFINE): _S.PLANNED,
    (_S.CONTRACTED, _E.REDEFINE): _S.PLANNED,
    # A rollback restores the previous index, whatever the final one is.
    (_S.ROLLING_BACK, _E.REDEFINE): _S.ROLLING_BACK,
    # EXPAND. The alias points to a dual-format index that contains every document (swap.lua), and the final index is
    # built; then commit.lua. The data is not converted.
    (_S.PLANNED, _E.EXPAND): _S.EXPANDED,
    (_S.EXPANDED, _E.EXPAND): _S.EXPANDED,
    # Another tool has replaced the final index by one with dates as text.
    (_S.CUT_OVER, _E.EXPAND): _S.EXPANDED,
    # `om migrate run` beside a rollback does not end it.
    (_S.ROLLING_BACK, _E.EXPAND): _S.ROLLING_BACK,
    # CUT_OVER. The alias points to the final index (swap.lua), which contains every document of the active one, except
    # those that the user accepted; then commit.lua, with redis-om's keys in the same step.
    (_S.PLANNED, _E.CUT_OVER): _S.CUT_OVER,
    (_S.EXPANDED, _E.CUT_OVER): _S.CUT_OVER,
    # Repeated where another tool has replaced the final index.
    (_S.CUT_OVER, _E.CUT_OVER): _S.CUT_OVER,
    # The final index is active and the data is not converted: a rollback ended before it moved the alias, or no
    # document has the date that is indexed for the first time. `om migrate run` does not end the rollback.
    (_S.ROLLING_BACK, _E.CUT_OVER): _S.ROLLING_BACK,
    # CONTRACT. `om migrate cleanup` has dropped the unused indexes: drop.lua for each; then commit.lua.
    (_S.CUT_OVER, _E.CONTRACT): _S.CONTRACTED,
    (_S.CONTRACTED, _E.CONTRACT): _S.CONTRACTED,
    # REOPEN. Another tool has changed, replaced or dropped the final index: commit.lua. Then an index is built again,
    # so there may be unused indexes again.
    (_S.CONTRACTED, _E.REOPEN): _S.CUT_OVER,
    # ROLL_BACK. A dual-format index is built and contains every document of the active one. First commit.lua, then the
    # alias moves to it (swap.lua): while both are not done, queries by date are to stop.
    (_S.EXPANDED, _E.ROLL_BACK): _S.ROLLING_BACK,
    (_S.CUT_OVER, _E.ROLL_BACK): _S.ROLLING_BACK,
    (_S.CONTRACTED, _E.ROLL_BACK): _S.ROLLING_BACK,
    # First swap.lua, then commit.lua: until the alias moves, the previous index is active, which is drift in the state
    # that follows.
    (_S.PLANNED, _E.ROLL_BACK): _S.ROLLING_BACK,
    # ABANDON_ROLLBACK. The data is converted, or is about to be: commit.lua.
    (_S.ROLLING_BACK, _E.ABANDON_ROLLBACK): _S.EXPANDED,
    # REFUSE_ROLLBACK. The previous index would lose documents, or the created one: the dual-format index stays active;
    # commit.lua.
    (_S.ROLLING_BACK, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    # Only of an index that did not exist before Redstart; of others, these states stay.
    (_S.PLANNED, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    (_S.EXPANDED, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    (_S.CUT_OVER, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    (_S.CONTRACTED, _E.REFUSE_ROLLBACK): _S.EXPANDED,
    # RESTORE. The data is rolled back. The alias points to an index of the previous definition that contains every
    # document (swap.lua), unused indexes are dropped (drop.lua), the active one is marked (mark_settled.lua); then
    # commit.lua removes the record, and restores redis-om's keys in the same step.
    (_S.PLANNED, _E.RESTORE): None,
    (_S.EXPANDED, _E.RESTORE): None,
    (_S.CUT_OVER, _E.RESTORE): None,
    (_S.CONTRACTED, _E.RESTORE): None,
    (_S.ROLLING_BACK, _E.RESTORE): None,
    # KEEP_CREATED. The data is rolled back, and there was no index before Redstart: the alias points to the final
    # index, which contains every document of the active one (swap.lua); then commit.lua.
    (_S.PLANNED, _E.KEEP_CREATED): _S.CUT_OVER,
    (_S.EXPANDED, _E.KEEP_CREATED): _S.CUT_OVER,
    (_S.CUT_OVER, _E.KEEP_CREATED): _S.CUT_OVER,
    (_S.CONTRACTED, _E.KEEP_CREATED): _S.CONTRACTED,
    (_S.ROLLING_BACK, _E.KEEP_CREATED): _S.CUT_OVER,
    # DROP_CREATED. As before, with `--drop-created`: the alias is removed (remove_alias.lua), all indexes that were
    # built for it are dropped (drop.lua); then commit.lua removes the record.
    (_S.PLANNED, _E.DROP_CREATED): None,
    (_S.EXPANDED, _E.DROP_CREATED): None,
    (_S.CUT_OVER, _E.DROP_CREATED): None,
    (_S.CONTRACTED, _E.DROP_CREATED): None,
    (_S.ROLLING_BACK, _E.DROP_CREATED): None,
}
"""The state after each event; None is the state without a record."""


def next_state(name: str, state: IndexState | None, event: IndexEvent) -> IndexState | None:
    """Return the state of an index after an event.

    Raises:
        MigrationError: the event is not possible in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        described = "has no record" if state is None else f"is recorded as {state.value}"
        raise MigrationError(
            f"Cannot {event.value} the index {name}: it {described}. Its record was not changed.",
            Hint("Show the indexes with: ", Command("migrate status"), ". Then run the command again."),
        ) from None
