"""`om migrate history`, `current`, `show`, `stamp` and `plan`: the project's own files and the record of them."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.migrations.lease_state import this_user
from redstart.migrations.state_keys import LEDGER
from tests.migrations.files.conftest import migration
from tests.support.cli import Ended, om_on_terminal, refused, run_om
from tests.support.snapshot import every_byte

A, B, C = "20261101_090000_initial", "20261102_090000_title", "20261103_090000_priority"
Lay = Callable[..., Path]


def text(*dependencies: str, description: str = "", before: str = "") -> str:
    """A migration file."""
    return (
        f'"""{description}"""\n\nfrom redstart.migrations.files.migration_file import Migration\n\n{before}\n'
        f"migration = Migration(dependencies={list(dependencies)})\n"
    )


CHAIN = {A: text(description="Create Order."), B: text(A), C: text(B, description="Add Order.priority.")}


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Lay:
    """Lays files, by their ids, into a directory in the current one; the environment names an empty server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)

    def lay(texts: dict[str, str], directory: str = "migrations") -> Path:
        root = tmp_path / directory
        root.mkdir(parents=True, exist_ok=True)
        for name, content in texts.items():
            (root / f"{name}.py").write_text(content, encoding="utf-8")
        return root

    return lay


@pytest.fixture
def root(lay: Lay) -> Path:
    """A directory with three files, one after the other."""
    return lay(CHAIN)


def states(*words: str) -> dict[str, str]:
    found = run_om("migrate", "history", "--json", *words)
    assert found.code == 0, found.text
    return {one["id"]: one["state"] for one in found.json["migrations"]}


def stamp(*words: str) -> Ended:
    found = run_om("migrate", "stamp", *words)
    assert found.code == 0, found.text
    return found


def test_history_lists_files_in_order_and_what_is_recorded_of_them(root: Path) -> None:
    stamp("--to", B)
    found = run_om("migrate", "history").stdout
    rows = [row.split() for row in found.splitlines() if row.startswith("2026")]
    assert [row[:2] for row in rows] == [[A, "applied"], [B, "applied"], [C, "pending"]]
    assert this_user() in found
    assert found.endswith("Total migrations: 3; 1 pending\n")
    data = run_om("migrate", "history", "--json").json
    assert (data["where"], data["heads"], data["problems"]) == ("migrations", [C], [])
    first, _, last = data["migrations"]
    assert (first["description"], first["path"]) == ("Create Order.", f"migrations/{A}.py")
    assert (first["applied_by"], first["duration_ms"]) == (this_user(), None)
    assert (last["dependencies"], last["applied_ms"]) == ([B], None)


@pytest.mark.parametrize("command", ["history", "current", "plan"])
def test_without_files_the_next_step_is_named_and_nothing_is_written(
    lay: Lay, client: redis.Redis, command: str
) -> None:
    found = run_om("migrate", command)
    assert found.code == 0, found.text
    assert command == "current" or "Write the first one with: om migrate create NAME" in found.stdout
    assert not Path("migrations").exists()
    assert every_byte(client) == {}


def test_reading_commands_write_nothing(root: Path, client: redis.Redis) -> None:
    stamp("--to", B)
    before = every_byte(client)
    for words in (("history",), ("current",), ("show", B), ("plan",)):
        assert run_om("migrate", *words).code == 0
    assert every_byte(client) == before


def test_files_of_redis_om_are_in_the_same_history(lay: Lay, client: redis.Redis) -> None:
    lay(
        {"20250101_000000_fill": migration("20250101_000000_fill"), "b": migration("b")},
        "migrations/data-migrations",
    )
    lay({A: text("20250101_000000_fill")})
    client.sadd("redis_om:applied_migrations", "20250101_000000_fill", "gone")
    data = run_om("migrate", "history", "--json").json["migrations"]
    assert [(one["id"], one["kind"], one["state"]) for one in data] == [
        ("20250101_000000_fill", "redis-om data", "applied"),
        ("b", "redis-om data", "pending"),
        ("gone", "redis-om data", "without_file"),
        (A, "redstart", "pending"),
    ]
    assert "redis-om data" in run_om("migrate", "history").stdout


def test_current_is_the_last_applied_file(lay: Lay, root: Path) -> None:
    assert run_om("migrate", "current").stdout.startswith(
        "No migration file is applied.\n3 migration files pending."
    )
    stamp(A)
    stamp(B)
    assert run_om("migrate", "current", "--json").json == {"current": [B], "heads": [C], "pending": [C]}
    stamp(C)
    assert run_om("migrate", "current").stdout == f"{C} (head)\n"
    lay({"20261103_100000_other": text(B)})
    stamp("20261103_100000_other")
    assert run_om("migrate", "current", "--json").json["current"] == [C, "20261103_100000_other"]


