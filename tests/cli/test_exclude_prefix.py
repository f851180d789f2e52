"""--exclude-prefix: what is named is not converted, and a rollback reports what it leaves."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import LOG
from tests.support.cli import run_om
from tests.support.snapshot import every_byte

TEXT = "2021-05-04T03:02:01Z"
NEWER = "1700000000.0"


@pytest.fixture
def models(
    url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, write_module: Callable[[str], str]
) -> str:
    monkeypatch.setenv("REDIS_OM_URL", url)
    for key in ("app:log:1", "app:log:2", "app:log:archive:1"):
        client.hset(key, "at", TEXT)
    return write_module(LOG)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("newer", [(), ("app:log:2",), ("app:log:archive:1",)])
def test_a_rollback_reports_converted_values_that_it_leaves_out(
    client: redis.Redis, models: str, newer: tuple[str, ...], preview: bool
) -> None:
    """A value of an excluded document that is unchanged since the run gets its original bytes, as any other."""
    assert run_om("migrate-data", "run", "--yes", "--models", models).code == 0
    for key in newer:
        client.hset(key, "at", NEWER)
    options = ("--dry-run",) if preview else ("--yes",)
    rolled = run_om(
        *("migrate-data", "rollback", ID, *options, "--models", models, "--json"),
        *("--exclude-prefix", "app:log:archive:"),
    )
    left = [key for key in newer if key.startswith("app:log:archive:")]
    assert [one["key"] for one in rolled.json["not_reversible_values"]] == left
    assert rolled.json["not_reversible"] == len(left)
    assert rolled.json["restored_exactly"] == 3 - len(newer)
    assert rolled.json["rewritten_as_text"] == len(newer) - len(left)
    assert rolled.code == (6 if left and not preview else 0)


def test_a_rollback_does_not_report_pre_existing_numbers_that_it_leaves_out(
    client: redis.Redis, models: str
) -> None:
    client.hset("app:log:archive:1", "at", NEWER)
    assert run_om("migrate-data", "run", "--yes", "--models", models).code == 0
    rolled = run_om(
        *("migrate-data", "rollback", ID, "--yes", "--models", models),
        *("--exclude-prefix", "app:log:archive:"),
    )
    assert rolled.code == 0, rolled.text


def test_the_next_commands_exclude_the_same_keys(client: redis.Redis, models: str) -> None:
    """Except a rollback, which knows what its runs left out and would leave converted values."""
    client.hset("app:log:1", "at", "N/A")
    options = ("--models", models, "--exclude-prefix", "app:log:archive:")
    shown = ""
    for words in (("stats",), ("run", "--dry-run"), ("status",), ("verify",), ("run", "--yes")):
        shown += run_om("migrate-data", *words, *options).stdout
    named = re.findall(r"om migrate-data ((?:run|verify|rollback|stats).*)", shown)
    assert {one.split()[0] for one in named} == {"run", "verify", "rollback"}
    for one in named:
        excluded = not one.startswith("rollback")
        assert one.count("--exclude-prefix app:log:archive:") == excluded, one


UNUSED = ["app:log:", "app:log", "app:", "app:lag:archive:", "other:", ""]


@pytest.mark.parametrize("option", ["--exclude-prefix", "--include-prefix"])
@pytest.mark.parametrize("prefix", UNUSED)
def test_a_prefix_that_concerns_no_keys_is_refused(
    client: redis.Redis, models: str, prefix: str, option: str
) -> None:
    def refused(*words: str) -> bool:
        before = every_byte(client)
        found = run_om("migrate-data", *words, option, prefix, "--models", models)
        return found.code == 2 and option in found.text and every_byte(client) == before

    assert refused("run", "--yes")
    assert refused("run", "--dry-run")
    assert option == "--include-prefix" or refused("verify")
    assert client.hget("app:log:1", "at") == TEXT.encode()
    assert run_om("migrate-data", "run", "--yes", "--models", models).code == 0
    assert refused("rollback", ID, "--yes")
    assert refused("rollback", ID, "--dry-run")


@pytest.mark.parametrize("prefix", UNUSED[:-1])
def test_such_a_prefix_in_the_settings_is_warned_of(
    client: redis.Redis, models: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of a project: a command may concern other models."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.redstart]\nexclude_prefixes = ['{prefix}']\n")
    monkeypatch.chdir(tmp_path)
    for words in (("run", "--yes"), ("verify",), ("rollback", ID, "--yes")):
        found = run_om("migrate-data", *words, "--models", models)
        assert (found.code, f"exclude_prefixes in pyproject.toml has '{prefix}'" in found.stderr) == (0, True)
