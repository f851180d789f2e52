"""clear-progress, drop-undo-log, force-unlock: what they remove, and what they never do."""

import re
import time

import pytest
import redis

from redstart.errors import LeaseLostError
from redstart.migrations.data.checkpoint import Checkpoint, RunStage
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.lease import acquire
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import FILES_LEASE, StateKeys
from redstart.server.clients import open_sync
from tests.support.cli import run_om
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

KEYS = StateKeys(ID)


def test_clear_progress_starts_over_and_keeps_the_undo_log(station: redis.Redis) -> None:
    before = snapshot(station)
    assert run_om("migrate-data", "run", "--limit-documents", "20").code == 5
    journal = station.xlen(KEYS.journal)
    assert journal > 0

    assert run_om("migrate-data", "clear-progress", "--json").json == {"status": "cleared"}
    assert run_om("migrate-data", "progress", "--json").json["state"] == "none"
    assert station.xlen(KEYS.journal) == journal

    assert run_om("migrate-data", "run", "--json").json["resumed"] is False
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert difference(before, snapshot(station)) == []


def test_clear_progress_also_removes_what_redis_om_saved(station: redis.Redis) -> None:
    station.set(f"redis_om:migration_state:{ID}", "{}")
    assert "the undo log are kept" in run_om("migrate-data", "clear-progress").stdout
    assert not station.exists(f"redis_om:migration_state:{ID}")


def test_drop_undo_log_needs_yes_and_ends_rollbacks(station: redis.Redis) -> None:
    assert run_om("migrate-data", "run").code == 0
    converted = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    refused = run_om("migrate-data", "drop-undo-log", ID)
    assert refused.code == 2
    assert "--yes" in refused.stderr
    assert station.exists(KEYS.journal)

    assert run_om("migrate-data", "drop-undo-log", ID, "--yes", "--json").json == {"status": "dropped"}
    assert not station.exists(KEYS.journal, KEYS.census)
    assert run_om("migrate-data", "status", "--check").code == 0
    for options in ((), ("--dry-run",)):
        undone = run_om("migrate-data", "rollback", ID, *options)
        assert (undone.code, "its undo log was dropped" in undone.stderr) == (1, True), undone.text
    assert difference(converted, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []


def test_what_was_not_there_is_not_said_to_be_gone(station: redis.Redis) -> None:
    assert run_om("migrate-data", "clear-progress").stdout == "No progress is saved; nothing was deleted.\n"
    nothing = run_om("migrate-data", "drop-undo-log", ID, "--yes")
    assert (nothing.code, nothing.stdout) == (0, "There is no undo log; nothing was dropped.\n")
    assert run_om("migrate-data", "run").code == 0
    cleared = run_om("migrate-data", "clear-progress", "--json")
    assert (cleared.code, cleared.json) == (0, {"status": "nothing_to_do"})
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").stdout == "Undo log dropped.\n"
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes", "--json").json == {"status": "nothing_to_do"}


def test_saved_progress_without_an_undo_log_is_dropped_and_not_called_one(station: redis.Redis) -> None:
    station.set(KEYS.checkpoint, str(Checkpoint(RunStage.CENSUS, "plan", 1).command(KEYS)[-1]))
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes", "--json").json == {"status": "nothing_to_do"}
    assert not station.exists(KEYS.checkpoint)


def test_unlock_without_a_lease(station: redis.Redis) -> None:
    assert (
        run_om("migrate-data", "force-unlock", "--yes").stdout
        == "No run holds a lease; nothing was removed.\n"
    )
    assert run_om("migrate-data", "force-unlock", "-y", "--json").json == {
        "status": "not_locked",
        "lease_holder": None,
    }


def test_unlock_removes_the_lease_of_the_migration_files(station: redis.Redis, url: str) -> None:
    taking = acquire(FILES_LEASE, "stamping", this_process(), is_gone=lambda _: False, clock=time.monotonic)
    with open_sync(url) as driver:
        lease = driver.run(taking)
        assert "Lease removed." in run_om("migrate-data", "force-unlock", "--yes").stdout
        assert not station.exists(FILES_LEASE.lease)
        with pytest.raises(LeaseLostError):
            driver.run(lease.commit(()))


def test_forget_waits_for_an_unfinished_rollback_and_keeps_what_did_not_convert(
    station: redis.Redis, url: str
) -> None:
    assert run_om("migrate-data", "run").code == 0
    recorded = run_om("migrate-data", "errors", "--json").json["count"]
    assert recorded > 0
    station.set(KEYS.checkpoint, undoing_checkpoint())

    refused = run_om("migrate-data", "drop-undo-log", ID, "--yes")

    assert (refused.code, "A rollback was interrupted" in refused.stderr) == (1, True)
    station.delete(KEYS.checkpoint)
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    assert run_om("migrate-data", "errors", "--json").json["count"] == recorded
    assert run_om("migrate-data", "verify").code == 0


def undoing_checkpoint() -> str:
    """A rollback's saved progress, as the server keeps it."""
    command = Checkpoint(RunStage.REPLAY, "plan", 1).command(KEYS)
    return str(command[-1])


def test_a_run_after_forget_offers_only_the_undo_that_there_is(station: redis.Redis) -> None:
    undo = f"Undo the conversion with: om migrate-data rollback {ID}"
    first = run_om("migrate-data", "run")
    assert undo in first.stdout
    assert "dropped" not in first.stdout
    converted = run_om("migrate-data", "verify", "--check-data", "--json").json["undo_log"]["unchanged"]
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0

    nothing = run_om("migrate-data", "run").stdout
    stays = re.search(r"^(\d+) values were converted before the undo log was dropped", nothing, re.MULTILINE)
    assert stays is not None
    assert int(stays[1]) == converted
    assert "Undo " not in nothing

    station.hset("station:visit:late", "arrived_at", "2020-01-01")
    after = run_om("migrate-data", "run").stdout
    assert stays[0] in after
    assert f"Undo the rest with: om migrate-data rollback {ID}" in after
    assert f"Roll back, all but {converted} values" in run_om("migrate-data", "status", "--detailed").stdout
    undone = run_om("migrate-data", "rollback", ID, "--json").json
    assert (undone["restored_exactly"], undone["rewritten_as_text"]) == (1, 0)
    assert undone["stay_converted"] == converted
    assert stays[0] in run_om("migrate-data", "run").stdout


def test_a_run_that_changed_nothing_offers_no_undo(configured: str, client: redis.Redis) -> None:
    client.hset("station:visit:new", "arrived_at", "1600000000.0")
    found = run_om("migrate-data", "run")
    assert (found.code, "Undo" in found.stdout) == (0, False)