def test_show_takes_the_beginning_of_an_id(root: Path) -> None:
    stamp("--to", B)
    found = run_om("migrate", "show", B[:8])
    assert found.code == 0
    for words in (B, "applied", f"migrations/{B}.py", A, C, this_user(), "recorded without being run"):
        assert words in found.stdout
    refused(run_om("migrate", "show", "2026"), 1, "3 migrations have an id with 2026", "Type more")
    refused(
        run_om("migrate", "show", "\x1b[31m"),
        1,
        "The migration '\\x1b[31m' does not exist",
        "om migrate history",
    )


def test_show_of_a_migration_without_a_file_shows_its_record(root: Path) -> None:
    stamp(A)
    (root / f"{A}.py").unlink()
    found = run_om("migrate", "show", A)
    assert found.code == 0
    assert "applied, no file" in found.stdout
    assert f"om migrate stamp --remove {A}" in found.stdout


def test_plan_lists_the_pending_files_in_order(root: Path) -> None:
    stamp(A)
    assert [one["id"] for one in run_om("migrate", "plan", "--json").json["migrations"]] == [B, C]
    assert [one["id"] for one in run_om("migrate", "plan", "--json", "--to", B).json["migrations"]] == [B]
    assert f"2 migration files to apply, in this order:\n{B}\n" in run_om("migrate", "plan").stdout
    stamp("--to", C)
    assert run_om("migrate", "plan").stdout == "Nothing is pending.\n"


def test_stamp_records_one_file_and_needs_those_before_it(root: Path, client: redis.Redis) -> None:
    refused(
        run_om("migrate", "stamp", B),
        1,
        f"{B} depends on {A}, which is not recorded",
        f"om migrate stamp --to {B}",
    )
    assert not client.exists(LEDGER)
    assert run_om("migrate", "stamp", A, "--json").json == {"recorded": [A], "removed": []}
    assert run_om("migrate", "stamp", A, "--json").json == {"recorded": [], "removed": []}
    assert stamp("--to", C).stdout == f"Recorded as applied: {B}\nRecorded as applied: {C}\n"
    assert stamp("--to", C).stdout == "Nothing to record: already recorded as applied.\n"


def test_stamp_removes_the_last_file_first(root: Path) -> None:
    stamp("--to", C)
    refused(run_om("migrate", "stamp", "--remove", B), 1, f"{C} is recorded as applied and depends on {B}")
    assert run_om("migrate", "stamp", "--remove", C, "--json").json == {"recorded": [], "removed": [C]}
    assert states() == {A: "applied", B: "applied", C: "pending"}
    refused(run_om("migrate", "stamp", "--remove", C), 1, f"{C} is not recorded as applied")


@pytest.mark.parametrize("words", [(), (A, "--to", B), ("--remove", "--to", A), ("--remove",)])
def test_stamp_takes_one_id(root: Path, words: tuple[str, ...]) -> None:
    refused(run_om("migrate", "stamp", *words), 2, "one ID")


@pytest.mark.parametrize("words", ["run --accept-unreadable", "rollback --drop-created"])
@pytest.mark.usefixtures("root")
def test_options_for_projects_without_files_are_refused(client: redis.Redis, words: str) -> None:
    option = words.rsplit(maxsplit=1)[-1]
    refused(run_om("migrate", *words.split()), 2, f"{option} is for a project without migration files.")
    assert not client.dbsize()


def test_stamp_asks_on_a_terminal(root: Path, client: redis.Redis) -> None:
    found = om_on_terminal("migrate", "stamp", A, answer="n")
    assert found.code == 1
    assert f"Record {A} as applied on" in " ".join(found.shown.split())
    assert not client.exists(LEDGER)
    assert om_on_terminal("migrate", "stamp", A, answer="y").code == 0
    assert om_on_terminal("migrate", "stamp", B, "--yes").code == 0
    assert states()[B] == "applied"


def test_an_edited_file_is_noticed_and_can_be_accepted(root: Path) -> None:
    stamp("--to", C)
    (root / f"{B}.py").write_text(text(A, description="Edited."), encoding="utf-8")
    assert states() == {A: "applied", B: "edited", C: "applied"}
    for command in (("history",), ("show", B)):
        assert f"om migrate stamp {B}" in run_om("migrate", *command).stdout
    refused(run_om("migrate", "plan"), 1, f"{B} was edited after it was applied", f"om migrate stamp {B}")
    stamp(B)
    assert states()[B] == "applied"


