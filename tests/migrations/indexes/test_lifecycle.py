"""Each transition of the state of an index, made by the operation that makes it, and repeated after a crash behind it.

`make test` crashes each operation behind one of its writes, chosen at random; `make soak` behind all.
"""

import json
import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.errors import MigrationError, StateDamagedError
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import RunOptions, run
from redstart.migrations.indexes import record_writer
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.lifecycle import TRANSITIONS, IndexEvent, IndexState, next_state
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.state import (
    FORMAT,
    RECORDS,
    IndexRecord,
    hash_key,
    read_records,
    records_from,
)
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.search.schema import FieldKind, IndexField, create_arguments
from tests.migrations.indexes.conftest import before_1_0, drop_all, is_converted, migration, perform, total
from tests.migrations.indexes.test_crash_indexes import (
    MODELS,
    NAMES,
    PLANNED,
    PREFIXES,
    begin,
    end_of,
    settle,
    station,
    stored,
)
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import new_context, station_plan
from tests.support.soak import SOAK

__all__ = ["station"]  # a fixture

SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))

NAME = "station:sighting:index"
"""The index that is observed: one of JSON, so each of its states has another active index."""

WRITES = ("EVALSHA commit", "EVALSHA swap", "EVALSHA drop", "EVALSHA remove_alias", "FT.CREATE")

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


def _prepare() -> Op[object]:
    return run_indexes(converted=False)


def _finish() -> Op[object]:
    return run_indexes(converted=True)


def _prepare_wider() -> Op[object]:
    return run_indexes(converted=False, planned=WIDER)


def _finish_wider() -> Op[object]:
    return run_indexes(converted=True, planned=WIDER)


def _clean_up() -> Op[object]:
    return migration().cleanup()


def _before_undo() -> Op[object]:
    return migration().before_undo(NAMES)


def _after_undo() -> Op[object]:
    return migration().after_undo(NAMES)


def _drop_created() -> Op[object]:
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
    (None, E.PLAN): Case(nothing, _prepare),
    **{
        (state, E.PLAN): Case(replaced(reach), _prepare, created=True, found="never")
        for state, reach in REACH.items()
    },
    (S.PLANNED, E.REDEFINE): Case(planned, _prepare_wider),
    (S.EXPANDED, E.REDEFINE): Case(expanded, _prepare_wider),
    (S.CUT_OVER, E.REDEFINE): Case(cut_over, _finish_wider),
    (S.CONTRACTED, E.REDEFINE): Case(contracted, _finish_wider),
    (S.ROLLING_BACK, E.REDEFINE): Case(rolling_back, _prepare_wider),
    (S.PLANNED, E.EXPAND): Case(planned, _prepare),
    (S.EXPANDED, E.EXPAND): Case(expanded, _prepare),
    (S.CUT_OVER, E.EXPAND): Case(replaced(cut_over), _prepare, found="never"),
    (S.ROLLING_BACK, E.EXPAND): Case(rolling_back, _prepare),
    (S.PLANNED, E.CUT_OVER): Case(replanned, _finish_wider),
    (S.EXPANDED, E.CUT_OVER): Case(converted, _finish),
    (S.CUT_OVER, E.CUT_OVER): Case(replaced(cut_over), _finish, found="at the end"),
    (S.ROLLING_BACK, E.CUT_OVER): Case(rolling_back_before_the_swap, _prepare),
    (S.CUT_OVER, E.CONTRACT): Case(cut_over, _clean_up),
    (S.CONTRACTED, E.CONTRACT): Case(contracted, _clean_up),
    (S.CONTRACTED, E.REOPEN): Case(replaced(contracted), _finish, found="at the end"),
    (S.PLANNED, E.ROLL_BACK): Case(planned, _before_undo),
    (S.EXPANDED, E.ROLL_BACK): Case(expanded, _before_undo),
    (S.CUT_OVER, E.ROLL_BACK): Case(cut_over, _before_undo),
    (S.CONTRACTED, E.ROLL_BACK): Case(contracted, _before_undo),
    (S.ROLLING_BACK, E.ABANDON_ROLLBACK): Case(rolling_back, _finish),
    (S.ROLLING_BACK, E.REFUSE_ROLLBACK): Case(rolling_back, _after_undo),
    (S.PLANNED, E.REFUSE_ROLLBACK): Case(planned_with_an_active_index, _after_undo, created=True),
    (S.EXPANDED, E.REFUSE_ROLLBACK): Case(expanded, _after_undo, created=True),
    (S.CUT_OVER, E.REFUSE_ROLLBACK): Case(replaced(undone(cut_over)), _after_undo, created=True),
    (S.CONTRACTED, E.REFUSE_ROLLBACK): Case(replaced(undone(contracted)), _after_undo, created=True),
    (S.PLANNED, E.RESTORE): Case(planned, _after_undo),
    (S.EXPANDED, E.RESTORE): Case(expanded, _after_undo),
    (S.CUT_OVER, E.RESTORE): Case(undone(cut_over), _after_undo, found="at the end"),
    (S.CONTRACTED, E.RESTORE): Case(undone(contracted), _after_undo, found="at the end"),
    (S.ROLLING_BACK, E.RESTORE): Case(undone(rolling_back), _after_undo),
    (S.PLANNED, E.KEEP_CREATED): Case(planned, _after_undo, created=True, found="never"),
    (S.EXPANDED, E.KEEP_CREATED): Case(converted, _after_undo, created=True),
    (S.CUT_OVER, E.KEEP_CREATED): Case(cut_over, _after_undo, created=True),
    (S.CONTRACTED, E.KEEP_CREATED): Case(contracted, _after_undo, created=True),
    (S.ROLLING_BACK, E.KEEP_CREATED): Case(rolling_back, _after_undo, created=True),
    **{
        (state, E.DROP_CREATED): Case(reach, _drop_created, created=True, found="never")
        for state, reach in REACH.items()
    },
}


