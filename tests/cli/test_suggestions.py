"""A misspelt name is an error that names the nearest one."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.cli.main import COMMANDS
from redstart.cli.migrate.group import migrate
from redstart.cli.migrate_data.group import migrate_data
from redstart.errors import QueryError, RedisModelError
from redstart.mapping.meta import KNOWN
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.settings import SETTINGS, VARIABLES
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


@pytest.mark.sample(7)
@pytest.mark.parametrize("typed", ["001", "001_datetime_fields_to_timestamp", misspelt(ID), ID.upper()])
@pytest.mark.parametrize("words", [["rollback", "--yes"], ["drop-undo-log", "--yes"]])
def test_a_migration(typed: str, words: list[str], url: str, station: redis.Redis) -> None:
    """The command is typed again with the whole id, and works."""
    run_om("migrate-data", "run", "--yes")
    name, *options = words
    found = run_om("migrate-data", name, typed, *options, "--url", url)
    meant = f"om migrate-data {name} --url {url} {ID} --yes"
    refused(found, 1, f"Did you mean: {meant}\nList all with: om migrate-data status --url {url}\n")
    assert run_om(*meant.split()[1:]).code in (0, 6)


def test_a_migration_unlike_any_other(station: redis.Redis) -> None:
    found = run_om("migrate-data", "rollback", "x")
    refused(found, 1, "The data migration 'x' does not exist.\nList all with: om migrate-data status\n")


@pytest.mark.parametrize("name", ["redstart.demo.models", "shop"])
def test_a_module(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.py").write_text("")
    monkeypatch.chdir(tmp_path)
    found = run_om("--models", misspelt(name), "migrate", "status")
    refused(found, 2, f"Did you mean {name!r}?")


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("spelling", [misspelt, str.upper])
def test_a_setting_in_pyproject(
    name: str, spelling: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.redstart]\n{spelling(name)} = "x"\n')
    monkeypatch.chdir(tmp_path)
    refused(run_om("migrate", "status"), 2, f"tool.redstart.{spelling(name)}. Did you mean {name!r}?")


@pytest.mark.parametrize("name", VARIABLES)
def test_an_environment_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name.replace("D", "DD", 1), "x")
    monkeypatch.setenv("REDIS_URL", "x")
    found = run_om("--models", "no_such_module", "migrate", "status")
    warnings = [line for line in found.stderr.splitlines() if line.startswith("Warning: ")]
    assert warnings == [
        f"Warning: Environment variable {name.replace('D', 'DD', 1)} has no effect. Did you mean {name!r}?"
    ]


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in ("embedded", "primary_key")])
def test_a_setting_of_meta(name: str) -> None:
    with pytest.raises(RedisModelError, match=re.escape(f"Meta.{misspelt(name)}. Did you mean {name!r}?")):
        type(
            "Visitor", (JsonModel,), {"Meta": type("Meta", (), {misspelt(name): "x"}), "__module__": __name__}
        )
    with pytest.raises(AttributeError, match=re.escape(f"Did you mean {name!r}?")):
        getattr(JsonModel.Meta, misspelt(name))


class Address(EmbeddedJsonModel):
    street: str = Field(index=True)


class Visitor(JsonModel, index=True):
    city: str = Field(index=True, sortable=True)
    arrived_at: float = Field(index=True, sortable=True)
    address: Address = Address(street="Via Appia")


class Guest(HashModel, index=True):
    city: str = Field(index=True, sortable=True)
    arrived_at: float = Field(index=True, sortable=True)


USES: dict[str, Callable[[Any, str], object]] = {
    "attribute": getattr,
    "sort_by": lambda model, name: model.find().sort_by(name),
    "sort_by, descending": lambda model, name: model.find().sort_by(f"-{name}"),
    "only": lambda model, name: model.find().only(name),
    "values": lambda model, name: model.find().values(name),
    "update of a query": lambda model, name: model.find().update(**{name: 1.0}),
    "update of a document": lambda model, name: model(city="Rome", arrived_at=1.0).update(**{name: 1.0}),
}


@pytest.mark.parametrize("model", [Visitor, Guest])
@pytest.mark.parametrize("name", ["city", "arrived_at"])
@pytest.mark.parametrize("use", USES)
def test_a_field(model: type[HashModel] | type[JsonModel], name: str, use: str) -> None:
    with pytest.raises((AttributeError, QueryError), match=re.escape(f"Did you mean {name!r}?")):
        USES[use](model, misspelt(name))


@pytest.mark.parametrize("use", ["only", "values", "update of a query"])
def test_a_field_of_an_embedded_document(use: str) -> None:
    with pytest.raises(QueryError, match=r"Did you mean 'street'\?"):
        USES[use](Visitor, "address__streett")
    with pytest.raises(AttributeError, match=r"Did you mean 'street'\?"):
        _ = Visitor.address.streett  # type: ignore[attr-defined]
