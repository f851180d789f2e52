"""Commands with a wrong migration or wrong options: what is said, and that nothing on the server changed."""

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.support.cli import refused, run_om
from tests.support.snapshot import difference, snapshot


@pytest.mark.parametrize("command", ["rollback", "drop-undo-log"])
def test_an_unknown_migration(station: redis.Redis, command: str) -> None:
    before = snapshot(station)
    found = run_om("migrate-data", command, "002_other", "--yes")
    refused(
        found, 1, "The data migration '002_other' does not exist.", "List all with: om migrate-data status"
    )
    assert ID not in found.text, "a hint never names another migration"
    assert difference(before, snapshot(station)) == []


@pytest.mark.parametrize("command", ["rollback", "drop-undo-log"])
def test_no_migration_is_named(station: redis.Redis, command: str) -> None:
    before = snapshot(station)
    hint = f"For the conversion of dates, use: om migrate-data {command} {ID}"
    found = run_om("migrate-data", command, "--yes")
    refused(found, 2, "No migration ID was given.", f"\n{hint}\n")
    as_json = run_om("migrate-data", command, "--yes", "--json").json
    assert (as_json["exit_code"], as_json["hint"]) == (2, hint)
    assert difference(before, snapshot(station)) == []


@pytest.mark.parametrize(
    "words",
    [
        "run --batch-size 0",
        "run --batch-size 100001",
        "run --batch-size many",
        "run --max-errors 0",
        "run --limit -1",
        "run --limit-documents 0",
        "run --failure-mode ignore",
        "run --colour",
        "run extra",
        f"rollback {ID} extra",
        "no-such-command",
    ],
)
def test_wrong_usage(station: redis.Redis, words: str) -> None:
    before = snapshot(station)
    found = run_om("migrate-data", *words.split())
    refused(found, 2, "See the options with: om migrate-data", "--help")
    assert run_om("migrate-data", *words.split(), "--json").json["exit_code"] == 2
    assert difference(before, snapshot(station)) == []


@pytest.mark.parametrize("words", ["", "migrate-data"])
def test_without_a_command_the_help_is_shown(words: str) -> None:
    found = run_om(*words.split())
    assert (found.code, found.stdout) == (2, "")
    assert found.stderr.startswith(f"Usage: om {words}".strip())
    assert "Commands:" in found.stderr
