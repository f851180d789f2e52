"""State that is lost or given up: each command names it, and ends with another code than 0."""

import os
from collections.abc import Callable

import pytest
import redis

from redstart.errors import MigrationError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.data.rollback import begin_rollback
from redstart.migrations.maintenance import drop_undo_log_of_data
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, DATA_RUNS, StateKeys
from redstart.server.clients import open_sync
from tests.support.cli import Ended, refused, run_om
from tests.support.migration import new_context
from tests.support.snapshot import STATE_PREFIXES, difference, every_byte, snapshot

KEYS = StateKeys(ID)
DROP = ("migrate-data", "drop-undo-log", ID, "--yes")
ROLLBACK = ("migrate-data", "rollback", ID, "--yes")
RUN = ("migrate-data", "run", "--yes")


@pytest.fixture
def lost(station: redis.Redis) -> redis.Redis:
    """A converted station of which every key of Redstart is gone; no index has a trace of the run."""
    assert run_om(*RUN).code in (0, 3)
    for key in station.scan_iter("redstart:*"):
        station.delete(key)
    return station


@pytest.mark.parametrize("words", [ROLLBACK, (*ROLLBACK, "--dry-run")])
def test_a_rollback_without_state_of_an_applied_migration_is_refused(
    lost: redis.Redis, words: tuple[str, ...]
) -> None:
    before = every_byte(lost)
    refused(run_om(*words), 1, ID, KEYS.record, APPLIED_MIGRATIONS, "backup", "om migrate-data verify")
    assert every_byte(lost) == before


@pytest.mark.parametrize("options", [(), ("--check",), ("--json",)])
def test_the_status_names_the_loss(lost: redis.Redis, options: tuple[str, ...]) -> None:
    found = run_om("migrate-data", "status", *options)
    assert found.code == 3, found.text
    if "--json" in options:
        assert found.json["recorded_elsewhere"]
    else:
        assert "state of Redstart" in " ".join(found.stdout.split()), found.text
        assert "om migrate-data verify" in found.stdout


def test_a_run_over_the_loss_names_it(lost: redis.Redis) -> None:
    found = run_om(*RUN)
    assert "state of Redstart" in " ".join(found.stderr.split()), found.text


def test_a_rollback_of_what_was_never_applied_has_nothing_to_do(station: redis.Redis) -> None:
    found = run_om(*ROLLBACK)
    assert (found.code, "nothing to roll back" in found.stdout) == (0, True), found.text


def interrupted_run() -> str:
    assert run_om(*RUN, "--limit-documents", "5").code == 5
    return "om migrate-data run"


def cleared_run() -> str:
    _ = interrupted_run()
    assert run_om("migrate-data", "clear-progress").code == 0
    return "om migrate-data run"


def interrupted_rollback() -> str:
    assert run_om(*RUN).code in (0, 3)
    with open_sync(os.environ["REDIS_OM_URL"]) as driver:
        driver.run(begin_rollback(new_context()))
    return f"om migrate-data rollback {ID}"


STARTED = [interrupted_run, cleared_run, interrupted_rollback]


@pytest.mark.parametrize("interrupt", STARTED)
def test_the_undo_log_of_an_interrupted_command_is_not_dropped(
    station: redis.Redis, url: str, interrupt: Callable[[], str]
) -> None:
    original = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    command = interrupt()
    before = every_byte(station)
    refused(run_om(*DROP), 1, "interrupted", command)
    with open_sync(url) as driver, pytest.raises(MigrationError) as found:
        _ = driver.run(drop_undo_log_of_data(new_context()))
    assert command in str(found.value.hint)
    assert every_byte(station) == before
    assert run_om(*command.split()[1:], "--yes").code in (0, 3)
    if "rollback" in command:
        assert difference(original, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []
    assert run_om(*DROP).code == 0


@pytest.mark.parametrize("interrupt", [interrupted_run, cleared_run])
@pytest.mark.parametrize("key", [KEYS.journal, KEYS.record])
def test_a_damaged_undo_log_of_an_interrupted_run_can_be_given_up(
    station: redis.Redis, interrupt: Callable[[], str], key: str
) -> None:
    _ = interrupt()
    station.delete(key)
    refused(run_om(*RUN), 1, key, f"om migrate-data drop-undo-log {ID}")
    assert run_om(*DROP).code == 0
    assert run_om(*RUN).code in (0, 3)


@pytest.mark.sample(3)
@pytest.mark.parametrize("interrupt", [None, *STARTED])
def test_state_without_the_marker_of_its_runs_is_read(
    station: redis.Redis, interrupt: Callable[[], str] | None
) -> None:
    """Earlier versions did not write it."""
    original = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    if interrupt is None:
        assert run_om(*RUN).code in (0, 3)
    else:
        _ = interrupt()
    station.delete(DATA_RUNS)
    before = every_byte(station)
    looked: list[Ended] = [
        run_om("migrate-data", *words)
        for words in (("status",), ("progress",), ("errors",), ("rollback", ID, "--dry-run"))
    ]
    assert [one.code for one in looked] == [0, 0, 0, 0], [one.text for one in looked]
    assert "nothing to roll back" not in looked[-1].text
    assert every_byte(station) == before
    if interrupt is not interrupted_rollback:
        assert run_om(*RUN).code in (0, 3)
        assert station.hexists(DATA_RUNS, ID)
        station.delete(DATA_RUNS)
    assert run_om(*ROLLBACK).code == 0
    assert difference(original, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "words",
    [("status",), ("progress",), ("stats",), ("verify",), ("run", "--yes"), ("rollback", ID, "--yes")],
)
def test_unrestored_originals_that_cannot_be_read_are_named(
    station: redis.Redis, words: tuple[str, ...]
) -> None:
    key = "station:visit:odd"
    station.hset(key, mapping={"arrived_at": "2020-01-01T00:00:00", "seen_at": "N/A"})
    assert run_om(*RUN, "--failure-mode", "default").code in (0, 3)
    for visit in station.scan_iter("station:visit:*", _type="hash"):
        station.hset(visit, "arrived_at", "1700000000.5")
    assert run_om(*ROLLBACK).code == 6
    assert station.exists(KEYS.unrestored)
    for name in station.hkeys(KEYS.unrestored):
        station.hset(KEYS.unrestored, name, b"\xff{")
    before = every_byte(station)
    drop = f"om migrate-data drop-undo-log {ID}"
    refused(run_om("migrate-data", *words), 1, KEYS.unrestored, "cannot be read", drop)
    assert every_byte(station) == before
    assert run_om(*DROP).code == 0
    assert run_om("migrate-data", "status").code == 0
