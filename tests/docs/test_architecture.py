"""ARCHITECTURE.md lists every package, in the enforced order, and no file that does not exist."""

import re
import tomllib
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from redstart.migrations.state_keys import APPLIED_MIGRATIONS, DATETIME_MIGRATION, StateKeys
from tests.docs.examples import ROOT

MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "redstart"


@pytest.mark.parametrize(
    ("heading", "folder", "contract"),
    [
        ("# Architecture", SOURCE, "A package imports only those below it"),
        (
            "## The folders of the datetime migration",
            SOURCE / "migrations" / "data",
            "A folder of the datetime migration imports only those below it",
        ),
    ],
)
def test_every_package_stands_in_the_order_that_import_linter_checks(
    heading: str, folder: Path, contract: str
) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["name"] == contract)
    groups = [
        [name.strip().removeprefix("redstart.") for name in layer.split("|")] for layer in reversed(layers)
    ]
    section = MAP.partition(f"{heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+(?:\.py)?)/?` \|", section, re.MULTILINE)
    packages = [name.removesuffix(".py") for name in rows]
    assert sorted(packages) == sorted(name for group in groups for name in group)
    positions = [[packages.index(name) for name in group] for group in groups]
    assert all(max(lower) < min(higher) for lower, higher in pairwise(positions))
    in_source = {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert in_source <= set(packages)


def test_every_file_it_names_exists() -> None:
    names = re.findall(r"`([\w/]+\.(?:py|lua))`", MAP)
    assert len(names) > 20
    known = [
        str(path.relative_to(ROOT))
        for path in (*SOURCE.rglob("*.*"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py"))
    ]
    assert [name for name in names if not any(f"/{path}".endswith(f"/{name}") for path in known)] == []


def test_every_state_key_is_listed() -> None:
    prefix = f"redstart:{DATETIME_MIGRATION}:"
    keys = StateKeys(DATETIME_MIGRATION)
    names = {getattr(keys.lease, field.name) for field in fields(keys.lease)}
    names |= {getattr(keys, name) for name, kind in vars(StateKeys).items() if isinstance(kind, property)} - {
        keys.lease
    }
    section = MAP.partition("## What is kept on the server")[2].partition("\n## ")[0]
    listed = {prefix + name for name in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)}
    assert listed == names
    assert APPLIED_MIGRATIONS in section
    assert prefix in section


def test_every_document_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    documents = [path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")]
    assert documents
    assert [str(path) for path in documents if f"({Path(path).as_posix()})" not in readme] == []