def test_a_record_without_a_file_is_noticed_and_can_be_removed(root: Path) -> None:
    stamp("--to", C)
    (root / f"{C}.py").unlink()
    assert states()[C] == "without_file"
    refused(run_om("migrate", "plan"), 1, f"{C} is recorded as applied, but migrations has no such file")
    refused(
        run_om("migrate", "stamp", C), 1, f"{C} is recorded as applied, and has no file", "stamp --remove"
    )
    stamp("--remove", C)
    assert C not in states()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({B: "import nowhere_at_all"}, f"migrations/{B}.py, line 1: ModuleNotFoundError: No module named"),
        ({B: "migration = ("}, f"migrations/{B}.py, line 1: SyntaxError: '(' was never closed"),
        ({B: text("x")}, f"{B} depends on x, which has no file in migrations"),
        ({B: text(C)}, f"migrations depend on each other in a cycle: {B} -> {C} -> {B}"),
        ({B: "x = 1"}, f"migrations/{B}.py: it does not assign the variable migration"),
        ({B: text(A, before="raise SystemExit(0)")}, f"migrations/{B}.py, line 5: SystemExit: 0"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    root: Path, client: redis.Redis, texts: dict[str, str], said: str
) -> None:
    for name, content in texts.items():
        (root / f"{name}.py").write_text(content, encoding="utf-8")
    found = run_om("migrate", "history")
    assert (found.code, said in found.stdout) == (0, True), found.text
    assert re.search(rf"^{B} +pending, cannot be used", found.stdout, re.MULTILINE), found.stdout
    assert found.stdout.count("Correct the file") == 1  # what depends on it has no problem of its own
    refused(run_om("migrate", "plan"), 1, said, "Correct the file")
    refused(run_om("migrate", "stamp", "--to", C), 1)
    assert not client.exists(LEDGER)
    problem = run_om("migrate", "history", "--json").json["problems"][0]
    assert problem["path"] == f"migrations/{B}.py"


def test_two_heads_are_noticed(lay: Lay, root: Path) -> None:
    lay({"20261103_100000_other": text(B)})
    said = f"2 heads: {C}, 20261103_100000_other"
    assert said in run_om("migrate", "history").stdout
    refused(run_om("migrate", "plan"), 1, said, "om migrate merge")


@pytest.mark.parametrize("damage", ["type", "truncated", "newer", "lost"])
@pytest.mark.parametrize("command", [("history",), ("current",), ("show", A), ("plan",)])
def test_a_damaged_record_is_named_by_every_command(
    root: Path, client: redis.Redis, damage: str, command: tuple[str, ...]
) -> None:
    stamp("--to", B)
    entry = client.hget(LEDGER, B)
    assert isinstance(entry, bytes)
    if damage == "type":
        client.delete(LEDGER)
        client.set(LEDGER, "theirs")
    elif damage == "truncated":
        client.hset(LEDGER, B, entry[:-20])
    elif damage == "newer":
        client.hset(LEDGER, B, json.dumps(json.loads(entry) | {"format": 99}))
    else:
        client.delete(LEDGER)
    before = every_byte(client)
    refused(run_om("migrate", *command), 1, LEDGER)
    assert every_byte(client) == before
    if damage in ("truncated", "lost"):
        stamp("--to", B)
        assert run_om("migrate", *command).code == 0
    else:
        refused(run_om("migrate", "stamp", "--to", B), 1, LEDGER)
        assert every_byte(client) == before


def test_the_directory_is_named_in_the_next_command(lay: Lay) -> None:
    lay(CHAIN, "db/steps")
    found = run_om("migrate", "stamp", B, "--migrations-dir", "db/steps")
    refused(found, 1, f"om migrate stamp --migrations-dir db/steps --to {B}")
    stamp("--migrations-dir", "db/steps", "--to", B)
    assert states("--migrations-dir=db/steps")[B] == "applied"


def test_the_directory_is_that_of_the_environment(lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(CHAIN, "elsewhere")
    monkeypatch.setenv("REDIS_OM_MIGRATIONS_DIR", "elsewhere")
    assert states() == dict.fromkeys((A, B, C), "pending")
    monkeypatch.setenv("REDIS_OM_MIGRATIONS_DIR", "")
    lay({"20261101_090000_x": text()})
    lay({"20261101_090000_y": text()}, ".")
    assert list(states()) == ["20261101_090000_x"]


def test_a_directory_that_is_none_or_cannot_be_read_is_named(lay: Lay) -> None:
    lay({})
    Path("file").write_text("", encoding="utf-8")
    for name in ("nowhere", "file"):
        refused(run_om("migrate", "history", "--migrations-dir", name), 2, name)
    if os.geteuid():
        Path("migrations").chmod(0)
        refused(run_om("migrate", "history"), 2, "migrations cannot be listed: Permission denied")


def test_output_of_a_file_does_not_mix_with_json(lay: Lay) -> None:
    lay({A: text(before="print('noise')")})
    found = run_om("migrate", "history", "--json")
    assert (found.json["heads"], found.stderr) == ([A], "noise\n")


def test_descriptions_and_names_are_shown_without_control_characters(lay: Lay) -> None:
    lay({A: text(description="\x1b[31mred\x07")})
    found = run_om("migrate", "history")
    assert "\\x1b[31mred\\x07" in found.stdout
    assert "\x1b" not in found.text


def test_models_are_not_needed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    assert states() == dict.fromkeys((A, B, C), "pending")
