"""What a rollback could not restore: listed, kept, and dropped only when somebody says so."""

import json
from collections.abc import Callable

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.state_keys import StateKeys
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

KEY = "station:sighting:S-1"
UNDO = ("migrate-data", "rollback", "001_datetime_fields_to_timestamps", "--yes")


def load(client: redis.Redis) -> None:
    content = {
        "species": "tit",
        "wing_millimetres": 63.5,
        "ringed_at": "N/A" + "!" * 200,
        "capture": {"net": "3"},
    }
    client.execute_command("JSON.SET", KEY, "$", json.dumps(content))


def test_a_last_copy_is_kept_until_it_is_dropped_on_request(configured: str, client: redis.Redis) -> None:
    load(client)
    run_om("migrate-data", "run", "--yes", "--failure-mode", "quarantine")
    client.execute_command("JSON.SET", KEY, "$.ringed_at", "1600000000.5")
    client.execute_command("JSON.DEL", KEY, "$.ringed_at__invalid")
    preview = run_om(*UNDO, "--dry-run", "--json")
    assert (preview.code, preview.json["unrestored"]) == (0, 1)
    done = run_om(*UNDO)
    assert done.code == 6
    assert f'{KEY} ringed_at: not restored: the original is "N/A!' in done.stdout
    assert "; the document now has 1600000000.5\n" in done.stdout
    assert "Originals not restored: 1\n  " in done.stdout
    assert "  Or drop them with: om migrate-data drop-undo-log" in done.stdout
    status = run_om("migrate-data", "status").stdout
    assert "could not restore all values of 1 document." in status
    assert "1 original that the last rollback could not restore.\n" in run_om("migrate-data", "errors").stdout
    (listed,) = run_om("migrate-data", "errors", "--json").json["errors"]
    assert listed["value"] == '"N/A' + "!" * 200 + '"'
    assert "!" * 200 in run_om("migrate-data", "errors").stdout
    again = run_om(*UNDO, "--json")
    assert (again.code, again.json["status"], again.json["unrestored"]) == (6, "completed", 1)
    unconfirmed = run_om("migrate-data", "drop-undo-log", UNDO[2])
    without = (
        f"Not confirmed. Nothing was changed. Without its undo log, {UNDO[2]} cannot be rolled back. "
        "The undo log has the only copy of 1 original."
    )
    assert (unconfirmed.code, unconfirmed.stderr) == (2, f"Error: {without}\nTo drop it, add --yes.\n")
    assert run_om("migrate-data", "drop-undo-log", UNDO[2], "--yes").code == 0
    assert run_om("migrate-data", "errors", "--json").json["errors"] == []
    assert run_om(*UNDO, "--json").json["status"] == "nothing_to_do"


def test_what_was_saved_without_the_text_beside_it_gets_the_text_back(
    configured: str, client: redis.Redis
) -> None:
    load(client)
    before = client.execute_command("JSON.GET", KEY)
    run_om("migrate-data", "run", "--yes", "--failure-mode", "quarantine")
    client.execute_command("JSON.DEL", KEY, "$.ringed_at__invalid")
    assert run_om(*UNDO).code == 0
    assert client.execute_command("JSON.GET", KEY) == before


UNRESTORED = StateKeys(DATETIME_MIGRATION).unrestored
DAMAGE: dict[str, Callable[[redis.Redis], object]] = {
    "missing": lambda client: client.delete(UNRESTORED),
    "cut": lambda client: client.hdel(UNRESTORED, client.hkeys(UNRESTORED)[0]),
    "another type": lambda client: (client.delete(UNRESTORED), client.set(UNRESTORED, "x")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_last_copies_that_are_lost_are_named_by_every_command(
    configured: str, client: redis.Redis, damage: str
) -> None:
    load(client)
    run_om("migrate-data", "run", "--yes", "--failure-mode", "quarantine")
    client.execute_command("JSON.SET", KEY, "$.ringed_at", "1600000000.5")
    client.execute_command("JSON.DEL", KEY, "$.ringed_at__invalid")
    assert run_om(*UNDO).code == 6
    DAMAGE[damage](client)
    before = every_byte(client)
    for command in ("status", "errors", "run --yes", "run --dry-run", "verify", " ".join(UNDO[1:])):
        done = run_om("migrate-data", *command.split())
        assert (done.code, UNRESTORED in done.stderr) == (1, True), (command, done.text)
        assert every_byte(client) == before, command
    if damage == "another type":  # which may be somebody's data: it is moved away by hand
        assert run_om("migrate-data", "drop-undo-log", DATETIME_MIGRATION, "--yes").code == 1
        client.delete(UNRESTORED)
    assert run_om("migrate-data", "drop-undo-log", DATETIME_MIGRATION, "--yes").code == 0
    assert run_om("migrate-data", "errors", "--json").json["errors"] == []
