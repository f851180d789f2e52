"""Migration files of redis-om in `status` and `run`: found, listed, and refused if they cannot be used."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import Lay
from tests.migrations.files.conftest import migration
from tests.support.cli import Ended, run_om
from tests.support.snapshot import every_byte

SCHEMA_RECORD, DATA_RECORD = "redis_om:schema_applied_migrations", "redis_om:applied_migrations"
GROUPS = [("migrate", "schema-migrations", SCHEMA_RECORD), ("migrate-data", "data-migrations", DATA_RECORD)]
NOTHING = {"applied": [], "pending": [], "applied_unreadable": [], "without_file": [], "problems": []}

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_status_lists_what_is_applied_and_pending(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str
) -> None:
    lay(folder, a=migration("a", "c"), b=migration("b"), c=migration("c"))
    station.sadd(record, "b", "gone")
    found = run_om(group, "status", "--json").json
    assert found["files"] == NOTHING | {
        "where": f"migrations/{folder}",
        "applied": ["b"],
        "pending": ["c", "a"],
        "without_file": ["gone"],
    }
    text = run_om(group, "status").stdout
    assert f"Migration files in migrations/{folder}" in text
    states = dict(re.findall(r"^(a|b|c|gone) +(applied|pending)", text, re.MULTILINE))
    assert states == {"a": "pending", "b": "applied", "c": "pending", "gone": "applied"}
    assert "recorded; no file declares it" in text
    assert group == "migrate-data" or "Total migrations: 3 in files" in text
    assert "2 migration files are pending." in text


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_without_files_nothing_is_said_of_them(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str
) -> None:
    assert run_om(group, "status", "--json").json["files"] == NOTHING | {"where": f"migrations/{folder}"}
    for command in ("status", "run"):
        found = run_om(group, command, *(["--accept-unindexed"] if command == "run" else []))
        assert (found.code, "migration file" in found.text) == (0, False), found.text
    assert not Path("migrations").exists()


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_check_ends_with_3_until_all_are_on_record(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str
) -> None:
    run_om("migrate-data", "run", "--accept-unindexed", "--failure-mode", "default")
    run_om("migrate", "run", "--accept-unindexed")
    assert run_om(group, "status", "--check").code == 0
    directory = lay(folder, a=migration("a"))
    assert run_om(group, "status", "--check").code == 3
    station.sadd(record, "a")
    assert run_om(group, "status", "--check").code == 0
    (directory / "b.py").write_text("1 / 0", encoding="utf-8")
    assert run_om(group, "status", "--check").code == 3
    station.sadd(record, "b")
    assert run_om(group, "status", "--check").code == 0


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_where_files_are_looked_for(
    station: redis.Redis, lay: Lay, monkeypatch: pytest.MonkeyPatch, group: str, folder: str, record: str
) -> None:
    lay(folder, a=migration("a"))
    lay(folder, root="other", b=migration("b"))
    directory = lay(folder, root="third", c=migration("c"))

    def pending(*words: str) -> list[str]:
        found = run_om(group, "run", "--dry-run", "--json", *words).json["pending_files"]
        assert found == run_om(group, "status", "--json", *words).json["files"]["pending"]
        return list(found)

    assert pending() == ["a"]
    monkeypatch.setenv("REDIS_OM_MIGRATIONS_DIR", "other")
    assert pending() == ["b"]
    assert pending("--migrations-dir", str(directory)) == ["c"]
    monkeypatch.setenv("REDIS_OM_MIGRATIONS_DIR", "nowhere")
    assert pending() == []


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
@pytest.mark.parametrize("command", ["status", "run"])
def test_a_directory_that_is_named_has_to_be_there(
    configured: str, lay: Lay, group: str, folder: str, record: str, command: str
) -> None:
    lay(folder, a="")
    for name in ("nowhere", f"migrations/{folder}/a.py"):
        found = run_om(group, command, "--migrations-dir", name)
        assert (found.code, name in found.stderr, "Traceback" in found.text) == (2, True, False)


def are_announced(found: Ended) -> bool:
    files = "1 migration file of redis-om to run, in migrations/"
    return (
        files in found.stderr
        and ":\n  a: Fill sites\nWhat they change is outside the undo log" in found.stderr
    )


@pytest.mark.parametrize(
    ("group", "folder", "words"),
    [
        ("migrate", "schema-migrations", ["--dry-run"]),
        ("migrate-data", "data-migrations", ["--dry-run"]),
    ],
)
def test_a_dry_run_names_the_files_and_executes_none(
    station: redis.Redis, lay: Lay, group: str, folder: str, words: list[str]
) -> None:
    lay(folder, a=migration("a").replace("pass", "raise SystemExit('it was run')"))
    before = every_byte(station)
    found = run_om(group, "run", *words)
    assert (found.code, are_announced(found)) == (0, True)
    assert run_om(group, "run", *words, "--json").json["pending_files"] == ["a"]
    assert every_byte(station) == before


def test_a_conversion_that_stops_is_not_followed_by_files(station: redis.Redis, lay: Lay) -> None:
    lay("data-migrations", a=migration("a"))
    assert run_om("migrate-data", "run", "--limit-documents", "5").code == 5
    assert not station.sismember(DATA_RECORD, "a")


def test_the_log_file_has_the_exit_code_and_the_files(station: redis.Redis, lay: Lay) -> None:
    skipped = migration("b") + "\n    async def can_run(self):\n        return False\n"
    lay("data-migrations", a=migration("a"), b=skipped)
    run_om("migrate-data", "run", "--log-file", "run.log")
    (last,) = Path("run.log").read_text(encoding="utf-8").splitlines()[-1:]
    assert '"exit_code": 3' in last
    assert '"applied_files": ["a"]' in last
    assert '"pending_files": ["b"]' in last


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
def test_a_file_that_cannot_be_used_refuses_a_run_before_any_write(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str
) -> None:
    directory = lay(folder, **{"20240101_000000_a": "import sys\n\n1 / 0\n"})
    (directory / "20250101_000000_empty.py").touch()
    station.config_resetstat()
    found = run_om(group, "run")
    assert found.code == 1
    assert (
        f"migrations/{folder}/20240101_000000_a.py, line 3: ZeroDivisionError: division by zero"
        in found.stderr
    )
    assert f"List all problems with: om {group} status" in found.stderr
    assert "Traceback" not in found.text
    assert not {"cmdstat_hset", "cmdstat_evalsha", "cmdstat_FT.CREATE"} & station.info("commandstats").keys()
    assert run_om(group, "run", "--json").json["exit_code"] == 1

    status = run_om(group, "status")
    assert status.code == 0
    for said in (
        "20240101_000000_a.py, line 3: ZeroDivisionError",
        "20250101_000000_empty.py: it declares no subclass",
    ):
        assert f"cannot be used: migrations/{folder}/" in status.stdout
        assert said in status.stdout
    problems = run_om(group, "status", "--json").json["files"]["problems"]
    assert problems[0] == {
        "path": f"migrations/{folder}/20240101_000000_a.py",
        "line": 3,
        "reason": "ZeroDivisionError: division by zero",
    }
    station.sadd(record, "20240101_000000_a", "20250101_000000_empty")
    assert "cannot be used" not in run_om(group, "status").stdout


def test_what_a_file_prints_does_not_get_between_a_script_and_its_json(
    station: redis.Redis, lay: Lay
) -> None:
    lay("data-migrations", a=f"print('hello')\n{migration('a')}")
    found = run_om("migrate-data", "status", "--json")
    assert (found.json["files"]["pending"], "hello" in found.stderr) == (["a"], True)


def test_a_file_may_import_the_application(station: redis.Redis, lay: Lay) -> None:
    lay("data-migrations", a=f"import shop_of_this_test\n{migration('a')}")
    Path("shop_of_this_test.py").touch()
    assert run_om("migrate-data", "status", "--json").json["files"]["pending"] == ["a"]


def test_data_migrations_of_a_module(
    station: redis.Redis, lay: Lay, write_module: Callable[[str], str]
) -> None:
    two = migration("b") + migration("a").replace("FillSites", "Other")
    name = write_module(f"{two}\nMIGRATIONS = [Other]\n".replace("aredis_om.", "redstart.aio."))
    status = run_om("migrate-data", "status", "--module", name, "--json").json["files"]
    assert (status["where"], status["pending"]) == (name, ["a"])
    assert run_om("migrate-data", "run", "--module", name).code == 0
    assert station.sismember(DATA_RECORD, "a")
    assert not station.sismember(DATA_RECORD, "b")
    assert "down()" in run_om("migrate-data", "rollback", "a", "--module", name).stderr
    both = run_om("migrate-data", "status", "--module", name, "--migrations-dir", ".")
    assert (both.code, "Give one of them" in both.stderr) == (2, True)
    wrong = run_om("migrate-data", "run", "--module", "nothing.there")
    assert (wrong.code, "nothing.there" in wrong.stderr, "Traceback" in wrong.text) == (2, True, False)


def test_hostile_ids_are_shown_as_one_line(station: redis.Redis, lay: Lay) -> None:
    lay("data-migrations", a=migration(r"x\n\x1b[2J[bold]").replace("Fill sites", r"\x1b]0;title\x07"))
    station.sadd(DATA_RECORD, b"\xff\n\x1b[2J")
    for command in ("status", "run"):
        found = run_om("migrate-data", command)
        assert "\x1b" not in found.text
        assert "x \\x1b[2J[bold]" in found.text
    assert run_om("migrate-data", "status", "--json").json["files"]["applied"] == ["x\n\x1b[2J[bold]"]


def test_what_redis_om_recorded_of_dates_is_measured(station: redis.Redis, lay: Lay) -> None:
    """It records its own migration also where it converted nothing: pending, until a run has read every value."""
    station.sadd(DATA_RECORD, ID)
    lay("data-migrations", a=migration("a", ID))
    before = run_om("migrate-data", "status", "--json").json
    assert (before["recorded_elsewhere"], before["pending"], before["files"]["without_file"]) == (
        True,
        [ID],
        [],
    )
    assert before["files"]["pending"] == ["a"]
    text = run_om("migrate-data", "status").stdout
    assert "redis-om applied it, which it records even if nothing was converted" in text
    assert "om migrate-data verify" in text
    assert run_om("migrate-data", "verify").code == 3
    run_om("migrate-data", "run", "--failure-mode", "default")
    after = run_om("migrate-data", "status", "--json").json
    assert (after["recorded_elsewhere"], after["pending"], after["applied"]) == (False, [], [ID])


def test_where_redis_om_did_convert_a_run_only_records_it(station: redis.Redis, lay: Lay) -> None:
    run_om("migrate-data", "run", "--failure-mode", "default")
    run_om("migrate-data", "drop-undo-log", ID, "--yes")
    for key in station.scan_iter("redstart:*"):
        station.delete(key)
    assert run_om("migrate-data", "status", "--json").json["recorded_elsewhere"]
    assert run_om("migrate-data", "verify").code == 0
    found = run_om("migrate-data", "run", "--json").json
    assert (found["converted"], found["failed"]) == (0, 0)
    assert run_om("migrate-data", "status", "--json").json["applied"] == [ID]


@pytest.mark.parametrize("state", ["applied", "pending", "unreadable", "gone"])
@pytest.mark.parametrize("converted", [False, True])
def test_drop_undo_log_answers_about_the_migration_that_was_named(
    station: redis.Redis, lay: Lay, state: str, converted: bool
) -> None:
    """Never about another one: what its hint names would be typed."""
    if converted:
        assert run_om("migrate-data", "run").code == 0
    if state != "gone":
        lay("data-migrations", own="raise KeyError" if state == "unreadable" else migration("own"))
    if state != "pending":
        station.sadd(DATA_RECORD, "own")
    before = every_byte(station)
    found = run_om("migrate-data", "drop-undo-log", "own", "--yes")
    assert found.code == 1
    where = (
        "no file declares it" if state == "gone" else "it is declared in migrations/data-migrations/own.py"
    )
    assert found.stderr.startswith(f"Error: The data migration own has no undo log: {where}")
    assert ID not in found.text
    assert every_byte(station) == before


@pytest.mark.parametrize(("group", "folder", "record"), GROUPS)
@pytest.mark.parametrize("text", ["raise KeyError", "import gone_for_good", "class", "x = 1"])
def test_an_applied_file_that_cannot_be_read_is_listed(
    station: redis.Redis, lay: Lay, group: str, folder: str, record: str, text: str
) -> None:
    """Every id on record is in the list, whatever has become of its file."""
    name = "20240101_000000_old"
    lay(folder, **{name: text})
    station.sadd(record, name)
    found = run_om(group, "status")
    assert found.code == 0
    assert re.search(rf"{name} +applied +recorded; its file cannot be read", found.stdout)
    assert f"cannot be read: migrations/{folder}/{name}.py" in found.stdout
    (listed,) = run_om(group, "status", "--json").json["files"]["applied_unreadable"]
    assert listed["path"] == f"migrations/{folder}/{name}.py"
