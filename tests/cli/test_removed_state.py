"""Another client deletes or moves keys or indexes during a command: no command ends with 0 over what is gone."""

from collections.abc import Callable

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.state_keys import StateKeys
from tests.migrations.indexes.conftest import drop_all, make_legacy_indexes
from tests.support.cli import Ended, run_om
from tests.support.during import om_during
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

KEYS = StateKeys(ID)
RUN = ("migrate-data", "run", "--batch-size", "10", "--failure-mode", "quarantine")
ROLLBACK = ("migrate-data", "rollback", ID, "--batch-size", "10")
VERIFY = ("migrate-data", "verify", "--check-data")
CLEANUP = ("migrate", "cleanup")

Event = Callable[[redis.Redis], object]


def delete_state(client: redis.Redis) -> None:
    for key in client.scan_iter("redstart:*"):
        client.delete(key)


def rename_documents(client: redis.Redis) -> None:
    for key in client.scan_iter("station:visit:V-*"):
        client.rename(key, b"moved:" + key)


def remove_aliases(client: redis.Redis) -> None:
    for index in client.execute_command("FT._LIST"):
        name = index.rpartition(b"@")[0]
        if name:
            try:
                client.execute_command("FT.ALIASDEL", name)
            except redis.ResponseError:  # another index of this name had it
                continue


REMOVALS: dict[str, Event] = {
    "FLUSHALL": lambda client: client.execute_command("FLUSHALL", "SYNC"),
    "SWAPDB": lambda client: client.swapdb(0, 1),
    "DEL of all state keys": delete_state,
    "DEL of the record": lambda client: client.delete(KEYS.record),
    "DEL of the undo log": lambda client: client.delete(KEYS.journal),
}
"""What makes a rollback impossible."""

REPAIRED: dict[str, Event] = {
    "FT.DROPINDEX": drop_all,
    "FT.ALIASDEL": remove_aliases,
    "SCRIPT FLUSH": lambda client: (client.script_flush(), client.function_flush()),
    "CLIENT KILL": lambda client: client.client_kill_filter(_type="normal", skipme=True),
    "DEL of the lease": lambda client: client.delete(KEYS.lease.lease),
    "DEL of the fence": lambda client: client.delete(KEYS.lease.fence),
}
"""What a command repairs, or what it stops for and the next one repairs."""


@pytest.fixture
def station(configured: str, client: redis.Redis) -> redis.Redis:
    """Legacy documents with their indexes."""
    load_sample(client, 14)
    make_legacy_indexes(client)
    return client


def numbers(names: list[str], *wanted: str) -> list[int]:
    """For each name, the number of its last request."""
    return [max(at for at, one in enumerate(names, 1) if one.startswith(name)) for name in wanted]


def again(client: redis.Redis) -> None:
    """As at the beginning."""
    client.flushall()
    drop_all(client)
    load_sample(client, 14)
    make_legacy_indexes(client)


def is_explained(ended: Ended) -> None:
    """Assert that it failed with a message, and the next step after it."""
    assert ended.code in (1, 4), ended.text
    assert "Traceback" not in ended.text
    _, _, error = ended.stderr.partition("Error: ")
    assert len(error.strip().splitlines()) >= 2, ended.stderr
    assert "om migrate" in error or "Run the same command again" in error, ended.stderr


@pytest.mark.sample(1)
@pytest.mark.parametrize("removal", REMOVALS)
def test_state_that_is_removed_is_reported(station: redis.Redis, removal: str) -> None:
    remove = REMOVALS[removal]
    _, names = om_during(RUN, {})
    during_conversion, at_cutover = numbers(names, "EVALSHA apply", "FT.SEARCH")
    _, names = om_during(VERIFY, {})
    (after_reading,) = numbers(names, "SCAN")
    is_explained(om_during(VERIFY, {after_reading: lambda: remove(station)})[0])
    for at in (during_conversion, at_cutover):
        again(station)
        is_explained(om_during(RUN, {at: lambda: remove(station)})[0])
    again(station)
    assert run_om(*RUN).code == 0
    # Sixty requests: the checks are over, and the first write comes next.
    is_explained(om_during(ROLLBACK, {60: lambda: remove(station)})[0])


@pytest.mark.sample(1)
@pytest.mark.parametrize("event", REPAIRED)
def test_what_can_be_repaired_is_and_the_rollback_is_exact(station: redis.Redis, event: str) -> None:
    before = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    _, names = om_during(RUN, {})
    points = numbers(names, "FT.SEARCH" if event.startswith("FT.") else "EVALSHA apply")
    again(station)
    ended, _ = om_during(RUN, {at: lambda: REPAIRED[event](station) for at in points})
    if ended.code:
        is_explained(ended)
    assert run_om(*RUN).code == 0
    assert run_om(*VERIFY).code == 0
    back = run_om(*ROLLBACK)
    assert back.code == 0, back.text
    assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []


def test_documents_that_are_renamed_are_missed(station: redis.Redis) -> None:
    _, names = om_during(RUN, {})
    (at,) = numbers(names, "EVALSHA apply")
    again(station)
    ended, _ = om_during(RUN, {at: lambda: rename_documents(station)})
    assert (ended.code, "5 documents of the initial scan under station:visit: disappeared" in ended.text) == (
        6,
        True,
    )


def test_cleanup_keeps_an_active_index_without_its_alias(station: redis.Redis) -> None:
    assert run_om(*RUN).code == 0
    remove_aliases(station)
    indexes = sorted(station.execute_command("FT._LIST"))
    ended = run_om(*CLEANUP)
    is_explained(ended)
    assert "Nothing was dropped" in ended.stderr
    assert sorted(station.execute_command("FT._LIST")) == indexes
    assert run_om("migrate", "run").code == 0
    assert run_om(*CLEANUP).code == 0
    assert run_om(*VERIFY).code == 0


def test_writes_that_are_paused_for_longer_than_the_lease(
    station: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redstart.migrations.lease.LEASE_MS", 100)
    before = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    _, names = om_during(RUN, {})
    points = numbers(names, "EVALSHA apply", "EVALSHA swap")
    again(station)
    pause = {at: lambda: station.client_pause(400, all=False) for at in points}
    ended, _ = om_during(RUN, pause)
    assert ended.code == 0, ended.text
    assert run_om(*ROLLBACK).code == 0
    assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []
