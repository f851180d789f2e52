"""Two programs at once, one of them whenever the other holds no lease: no document leaves the queries.

A crash driver stops the first before each request that takes a lease, and the second runs as a whole. Where they cannot
both have their way, one of them is refused.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.errors import RedstartError
from redstart.mapping.model_info import declare
from redstart.migrations.coordinator import migrate_back, migrate_forward, rollback_indexes
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.options import RollbackOptions
from redstart.migrations.startup import bring_up_to_date
from tests.migrations.indexes.conftest import (
    MODELS,
    legacy,
    migration,
    nobody_waits,
    perform,
    planned,
    total,
)
from tests.support.crash_driver import CrashDriver
from tests.support.migration import UTC_DATES, new_context, station_plan
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy"]  # a fixture

NAMES = [model._meta.index_name for model in MODELS]
TAKES_A_LEASE = "EVALSHA acquire"


def _run() -> Op[Any]:
    return migrate_forward(
        new_context(),
        station_plan(),
        RunOptions(batch_documents=100),
        planned(),
        migration(),
        ExpansionOptions(),
    )


OPERATIONS: dict[str, Callable[[], Op[Any]]] = {
    "run": _run,
    "rollback": lambda: migrate_back(new_context(), migration(), RollbackOptions(batch_size=100)),
    "index rollback": lambda: rollback_indexes(new_context(), migration()),
    "cleanup": lambda: migration().cleanup(),
    "an application that starts": lambda: bring_up_to_date(list(map(declare, MODELS)), UTC_DATES, migration),
}


@pytest.fixture
def watched(legacy: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Nobody waits longer than needed."""
    nobody_waits(monkeypatch)
    yield legacy


def found(client: redis.Redis) -> list[int]:
    return [total(client, name) for name in NAMES]


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("start", "first", "second"),
    [
        (["an application that starts"], "run", "index rollback"),
        (["an application that starts"], "index rollback", "run"),
        (["run"], "run", "rollback"),
        (["run"], "rollback", "run"),
        (["run"], "rollback", "an application that starts"),
        (["run"], "index rollback", "rollback"),
        (["run"], "cleanup", "rollback"),
    ],
)
def test_no_document_leaves_the_queries(
    watched: redis.Redis, url: str, start: list[str], first: str, second: str
) -> None:
    before, expected = snapshot(watched), found(watched)
    moment, intruded = 0, True
    while intruded:
        for name in start:
            perform(url, OPERATIONS[name]())
        intruded = _with_intruder(watched, url, OPERATIONS[first], OPERATIONS[second], moment, expected)
        perform(url, OPERATIONS["rollback"]())
        perform(url, OPERATIONS["index rollback"]())
        assert found(watched) == expected
        assert difference(before, snapshot(watched)) == []
        moment += 1
    assert moment > 1, "nobody ever intruded"


def _with_intruder(
    client: redis.Redis,
    url: str,
    operation: Callable[[], Op[Any]],
    intruder: Callable[[], Op[Any]],
    moment: int,
    expected: list[int],
) -> bool:
    """Run an operation; the intruder runs before it takes its lease number `moment`, from 0. Whether it did."""
    leases: list[str] = []

    def hook(name: str) -> None:
        assert found(client) == expected, f"before {name}"
        if name != TAKES_A_LEASE:
            return
        leases.append(name)
        if len(leases) == moment + 1:
            with suppress(RedstartError):
                perform(url, intruder())
            assert found(client) == expected

    with CrashDriver(url, before=hook) as driver, suppress(RedstartError):
        driver.run(operation())
    assert found(client) == expected
    return len(leases) > moment
