"""A misspelt name is an error that names the nearest one."""

from pathlib import Path

import pytest

from redstart import HashModel, JsonModel, QuerySyntaxError
from redstart.cli.main import COMMANDS
from redstart.cli.migrate.group import migrate
from redstart.cli.migrate_data.group import migrate_data
from tests.support.cli import refused, run_om


def misspelt(name: str) -> str:
    return f"{name}x"


@pytest.mark.parametrize(
    "words",
    [
        *([name] for name in COMMANDS),
        *(["migrate", name] for name in migrate.list_commands(None)),  # type: ignore[arg-type]
        *(["migrate-data", name] for name in migrate_data.list_commands(None)),  # type: ignore[arg-type]
    ],
)
def test_a_command(words: list[str]) -> None:
    *groups, name = words
    found = run_om(*groups, misspelt(name))
    refused(found, 2, f"No such command {misspelt(name)!r}. Did you mean {name!r}?")


def test_a_command_unlike_any_other() -> None:
    refused(run_om("xyz"), 2, "Error: No such command 'xyz'.\n")


@pytest.mark.parametrize("name", ["redstart.demo.models", "shop"])
def test_a_module(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.py").write_text("")
    monkeypatch.chdir(tmp_path)
    found = run_om("--models", misspelt(name), "migrate", "status")
    refused(found, 2, f"Did you mean {name!r}?")


@pytest.mark.parametrize("base", [HashModel, JsonModel])
def test_a_field(base: type[HashModel] | type[JsonModel]) -> None:
    class Visitor(base, index=True):  # type: ignore[misc,valid-type]
        city: str
        arrived_at: float

    with pytest.raises(QuerySyntaxError, match=r"Did you mean 'arrived_at'\?"):
        Visitor.find().update(arived_at=1.0)
