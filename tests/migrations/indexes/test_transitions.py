"""Each transition of the state of an index, made by the operation that makes it, and repeated after a crash behind it.

`make test` crashes each operation behind one of its writes, chosen at random; `make soak` behind all.
"""

import os
import random
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby

import pytest
import redis

from redstart.migrations.indexes import record_writer
from redstart.migrations.indexes.state import (
    RECORDS,
    TRANSITIONS,
    IndexEvent,
    IndexState,
    hash_key,
    next_state,
)
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from tests.migrations.indexes.conftest import drop_all, perform, total
from tests.migrations.indexes.index_states import CASES, NAME, Case, Pair, named, state_of
from tests.migrations.indexes.test_crash_indexes import NAMES, PLANNED, begin, end_of, settle, station, stored
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.soak import SOAK

__all__ = ["station"]  # a fixture

SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))

WRITES = ("EVALSHA commit", "EVALSHA swap", "EVALSHA drop", "EVALSHA remove_alias", "FT.CREATE")


def _start(client: redis.Redis, url: str, case: Case) -> None:
    begin(client)
    if case.created:
        drop_all(client)
        client.delete(*map(hash_key, NAMES))
    case.reach(client, url)


@pytest.mark.sample(2)
@pytest.mark.soak
@pytest.mark.parametrize("pair", CASES, ids=named)
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
