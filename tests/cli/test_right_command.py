"""A migration that another command handles: the error names that command, and nothing is written."""

from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as DATES
from tests.cli.conftest import Lay
from tests.migrations.files.conftest import migration
from tests.migrations.test_project_migrations import INITIAL
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

FILE, DATA, SCHEMA = "20260101_000000_initial", "20250101_000000_own", "20250102_000000_table"
NOUNS = {
    DATES: "the conversion of dates",
    FILE: "a migration file",
    DATA: "a data migration file of redis-om",
    SCHEMA: "a schema migration file of redis-om",
}
YES = "--yes"
COMMANDS: list[tuple[str, dict[str, str]]] = [
    (
        "migrate-data rollback ID --yes",
        {FILE: f"migrate rollback {FILE}", SCHEMA: f"migrate rollback {SCHEMA}"},
    ),
    ("migrate-data drop-undo-log ID --yes", {SCHEMA: "migrate status"}),
    ("migrate-data clear-progress ID --yes", {SCHEMA: "migrate status"}),
    (
        "migrate rollback ID --yes",
        {DATES: f"migrate-data rollback {DATES}", DATA: f"migrate-data rollback {DATA}"},
    ),
    (
        "migrate rollback --to ID --yes",
        {
            DATES: f"migrate-data rollback {DATES}",
            DATA: f"migrate-data rollback {DATA}",
            SCHEMA: f"migrate rollback {SCHEMA}",
        },
    ),
    (
        "downgrade ID --yes",
        {
            DATES: f"migrate-data rollback {DATES}",
            DATA: f"migrate-data rollback {DATA}",
            SCHEMA: f"migrate rollback {SCHEMA}",
        },
    ),
    (
        "upgrade --to ID --yes",
        {DATES: "migrate-data run", DATA: "migrate-data run", SCHEMA: "migrate run"},
    ),
    *(
        (
            command,
            {DATES: "migrate-data status", DATA: "migrate-data status", SCHEMA: "migrate status"},
        )
        for command in (
            "migrate show ID",
            "migrate stamp ID",
            "migrate stamp --to ID",
            "migrate plan --to ID",
        )
    ),
]


@pytest.mark.parametrize(("command", "right"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_an_error_names_the_command_of_a_migration(
    station: redis.Redis, lay: Lay, command: str, right: dict[str, str]
) -> None:
    lay("data-migrations", **{DATA: migration(DATA)})
    lay("schema-migrations", **{SCHEMA: migration(SCHEMA)})
    (Path("migrations") / f"{FILE}.py").write_text(INITIAL)
    before = every_byte(station)
    for migration_id, named in right.items():
        found = run_om(*command.replace("ID", migration_id).split())
        assert found.code == 1, found.text
        assert found.stderr.startswith(f"Error: {migration_id} is {NOUNS[migration_id]}.\n"), found.stderr
        assert found.stderr.endswith(f": om {named}\n"), found.stderr
        assert "does not exist" not in found.stderr
    assert every_byte(station) == before


def test_without_migration_files_an_error_names_the_command_of_a_migration(
    station: redis.Redis, lay: Lay
) -> None:
    lay("data-migrations", **{DATA: migration(DATA)})
    for migration_id in (DATES, DATA):
        found = run_om("migrate", "rollback", migration_id, "--yes")
        assert found.code == 1
        assert found.stderr.startswith(f"Error: {migration_id} is {NOUNS[migration_id]}.\n"), found.stderr
        assert found.stderr.endswith(f": om migrate-data rollback {migration_id}\n")


def test_the_beginning_of_an_id_is_enough_for_the_name_of_the_command(station: redis.Redis, lay: Lay) -> None:
    lay("data-migrations", **{DATA: migration(DATA)})
    (Path("migrations") / f"{FILE}.py").write_text(INITIAL)
    for command, meant in (
        ("migrate-data rollback 20260101", f"migrate rollback {FILE}"),
        ("migrate-data rollback initial", f"migrate rollback {FILE}"),
        ("migrate-data drop-undo-log 20260101 --yes", f"migrate-data drop-undo-log {FILE} --yes"),
        ("migrate rollback 001", f"migrate-data rollback {DATES}"),
        # Of two ids with this beginning, the one that the typed command handles.
        ("migrate-data rollback 2", f"migrate-data rollback {DATA}"),
    ):
        found = run_om(*command.split())
        assert found.code == 1
        assert f"does not exist.\nDid you mean: om {meant}\nList all with: om " in found.stderr, found.stderr
