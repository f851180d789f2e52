"""Typed as `redstart`, because another `om` exists, every command that a message names is `redstart ...` too."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from redstart import __version__
from redstart.cli.output import named_as_typed, rendered
from redstart.commands.server_info import info
from redstart.effects import call
from redstart.errors import ServerConnectionError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.next_steps import Command, Hint
from redstart.server.clients import open_sync
from tests.cli.conftest import MODELS
from tests.support.cli import Ended, run_om
from tests.support.demo_run import DemoRun

OUR_COMMAND = re.compile(r"\bom (migrate|server\b|demo\b|--)")


def as_redstart(*words: str) -> Ended:
    found = run_om(*words, name="/some/where/bin/redstart")
    assert not OUR_COMMAND.search(found.text), found.text
    return found


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--help", "Usage: redstart [OPTIONS]"),
        ("migrate --help", "Usage: redstart migrate "),
        ("migrate-data run --help", "`redstart migrate-data rollback`"),
        ("migrate run --help", "`redstart migrate-data run`"),
        ("migrate rollback --help", "Server, as in redstart --url."),
        ("migrate-data no-such", "See the options with: redstart migrate-data --help"),
        ("migrate-data rollback", "For the conversion of dates, use: redstart migrate-data rollback 001_"),
    ],
)
def test_help_and_wrong_usage(words: str, named: str) -> None:
    assert named in " ".join(as_redstart(*words.split()).text.split())  # click wraps lines


def test_the_version(tmp_path: Path) -> None:
    """In a process of its own, from a script as pip writes them: click keeps the first name it was asked under."""
    script = tmp_path / "redstart"
    script.write_text("import sys\nfrom redstart.cli.main import main\nsys.exit(main())\n")
    done = subprocess.run([sys.executable, script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"redstart, version {__version__}\n")


def test_the_whole_way(station: redis.Redis) -> None:
    steps = {
        "migrate-data stats": "redstart migrate-data run --dry-run",
        "migrate-data status": "Convert with: redstart migrate-data run",
        "migrate-data check-schema": "Next: redstart migrate run",
        "migrate-data check-schema --json": '"recommendation": "redstart migrate run"',
        "migrate status": "redstart migrate run",
        "migrate run --yes": "redstart migrate-data run",
        "migrate-data run --dry-run": "cut over later with: redstart migrate-data run",
        "migrate-data run --yes --limit-documents 5": "Resume with: redstart migrate-data run",
        "migrate-data progress": "with: redstart migrate-data run",
        "migrate-data run --yes --failure-mode default": "Verify the result with: redstart migrate-data verify",
        "migrate-data status --detailed": f"Roll back with: redstart migrate-data rollback {ID}",
        f"migrate-data rollback {ID} --yes": "",
    }
    for words, named in steps.items():
        assert named in as_redstart(*words.split()).text, words


def test_errors_that_come_from_below(station: redis.Redis) -> None:
    run_om("migrate-data", "run", "--yes", "--limit-documents", "5")
    station.set(f"redstart:{ID}:checkpoint", b"what we never wrote")
    hint = "redstart migrate-data clear-progress"
    assert hint in as_redstart("migrate-data", "run", "--yes").stderr
    assert hint in as_redstart("migrate-data", "run", "--yes", "--json").json["hint"]


def test_a_server_that_does_not_reply(configured: str) -> None:
    """Programs and commands get the same hint."""
    found = as_redstart("migrate-data", "status", "--url", "redis://localhost:1")
    with pytest.raises(ServerConnectionError) as raised, open_sync("redis://localhost:1") as driver:
        _ = driver.run(call(info()))
    hint = str(raised.value.hint)
    assert "start one with: om server" in hint
    renamed = re.sub(r"\bom\b", "redstart", hint)
    assert found.stderr.endswith(f"\n{renamed}\n")


def test_what_is_logged_of_an_error(station: redis.Redis, tmp_path: Path) -> None:
    station.set(f"redstart:{ID}:checkpoint", b"what we never wrote")
    as_redstart("migrate-data", "run", "--yes", "--log-file", str(tmp_path / "log"))
    assert "redstart migrate-data clear-progress" in (tmp_path / "log").read_text()


def test_the_demo_types_what_was_typed(demo_run: DemoRun) -> None:
    assert not OUR_COMMAND.search(demo_run.stdout + demo_run.stderr), demo_run.stdout
    assert "\n$ redstart migrate-data run --dry-run\n" in demo_run.stdout


@pytest.mark.parametrize("name", ["om", "/usr/bin/om", "", "main.py", "-c"])
def test_as_om_nothing_changes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [name])
    hint = Hint("Convert with: ", Command("migrate-data run"))
    assert rendered(hint) == str(hint) == "Convert with: om migrate-data run"


def test_only_commands_are_changed_in_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["redstart"])
    for text in ("from redis-om migrated", "com migrate", "om is", "om migrat", "om servers"):
        assert named_as_typed(text) == text
    assert named_as_typed("`om server`, om --url, TZ=UTC om ...") == (
        "`redstart server`, redstart --url, TZ=UTC redstart ..."
    )


def test_text_around_commands_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key or a value may contain the same words."""
    monkeypatch.setattr("sys.argv", ["redstart", "--url", "redis://localhost:1"])
    assert rendered(
        Hint("The value om migrate run; see ", Command("migrate-data errors"), " of om server")
    ) == ("The value om migrate run; see redstart migrate-data errors --url redis://localhost:1 of om server")


def test_an_option_that_the_command_has_is_not_added_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.argv", ["om", "--url", "redis://localhost:1", "--models", "shop", "migrate", "status"]
    )
    assert rendered(Command("migrate run", "--models", "other")) == (
        "om migrate run --url redis://localhost:1 --models other"
    )


def test_the_next_command_means_the_same_server_and_models(
    station: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed as it stands, it must not go to the server that the environment names."""
    monkeypatch.setenv("REDIS_OM_URL", "redis://localhost:1")
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    words = ("--url", url, "migrate-data", "run", "--dry-run", f"--models={MODELS}")
    looked = run_om(*words)
    following = f"om migrate-data run --url {url} --models {MODELS}"
    assert f"Convert with: {following}" in looked.stdout.splitlines(), looked.text
    assert run_om(*following.split()[1:], "--yes").code in (0, 3)
    refused = run_om("migrate-data", "rollback", "--url", url, "--models", MODELS)
    assert f"use: om migrate-data rollback --url {url} --models {MODELS} 001_" in refused.stderr


@pytest.mark.parametrize(
    "option", [("--url=redis://u:se%20cret@localhost:1",), ("--url", "redis://:secret@localhost:1")]
)
def test_but_no_password_is_shown(option: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["om", *option, "migrate", "run", "--models", "a b"])
    hint = Hint("Type: ", Command("migrate run", "--yes"), ", or ", Command("server"))
    assert rendered(hint) == ("Type: om migrate run --url URL --models 'a b' --yes, or om server")
