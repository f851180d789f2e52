"""A rebuild: a new index of the same definition, next to the active one; no query misses a document, at any crash."""

from contextlib import suppress

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.indexes import swap
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.indexes.swap import unused
from tests.migrations.indexes.conftest import (
    is_converted,
    legacy,
    migration,
    nobody_waits,
    perform,
    planned,
    readers,
    serving,
    total,
    wait_until_built,
)
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.soak import SOAK

__all__ = ["legacy"]  # a fixture

NAMES = [one.name for one in planned()]
PREFIXES = {one.key_prefix for one in planned()}


def forward(*, rebuild: bool) -> Op[object]:
    return migration().run(planned(), is_converted(PREFIXES), ExpansionOptions(rebuild=rebuild))


@pytest.fixture
def active(legacy: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
    """A client of a server with the indexes that the models declare: text dates are not in them."""
    nobody_waits(monkeypatch)
    options = ExpansionOptions(accept_unindexed=True)
    perform(url, migration().run(planned(), is_converted(PREFIXES), options))
    perform(url, migration().cleanup())
    return legacy


def settle(client: redis.Redis) -> None:
    wait_until_built(client, [name.decode() for name in client.execute_command("FT._LIST")])


def test_each_rebuild_makes_a_new_index_and_readers_miss_nothing(active: redis.Redis, url: str) -> None:
    before = {name: serving(active, name) for name in NAMES}
    with readers(url, active) as look:
        for _ in range(3):
            results = perform(url, forward(rebuild=True))
            assert {one.outcome for one in results} == {IndexOutcome.REBUILT}
            look()
            after = {name: serving(active, name) for name in NAMES}
            assert all(after[name] != before[name] for name in NAMES)
            assert len(active.execute_command("FT._LIST")) == len(NAMES), "the previous ones are dropped"
            before = after
    states = {one.active for one in perform(url, index_statuses(planned()))}
    assert states == {ActiveIndex.UP_TO_DATE}
    assert {one.outcome for one in perform(url, forward(rebuild=False))} == {IndexOutcome.UP_TO_DATE}


@pytest.mark.sample(0)
@pytest.mark.soak
def test_a_rebuild_that_crashes_anywhere_is_completed_by_a_repetition(active: redis.Redis, url: str) -> None:
    expected = {name: total(active, name) for name in NAMES}
    with CrashDriver(url, before=lambda _: settle(active)) as driver:
        driver.run(forward(rebuild=True))
    names = driver.names
    first = [names.index(name) for name in dict.fromkeys(names)]
    last = [len(names) - 1 - names[::-1].index(name) for name in dict.fromkeys(names)]
    points = [
        (at, kind)
        for at in (range(len(names)) if SOAK else sorted({*first, *last}))
        for kind in (CrashKind if SOAK else [list(CrashKind)[at % len(CrashKind)]])
    ]
    for at, kind in points:
        where = f"{names[at] if at < len(names) else ''}, request {at}, {kind}"
        with CrashDriver(url, at=at, kind=kind, before=lambda _: settle(active)) as driver, suppress(Crash):
            driver.run(forward(rebuild=True))
        assert {name: total(active, name) for name in NAMES} == expected, where
        assert not [
            one
            for one in perform(url, index_statuses(planned()))
            if one.active is ActiveIndex.REPLACED_EXTERNALLY
        ], where
        perform(url, forward(rebuild=True))
        assert {name: total(active, name) for name in NAMES} == expected, where
        assert [perform(url, unused(name)) for name in NAMES] == [[], [], []], where


def test_a_document_that_the_new_index_would_not_contain_refuses_the_rebuild(
    active: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the new index lost one: the active one stays, and the refusal is counted."""
    before = {name: serving(active, name) for name in NAMES}

    def one_missing(*_: object) -> Op[Coverage]:
        yield from ()
        return Coverage(10, 1, [b"station:visit:V-1"])

    monkeypatch.setattr(swap, "check_coverage", one_missing)
    results = perform(url, forward(rebuild=True))
    assert {one.outcome for one in results} == {IndexOutcome.REFUSED}
    assert {name: serving(active, name) for name in NAMES} == before
