"""docs/cli.md is what the commands say of themselves, and they say something."""

import importlib.util
from pathlib import Path
from types import ModuleType

import click
import pytest

from redstart.cli.exit_codes import Exit
from redstart.cli.output import broken, unbroken, wrapped
from redstart.migrations.lease_state import this_process

DOCS = Path(__file__).parents[2] / "docs"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_cli", DOCS / "generate_cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate_cli = _load()
COMMANDS: dict[str, click.Command] = dict(generate_cli.commands(generate_cli.om))


def test_the_page_is_not_stale() -> None:
    stale = "run: python docs/generate_cli.py"
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == generate_cli.page(), stale


READ_ONLY = {
    *(
        "migrate status",
        "migrate plan",
        "migrate check",
        "migrate history",
        "migrate current",
        "migrate show",
    ),
    *("migrate merge", "migrate-data stats", "migrate-data status", "migrate-data check-schema"),
    *("migrate-data progress", "migrate-data verify", "migrate-data errors", "migrate-data force-unlock"),
    *("server", "demo", "completion"),
}
"""Commands that take no lease."""


@pytest.mark.parametrize("path", [path for path in COMMANDS if " " in path])
def test_a_lease_names_the_command_without_its_arguments(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, *words = path.split()
    monkeypatch.setattr("sys.argv", ["om", *words, "--url", "redis://:secret@localhost:1"])
    command = this_process().command
    assert "secret" not in command
    if " ".join(words) not in READ_ONLY:
        assert command == path


@pytest.mark.parametrize("path", [path for path in COMMANDS if " " in path])
def test_a_command_in_a_sentence_is_not_broken(path: str) -> None:
    for width in range(20, 60):
        assert path in broken(wrapped(unbroken(f"The next command is {path} and nothing else."), width))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_has_help(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    for typed, text in generate_cli.options(command):
        assert text.rstrip("[]").strip(), (path, typed)
        assert text.endswith((".", "]")), (path, typed, text)


@pytest.mark.parametrize(
    "path", [path for path, command in COMMANDS.items() if isinstance(command, click.Group)]
)
def test_the_list_of_commands_says_what_each_does(path: str) -> None:
    group = COMMANDS[path]
    assert isinstance(group, click.Group)
    context = generate_cli.context_of(group, path)
    shown = group.get_help(context)
    for name in group.list_commands(context):
        assert f"  {name} " in shown


def test_the_guides_and_the_issues_commands_are_there() -> None:
    words = (
        "stats, status, check-schema, run, progress, clear-progress, verify, errors, rollback, drop-undo-log, "
        "force-unlock"
    )
    assert {f"om migrate-data {name}" for name in words.split(", ")} | {
        "om server",
        "om demo",
    } <= COMMANDS.keys()


@pytest.mark.parametrize("path", [path for path in COMMANDS if path.startswith("om migrate-data ")])
def test_every_data_command_takes_json(path: str) -> None:
    assert "--json" in {name for parameter in COMMANDS[path].params for name in parameter.opts}


def test_every_exit_code_is_on_the_page() -> None:
    page = generate_cli.page()
    for code in Exit:
        assert f"\n| {int(code)} | " in page
