"""How to reach each state of an index, and the operation that makes each transition."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.state import (
    RECORDS,
    IndexEvent,
    IndexRecord,
    IndexState,
    read_records,
    records_from,
)
from redstart.search.schema import FieldKind, IndexField, create_arguments
from tests.migrations.indexes.conftest import before_1_0, drop_all, is_converted, migration, perform
from tests.migrations.indexes.test_crash_indexes import MODELS, NAMES, PLANNED, PREFIXES, begin, settle
from tests.support.crash_driver import Crash, CrashDriver
from tests.support.migration import new_context, station_plan

NAME = "station:sighting:index"
"""The index that is observed: one of JSON, so each of its states has another active index."""

Pair = tuple[IndexState | None, IndexEvent]
Step = Callable[[redis.Redis, str], None]


def state_of(client: redis.Redis) -> IndexState | None:
    record = records_from(client.hgetall(RECORDS)).get(NAME)
    return None if record is None else record.state


def run_indexes(*, converted: bool, planned: Sequence[PlannedIndex] = PLANNED) -> Op[object]:
    return migration().run(planned, is_converted(PREFIXES if converted else ()), ExpansionOptions())


def _wider(planned: PlannedIndex) -> PlannedIndex:
    """The index of a model with another field."""
    identifier = "added" if planned.name != NAME else "$.added"
    field = IndexField(identifier, "added", FieldKind.TAG, separator="|")
    return replace(
        planned,
        index=replace(planned.index, fields=(*planned.index.fields, field), parts=None),
        old=replace(planned.old, fields=(*planned.old.fields, field), parts=None),
    )


WIDER = [_wider(one) for one in PLANNED]


def stop_when(client: redis.Redis, url: str, operation: Op[object], reached: Callable[[], bool]) -> None:
    """Crash an operation as soon as the server is in a state."""

    def look(_: str) -> None:
        if reached():
            raise Crash

    with CrashDriver(url, before=look) as driver, suppress(Crash):
        driver.run(operation)
    assert reached()
    settle(client)


def nothing(client: redis.Redis, url: str) -> None:
    pass


def planned(client: redis.Redis, url: str) -> None:
    stop_when(client, url, run_indexes(converted=False), lambda: state_of(client) is IndexState.PLANNED)


def expanded(client: redis.Redis, url: str) -> None:
    perform(url, run_indexes(converted=False))


def converted(client: redis.Redis, url: str) -> None:
    expanded(client, url)
    assert perform(url, run(new_context(), station_plan(*MODELS), RunOptions())).stopped is None


def cut_over(client: redis.Redis, url: str) -> None:
    converted(client, url)
    perform(url, run_indexes(converted=True))


def contracted(client: redis.Redis, url: str) -> None:
    cut_over(client, url)
    perform(url, migration().cleanup())


def rolling_back(client: redis.Redis, url: str) -> None:
    cut_over(client, url)
    perform(url, migration().before_undo(NAMES))


def replanned(client: redis.Redis, url: str) -> None:
    """Stop after a changed definition was recorded."""
    cut_over(client, url)
    redefine = run_indexes(converted=True, planned=WIDER)
    stop_when(client, url, redefine, lambda: state_of(client) is IndexState.PLANNED)


def rolling_back_before_the_swap(client: redis.Redis, url: str) -> None:
    cut_over(client, url)
    stop_when(
        client, url, migration().before_undo(NAMES), lambda: state_of(client) is IndexState.ROLLING_BACK
    )


def planned_with_an_active_index(client: redis.Redis, url: str) -> None:
    def reached() -> bool:
        with suppress(redis.ResponseError):
            client.execute_command("FT.INFO", NAME)
            return state_of(client) is IndexState.PLANNED
        return False

    stop_when(client, url, run_indexes(converted=False), reached)


def undone(reach: Step) -> Step:
    """Then roll back the data, and leave the indexes."""

    def step(client: redis.Redis, url: str) -> None:
        reach(client, url)
        assert perform(url, rollback(new_context())).stopped is None

    return step


def replaced(reach: Step) -> Step:
    """Then replace the active indexes as redis-om before 1.0 does."""

    def step(client: redis.Redis, url: str) -> None:
        reach(client, url)
        for model in MODELS:
            index = before_1_0(model)
            with suppress(redis.ResponseError):
                client.execute_command("FT.DROPINDEX", index.name)
            client.execute_command("FT.CREATE", *create_arguments(index))
        settle(client)

    return step


@dataclass(frozen=True)
class Case:
    """How to reach a state, and the operation that makes the event.

    Attributes:
        created: whether there was no index before Redstart.
        found: when queries find every document: always, only at the end, or never.
    """

    reach: Step
    operation: Callable[[], Op[object]]
    created: bool = False
    found: str = "always"


def prepare() -> Op[object]:
    return run_indexes(converted=False)


def finish() -> Op[object]:
    return run_indexes(converted=True)


def prepare_wider() -> Op[object]:
    return run_indexes(converted=False, planned=WIDER)


def finish_wider() -> Op[object]:
    return run_indexes(converted=True, planned=WIDER)


def clean_up() -> Op[object]:
    return migration().cleanup()


def before_undo() -> Op[object]:
    return migration().before_undo(NAMES)


def finish_rollback() -> Op[object]:
    return migration().after_undo(NAMES)


def drop_created() -> Op[object]:
    def is_undone() -> Op[bool]:
        yield from ()
        return True

    return migration().rollback(is_undone, accept_unindexed=False, drop_created=True)


S, E = IndexState, IndexEvent
REACH = {
    S.PLANNED: planned,
    S.EXPANDED: expanded,
    S.CUT_OVER: cut_over,
    S.CONTRACTED: contracted,
    S.ROLLING_BACK: rolling_back,
}

CASES: dict[Pair, Case] = {
    (None, E.PLAN): Case(nothing, prepare),
    **{
        (state, E.PLAN): Case(replaced(reach), prepare, created=True, found="never")
        for state, reach in REACH.items()
    },
    (S.PLANNED, E.REDEFINE): Case(planned, prepare_wider),
    (S.EXPANDED, E.REDEFINE): Case(expanded, prepare_wider),
    (S.CUT_OVER, E.REDEFINE): Case(cut_over, finish_wider),
    (S.CONTRACTED, E.REDEFINE): Case(contracted, finish_wider),
    (S.ROLLING_BACK, E.REDEFINE): Case(rolling_back, prepare_wider),
    (S.PLANNED, E.EXPAND): Case(planned, prepare),
    (S.EXPANDED, E.EXPAND): Case(expanded, prepare),
    (S.CUT_OVER, E.EXPAND): Case(replaced(cut_over), prepare, found="never"),
    (S.ROLLING_BACK, E.EXPAND): Case(rolling_back, prepare),
    (S.PLANNED, E.CUT_OVER): Case(replanned, finish_wider),
    (S.EXPANDED, E.CUT_OVER): Case(converted, finish),
    (S.CUT_OVER, E.CUT_OVER): Case(replaced(cut_over), finish, found="at the end"),
    (S.ROLLING_BACK, E.CUT_OVER): Case(rolling_back_before_the_swap, prepare),
    (S.CUT_OVER, E.CONTRACT): Case(cut_over, clean_up),
    (S.CONTRACTED, E.CONTRACT): Case(contracted, clean_up),
    (S.CONTRACTED, E.REOPEN): Case(replaced(contracted), finish, found="at the end"),
    (S.PLANNED, E.ROLL_BACK): Case(planned, before_undo),
    (S.EXPANDED, E.ROLL_BACK): Case(expanded, before_undo),
    (S.CUT_OVER, E.ROLL_BACK): Case(cut_over, before_undo),
    (S.CONTRACTED, E.ROLL_BACK): Case(contracted, before_undo),
    (S.ROLLING_BACK, E.ABANDON_ROLLBACK): Case(rolling_back, finish),
    (S.ROLLING_BACK, E.REFUSE_ROLLBACK): Case(rolling_back, finish_rollback),
    (S.PLANNED, E.REFUSE_ROLLBACK): Case(planned_with_an_active_index, finish_rollback, created=True),
    (S.EXPANDED, E.REFUSE_ROLLBACK): Case(expanded, finish_rollback, created=True),
    (S.CUT_OVER, E.REFUSE_ROLLBACK): Case(replaced(undone(cut_over)), finish_rollback, created=True),
    (S.CONTRACTED, E.REFUSE_ROLLBACK): Case(replaced(undone(contracted)), finish_rollback, created=True),
    (S.PLANNED, E.RESTORE): Case(planned, finish_rollback),
    (S.EXPANDED, E.RESTORE): Case(expanded, finish_rollback),
    (S.CUT_OVER, E.RESTORE): Case(undone(cut_over), finish_rollback, found="at the end"),
    (S.CONTRACTED, E.RESTORE): Case(undone(contracted), finish_rollback, found="at the end"),
    (S.ROLLING_BACK, E.RESTORE): Case(undone(rolling_back), finish_rollback),
    (S.PLANNED, E.KEEP_CREATED): Case(planned, finish_rollback, created=True, found="never"),
    (S.EXPANDED, E.KEEP_CREATED): Case(converted, finish_rollback, created=True),
    (S.CUT_OVER, E.KEEP_CREATED): Case(cut_over, finish_rollback, created=True),
    (S.CONTRACTED, E.KEEP_CREATED): Case(contracted, finish_rollback, created=True),
    (S.ROLLING_BACK, E.KEEP_CREATED): Case(rolling_back, finish_rollback, created=True),
    **{
        (state, E.DROP_CREATED): Case(reach, drop_created, created=True, found="never")
        for state, reach in REACH.items()
    },
}


def named(pair: Pair) -> str:
    return f"{pair[0] or 'no record'}, {pair[1].value}"


@pytest.fixture
def record(client: redis.Redis, url: str) -> IndexRecord:
    """A record as a run leaves it."""
    begin(client)
    expanded(client, url)
    found: IndexRecord = perform(url, read_records())[NAME]
    drop_all(client)
    return found
