"""The phase tells the truth of the documents, also where the progress of a run or a rollback was cleared."""

from typing import Any

import pytest
import redis

from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.maintenance import clear_progress
from redstart.migrations.phase import MigrationPhase, migration_status
from redstart.server.clients import open_sync
from tests.support.crash_driver import Crash, CrashDriver
from tests.support.migration import (
    KEYS,
    documents_of,
    load_hostile,
    new_context,
    options,
    small_pieces,
    station_plan,
)
from tests.support.soak import SOAK

POINTS = 8 if SOAK else 4
"""At which each operation is interrupted, from its first request to its last."""


def perform(url: str, operation: Any) -> Any:
    with open_sync(url) as driver:
        return driver.run(operation)


def convert() -> Any:
    return run(new_context(), station_plan(), options())


def undo() -> Any:
    return rollback(new_context(), batch_documents=40)


def phase(url: str) -> MigrationPhase:
    found: MigrationPhase = perform(url, migration_status(new_context().transformation, station_plan())).phase
    return found


def interrupt(url: str, operation: Any, at: int) -> None:
    with CrashDriver(url, at=at) as driver, pytest.raises(Crash):
        driver.run(operation)


def interrupt_and_clear(url: str, operation: Any, at: int) -> None:
    interrupt(url, operation, at)
    perform(url, clear_progress(new_context()))


def requests_of(url: str, operation: Any) -> list[str]:
    with CrashDriver(url) as driver:
        driver.run(operation)
        return list(driver.names)


def points(names: list[str]) -> list[int]:
    """Requests at which to stop: spread over the operation, and none behind its last change."""
    changes = [at for at, name in enumerate(names, 1) if "apply" in name or "commit" in name]
    first = next(at for at, name in enumerate(names, 1) if "apply" in name)
    return [*range(1, first, max(1, first // 3)), *range(first, changes[-1], max(1, len(names) // POINTS))]


@pytest.mark.soak
def test_a_run(client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    load_hostile(client)
    before = documents_of(client)
    names = requests_of(url, convert())
    seen = set()
    for at in points(names):
        load_hostile(client)
        interrupt_and_clear(url, convert(), at)
        changed = documents_of(client) != before
        found = phase(url)
        seen.add((changed, found))
        assert found is MigrationPhase.MIGRATING or not changed, names[at - 1]
        # Again, as far as the initial scan: what the first one converted is still converted.
        interrupt_and_clear(url, convert(), 12)
        assert phase(url) is MigrationPhase.MIGRATING or not changed, names[at - 1]
        perform(url, convert())
        assert phase(url) is MigrationPhase.CONVERTED
    assert {(True, MigrationPhase.MIGRATING), (False, MigrationPhase.PENDING)} <= seen


@pytest.mark.soak
def test_a_rollback(client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    load_hostile(client)
    perform(url, convert())
    converted = documents_of(client)
    names = requests_of(url, undo())
    for at in points(names):
        load_hostile(client)
        perform(url, convert())
        interrupt_and_clear(url, undo(), at)
        changed = documents_of(client) != converted
        ended = not client.exists(KEYS.record)
        assert phase(url) is MigrationPhase.ROLLING_BACK or not changed or ended, names[at - 1]
        perform(url, undo())
        assert phase(url) is MigrationPhase.PENDING
    load_hostile(client)
    perform(url, convert())
    interrupt_and_clear(url, undo(), names.index("EVALSHA apply undo") + 2)
    perform(url, convert())
    assert phase(url) is MigrationPhase.CONVERTED