def _start(client: redis.Redis, url: str, case: Case) -> None:
    begin(client)
    if case.created:
        drop_all(client)
        client.delete(*map(hash_key, NAMES))
    case.reach(client, url)


def _named(pair: Pair) -> str:
    return f"{pair[0] or 'no record'}, {pair[1].value}"


@pytest.mark.soak
@pytest.mark.parametrize("pair", CASES, ids=_named)
def test_a_transition(station: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    case = CASES[pair]
    _start(station, url, case)
    assert state_of(station) is pair[0]
    expected = stored(station)
    made: list[Pair] = []

    def spy(name: str, state: IndexState | None, event: IndexEvent) -> IndexState | None:
        if name == NAME:
            made.append((state, event))
        return next_state(name, state, event)

    def check(always: bool) -> None:
        if case.found == "always" or (case.found == "at the end" and not always):
            settle(station)
            assert {name: total(station, name) for name in NAMES} == expected

    seen: list[IndexState | None] = []

    def look(_: str) -> None:
        seen.append(state_of(station))
        check(always=True)

    with monkeypatch.context() as patch, CrashDriver(url, before=look) as driver:
        patch.setattr(record_writer, "next_state", spy)
        driver.run(case.operation())
    check(always=False)
    assert made[0] == pair
    states = [pair[0], *(TRANSITIONS[one] for one in made)]
    assert _distinct([*seen, state_of(station)]) == _distinct(states)
    _crash_behind(station, url, case, driver.names)


MAX_TRIES = 5


def _crash_behind(client: redis.Redis, url: str, case: Case, names: Sequence[str]) -> None:
    """Crash the operation behind its writes: repeated, it leaves what it leaves without a crash."""
    print(f"REDSTART_SEED={SEED}")
    end = end_if_any(client)
    writes = [at for at, name in enumerate(names) if name.startswith(WRITES)]
    for at in writes if SOAK else random.Random(SEED).sample(writes, min(1, len(writes))):
        where = f"behind request {at}, {names[at]}"
        before = _crashed_behind(client, url, case, names, at)
        assert _replaced_externally(url) <= before, f"{where}: taken for the work of another tool"
        perform(url, case.operation())
        assert end_if_any(client) == end, where


def _crashed_behind(client: redis.Redis, url: str, case: Case, names: Sequence[str], at: int) -> set[str]:
    """Crash behind a request; return what was replaced externally before.

    How often a step asks for the progress of a build varies, so the request is the same by name and not by number.
    """
    name, earlier = names[at], names[:at].count(names[at])
    for _ in range(MAX_TRIES):
        _start(client, url, case)
        before = _replaced_externally(url)
        place = [number for number, other in enumerate(names) if other == name][earlier]
        with (
            CrashDriver(url, at=place, kind=CrashKind.AFTER, before=lambda _: settle(client)) as driver,
            suppress(Crash),
        ):
            driver.run(case.operation())
        if driver.crashed is not None:
            return before
        names = driver.names
    raise AssertionError(f"no step crashed behind {name}")


def end_if_any(client: redis.Redis) -> object:
    try:
        return end_of(client)
    except redis.ResponseError:  # no index
        return set(client.execute_command("FT._LIST")), client.hgetall(RECORDS)


def _replaced_externally(url: str) -> set[str]:
    statuses = perform(url, index_statuses(PLANNED))
    return {one.planned.name for one in statuses if one.active is ActiveIndex.REPLACED_EXTERNALLY}


def _distinct(states: Sequence[IndexState | None]) -> list[IndexState | None]:
    return [state for state, _ in groupby(states)]


def test_every_transition_has_a_case() -> None:
    assert CASES.keys() == TRANSITIONS.keys()


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


@pytest.mark.parametrize(
    "pair",
    [pair for pair in product([None, *IndexState], IndexEvent) if pair not in TRANSITIONS],
    ids=_named,
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


@pytest.fixture
def record(client: redis.Redis, url: str) -> IndexRecord:
    """A record as a run leaves it."""
    begin(client)
    expanded(client, url)
    found: IndexRecord = perform(url, read_records())[NAME]
    drop_all(client)
    return found


FLAGS = ("expanded", "cut_over", "stepping_back", "contracted")

STATE_OF_FLAGS = {
    "planned": ("", "X"),
    "expanded": ("E", "EX"),
    "cut over": ("C", "EC"),
    "contracted": ("CX", "ECX"),
    "rolling back": ("B", "EB", "CB", "ECB", "BX", "EBX", "CBX", "ECBX"),
}


def as_format(data: bytes, number: int, flags: dict[str, object]) -> str:
    """The record as a version of Redstart wrote it that had flags instead of a state."""
    fields = json.loads(data)
    del fields["state"]
    fields |= {"moving": fields.pop("changing"), "unserved": fields.pop("missing_before")}
    if number == 1:
        del fields["format"]
    else:
        fields["format"] = number
    if number < 3:
        del fields["superseded"]
    return json.dumps(fields | flags)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("letters", [one for some in STATE_OF_FLAGS.values() for one in some])
def test_records_with_flags_are_read(record: IndexRecord, number: int, letters: str) -> None:
    flags: dict[str, object] = {name: letter in letters for name, letter in zip(FLAGS, "ECBX", strict=True)}
    data = as_format(bytes(str(record.save()[3]), "utf-8"), number, flags)
    read = records_from({NAME.encode(): data.encode()})[NAME]
    (state,) = (state for state, some in STATE_OF_FLAGS.items() if letters in some)
    superseded = record.superseded if number == 3 else ()
    assert read == replace(record, state=IndexState(state), superseded=superseded)
    assert json.loads(str(read.save()[3]))["format"] == FORMAT


def test_all_combinations_of_flags_are_named() -> None:
    named = [frozenset(letters) for some in STATE_OF_FLAGS.values() for letters in some]
    assert len(named) == len(set(named)) == 2 ** len(FLAGS)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", [1, "yes", None])
def test_a_flag_that_is_none_is_damage(record: IndexRecord, name: str, value: object) -> None:
    data = as_format(bytes(str(record.save()[3]), "utf-8"), 3, {name: value})
    with pytest.raises(StateDamagedError, match=f"cannot be read: {name} is") as caught:
        records_from({NAME.encode(): data.encode()})
    assert "Restore it from a backup" in (caught.value.hint or "")


@pytest.mark.parametrize("state", ["", "begun", None, 1])
def test_an_unknown_state_is_damage(record: IndexRecord, state: object) -> None:
    fields = json.loads(str(record.save()[3])) | {"state": state}
    with pytest.raises(StateDamagedError, match="cannot be read"):
        records_from({NAME.encode(): json.dumps(fields).encode()})


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(
    ("reach", "flags", "operation"),
    [
        (converted, {"expanded": True}, _finish),
        (cut_over, {"expanded": True, "cut_over": True}, _before_undo),
        (undone(rolling_back), {"expanded": True, "stepping_back": True}, _after_undo),
    ],
    ids=["expanded", "cut over", "rolling back"],
)
def test_a_migration_of_an_earlier_version_goes_on(
    station: redis.Redis,
    url: str,
    reach: Step,
    flags: dict[str, object],
    operation: Callable[[], Op[object]],
    number: int,
) -> None:
    ends = []
    for is_earlier in (False, True):
        begin(station)
        reach(station, url)
        for name, data in station.hgetall(RECORDS).items():
            kept = data if number == 3 else json.dumps(json.loads(data) | {"superseded": []})
            station.hset(RECORDS, name, as_format(data, number, flags) if is_earlier else kept)
        perform(url, operation())
        ends.append(end_of(station))
    assert ends[0] == ends[1]
