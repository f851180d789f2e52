"""The table of transitions, and what happens to an event that a state does not allow."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from redstart.errors import MigrationError
from redstart.migrations.indexes import record_writer
from redstart.migrations.indexes.state import TRANSITIONS, IndexEvent, IndexRecord, IndexState
from tests.migrations.indexes.index_states import NAME, E, Pair, S, named, record

__all__ = ["record"]  # a fixture

PINNED = """
            plan     redefine  expand   cut_over contract reopen   roll_back abandon  refuse   restore keep     drop
none        planned  -         -        -        -        -        -         -        -        -       -        -
planned     planned  planned   expanded cut_over -        -        rolling   -        expanded none    cut_over none
expanded    planned  planned   expanded cut_over -        -        rolling   -        expanded none    cut_over none
cut_over    planned  planned   expanded cut_over contract -        rolling   -        expanded none    cut_over none
contract    planned  planned   -        -        contract cut_over rolling   -        expanded none    contract none
rolling     planned  rolling   rolling  rolling  -        -        -         expanded expanded none    cut_over none
"""

EVENTS = (
    E.PLAN,
    E.REDEFINE,
    E.EXPAND,
    E.CUT_OVER,
    E.CONTRACT,
    E.REOPEN,
    E.ROLL_BACK,
    E.ABANDON_ROLLBACK,
    E.REFUSE_ROLLBACK,
    E.RESTORE,
    E.KEEP_CREATED,
    E.DROP_CREATED,
)
STATES = {
    "none": None,
    "planned": S.PLANNED,
    "expanded": S.EXPANDED,
    "cut_over": S.CUT_OVER,
    "contract": S.CONTRACTED,
    "rolling": S.ROLLING_BACK,
}


def test_the_table_is_this() -> None:
    table = {}
    for line in PINNED.strip().splitlines()[1:]:
        state, *after = line.split()
        assert len(after) == len(EVENTS)
        table |= {
            (STATES[state], event): STATES[name]
            for event, name in zip(EVENTS, after, strict=True)
            if name != "-"
        }
    assert table == TRANSITIONS
    assert set(EVENTS) == set(IndexEvent)
    assert {state for state in STATES.values() if state is not None} == set(IndexState)


@pytest.mark.sample(11)
@pytest.mark.parametrize(
    "pair",
    [pair for pair in product([None, *IndexState], IndexEvent) if pair not in TRANSITIONS],
    ids=named,
)
def test_another_transition_is_an_error_before_any_request(pair: Pair, record: IndexRecord) -> None:
    state, event = pair
    known = None if state is None else replace(record, state=state)
    lease: Any = None
    writing = record_writer.write_record(lease, record, event, stored=known)
    with pytest.raises(MigrationError, match=rf"Cannot {event.value} the index {NAME}") as caught:
        next(writing)
    assert (state.value if state else "has no record") in caught.value.message
    assert "om migrate status" in (caught.value.hint or "")
