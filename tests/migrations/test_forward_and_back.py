"""A migration under live queries as a whole: from each starting point there and back, beside readers, and crashed."""

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.coordinator import migrate_back, migrate_forward
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.options import RollbackOptions
from redstart.migrations.run_results import MigrationResult, RollbackResult
from redstart.search.schema import create_arguments
from tests.migrations.indexes.conftest import (
    MODELS,
    before_1_0,
    drop_all,
    expand,
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
from tests.support.migration import new_context, station_plan
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy"]  # a fixture

SOAK = os.environ.get("REDSTART_SOAK") == "1"
SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))
POINTS = 14

NAMES = [model._meta.index_name for model in MODELS]


def forward(**options: bool) -> Op[MigrationResult]:
    return migrate_forward(
        new_context(),
        station_plan(),
        RunOptions(batch_documents=50),
        planned(),
        migration(),
        ExpansionOptions(**options),
    )


def back() -> Op[RollbackResult]:
    return migrate_back(new_context(), migration(), RollbackOptions(batch_size=50))


def found(client: redis.Redis) -> dict[str, int]:
    return {name: total(client, name) for name in NAMES}


def outcomes(result: MigrationResult) -> set[IndexOutcome]:
    return {one.outcome for one in result.indexes}


def test_no_reader_misses_a_document_there_and_back(legacy: redis.Redis, url: str) -> None:
    start = snapshot(legacy)
    with readers(url, legacy) as look:
        assert outcomes(perform(url, forward())) == {IndexOutcome.CUT_OVER}
        look()
        assert outcomes(perform(url, forward())) == {IndexOutcome.UP_TO_DATE}
        look()
        done = perform(url, back())
        assert done.refused == []
        look()
    assert difference(start, snapshot(legacy)) == []
    assert len(legacy.execute_command("FT._LIST")) == len(MODELS)


def test_from_an_alias(legacy: redis.Redis, url: str) -> None:
    for model in MODELS:
        index = before_1_0(model)
        legacy.execute_command("FT.DROPINDEX", index.name)
        legacy.execute_command("FT.CREATE", *create_arguments(index, name=f"{index.name}-7"))
        legacy.execute_command("FT.ALIASADD", index.name, f"{index.name}-7")
    wait_until_built(legacy, NAMES)
    with readers(url, legacy) as look:
        assert outcomes(perform(url, forward())) == {IndexOutcome.CUT_OVER}
        look()
        assert perform(url, back()).refused == []
    assert f"{NAMES[0]}-7".encode() in legacy.execute_command("FT._LIST"), "what is not ours is never dropped"


def test_from_no_index_the_data_alone_is_converted(legacy: redis.Redis, url: str) -> None:
    drop_all(legacy)
    start = snapshot(legacy)
    result = perform(url, forward())
    assert (result.indexes, result.refused) == ([], False)
    assert legacy.execute_command("FT._LIST") == []
    perform(url, back())
    assert difference(start, snapshot(legacy)) == []


def test_from_no_index_one_that_is_made_first_serves_all_the_way_and_back(
    legacy: redis.Redis, url: str
) -> None:
    before = found(legacy)
    drop_all(legacy)
    assert {one.outcome for one in expand(url).values()} == {IndexOutcome.EXPANDED}
    assert found(legacy) == before
    with readers(url, legacy) as look:
        assert outcomes(perform(url, forward())) == {IndexOutcome.CUT_OVER}
        look()
        assert perform(url, back()).refused == []
        look()
    assert {one.outcome for one in expand(url).values()} == {IndexOutcome.EXPANDED}, "it can go forward again"


def test_from_no_index_one_that_is_made_afterwards_steps_back_too(legacy: redis.Redis, url: str) -> None:
    before = found(legacy)
    drop_all(legacy)
    perform(url, forward())
    assert {one.outcome for one in expand(url).values()} == {IndexOutcome.CREATED}
    with readers(url, legacy):
        assert perform(url, back()).refused == []
    assert found(legacy) == before


def test_from_the_index_of_1_x_over_old_data(legacy: redis.Redis, url: str) -> None:
    """What redis-om's own schema migration leaves: an index of numbers that takes no document with text."""
    before = found(legacy)
    drop_all(legacy)
    for one in planned():
        legacy.execute_command("FT.CREATE", *create_arguments(one.index))
    wait_until_built(legacy, NAMES)
    assert found(legacy) != before
    assert perform(url, forward()).refused is False
    assert found(legacy) == before
    assert serving(legacy, NAMES[0]) == NAMES[0]


@pytest.fixture
def fast(legacy: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Crashed programs are gone for certain, and nobody waits longer than needed."""
    nobody_waits(monkeypatch)
    yield legacy


@pytest.mark.sample(0)
@pytest.mark.soak
def test_a_way_that_crashes_anywhere_ends_as_if_it_had_not(fast: redis.Redis, url: str) -> None:
    """There, with a crash; then back, with another: to the byte, and no query ever finds less."""
    print(f"REDSTART_SEED={SEED}")
    rng = random.Random(SEED)
    start, expected = snapshot(fast), found(fast)
    lengths = [_requests(url, forward()), _requests(url, back())]
    assert difference(start, snapshot(fast)) == []
    rounds = range(max(lengths)) if SOAK else range(POINTS)
    for number in rounds:
        there, again = ((number if SOAK else rng.randrange(n)) % n for n in lengths)
        kind = rng.choice(list(CrashKind))
        where = f"forward crashed at {there}, back at {again}: {kind}"
        _crash(url, forward(), there, kind)
        assert found(fast) == expected, where
        assert perform(url, forward()).data.stopped is None, where
        assert found(fast) == expected, where
        assert all(serving(fast, name) != name for name in NAMES), f"{where}: cut over"
        _crash(url, back(), again, kind)
        assert found(fast) == expected, where
        perform(url, back())
        assert found(fast) == expected, where
        assert difference(start, snapshot(fast)) == [], where
        assert len(fast.execute_command("FT._LIST")) == len(MODELS), where


def _requests(url: str, operation: Op[Any]) -> int:
    with CrashDriver(url) as driver:
        driver.run(operation)
        return len(driver.names)


def _crash(url: str, operation: Op[Any], at: int, kind: CrashKind) -> None:
    # A later round may need fewer requests: an index that is scanned at once is asked for once.
    with CrashDriver(url, at=at, kind=kind) as driver, suppress(Crash):
        driver.run(operation)
