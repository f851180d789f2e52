"""A directory of migration files, and libraries that take redis-om's name for one test."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Write = Callable[[str, str], Path]

MIGRATION = """
from aredis_om.model.migrations.data import BaseMigration

class FillSites(BaseMigration):
    migration_id = "{id}"
    description = "Fill sites"
    dependencies = {dependencies}

    async def up(self) -> None:
        pass
"""


def migration(migration_id: str, *dependencies: str) -> str:
    """A file's text, as redis-om's own `create` lays it out."""
    return MIGRATION.format(id=migration_id, dependencies=list(dependencies))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file into the directory `migrations`, which is there."""
    (tmp_path / "migrations").mkdir()

    def write(name: str, text: str) -> Path:
        path = tmp_path / "migrations" / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def directory(write: Write, tmp_path: Path) -> Path:
    """The directory that `write` writes into."""
    return tmp_path / "migrations"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], None]]:
    """Lets modules be importable for one test: their texts by path, as `aredis_om/model.py`."""
    before = set(sys.modules)

    def install(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / "installed" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path / "installed")

    yield install
    installed = str(tmp_path / "installed")
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(installed):
            del sys.modules[name]
