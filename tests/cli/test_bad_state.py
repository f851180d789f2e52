"""Keys that are not as Redstart left them: what is said, and that no document changed."""

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.state_keys import StateKeys
from tests.support.cli import refused, run_om
from tests.support.snapshot import STATE_PREFIXES, Snapshot, difference, snapshot

KEYS = StateKeys(ID)
RUN = ("migrate-data", "run")


def test_keys_of_another_type_are_left_alone_and_counted(configured: str, client: redis.Redis) -> None:
    client.hset("station:visit:a", "arrived_at", "2020-01-01")
    client.set("station:visit:text", "2020-01-01")
    client.rpush("station:visit:list", "2020-01-01")
    client.json().set("station:visit:json", "$", {"arrived_at": "2020-01-01"})
    before = snapshot(client)
    assert run_om("migrate-data", "stats", "--json").json["foreign_keys"] == 3
    assert "keys of another type, not read      3" in run_om("migrate-data", "stats").stdout
    assert run_om(*RUN).code == 0
    (changed,) = difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES))
    assert changed.startswith("station:visit:a")


@pytest.fixture
def interrupted(station: redis.Redis) -> tuple[redis.Redis, Snapshot]:
    """A stopped run, and all documents as it left them."""
    assert run_om(*RUN, "--limit-documents", "20").code == 5
    return station, snapshot(station, exclude_prefixes=STATE_PREFIXES)


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (b"\xff\x00", "cannot be read"),
        (b"{}", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"format": 2}', "cannot be read"),
        (b'{"format": 1}', "has format 1; this version of Redstart reads format 2"),
    ],
)
def test_saved_progress_that_is_not_understood(
    interrupted: tuple[redis.Redis, Snapshot], saved: bytes, said: str
) -> None:
    client, before = interrupted
    client.set(KEYS.checkpoint, saved)
    for command in ("run", "progress", "status"):
        found = run_om("migrate-data", command)
        refused(found, 1, KEYS.checkpoint, said, "om migrate-data clear-progress")
    refused(run_om("migrate-data", "rollback", ID), 1, KEYS.checkpoint)
    assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []

    assert run_om("migrate-data", "clear-progress").code == 0
    assert run_om(*RUN).code == 0
    assert run_om("migrate-data", "verify").code == 0


@pytest.mark.parametrize("key", [KEYS.record, KEYS.checkpoint, KEYS.census, KEYS.journal])
def test_state_of_another_type(station: redis.Redis, key: str) -> None:
    before = snapshot(station)
    station.hset(key, "not", "ours") if key == KEYS.checkpoint else station.set(key, "not ours")
    found = run_om(*RUN)
    assert found.code == 1
    assert f"Error: {key} is a " in found.stderr
    assert "Traceback" not in found.text
    assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []


def test_a_record_that_is_damaged(station: redis.Redis) -> None:
    station.hset(KEYS.record, "plan", "{")
    before = snapshot(station)
    refused(run_om(*RUN), 1, KEYS.record, "Unexpected content in", f"om migrate-data drop-undo-log {ID}")
    assert difference(before, snapshot(station)) == []


def test_models_that_changed_since_the_interruption(
    interrupted: tuple[redis.Redis, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, before = interrupted
    monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "Asia/Kolkata")
    refused(run_om(*RUN), 1, "now be interpreted in Asia/Kolkata", f"om migrate-data rollback {ID}\n")
    assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []


def test_an_undo_log_that_lost_entries(station: redis.Redis) -> None:
    assert run_om(*RUN).code == 0
    before = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    station.xtrim(KEYS.journal, 0, approximate=False)
    refused(run_om("migrate-data", "rollback", ID), 1, KEYS.journal, "om migrate-data drop-undo-log")
    assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []
