"""ARCHITECTURE.md lists every package and module, in the enforced order, and no file that does not exist."""

import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import FrameType

import pytest
import redis

from redstart import Field, HashModel, JsonModel
from redstart.demo.models import Visit
from redstart.demo.sample import VISIT_PREFIX
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.run import run
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys
from redstart.server.clients import open_like
from tests.docs.examples import ROOT
from tests.support.cli import run_om
from tests.support.migration import new_context, station_plan
from tests.support.models import registry_of_its_own

PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "redstart"
RUN, SAVE, MIGRATE = (
    "Walk: one document through a run",
    "Walk: `save()`",
    "Walk: `om migrate run`",
)


def section_of(heading: str) -> str:
    """Return the text below a heading, to the next one of the same or a higher level."""
    marks, _, _ = heading.partition(" ")
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(marks)}}} |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert found, heading
    return re.sub(r"^```.*?^```$", "", found[1], flags=re.DOTALL | re.MULTILINE)


def rows_of(section: str) -> list[str]:
    return re.findall(r"^\| `(\w+(?:/\w+)*(?:\.py|\.lua)?)/?` \|", section, re.MULTILINE)


def module_tables() -> dict[str, list[str]]:
    """Return the files in the tables of modules, by folder."""
    folders = re.findall(r"^### `([\w/]+)/`$", section_of("## Modules"), re.MULTILINE)
    return {folder: rows_of(section_of(f"### `{folder}/`")) for folder in folders}


def steps_of(walk: str) -> list[str]:
    return re.findall(r"^\d+\. `([\w/]+\.(?:py|lua))`: ", section_of(f"## {walk}"), re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "folder", "contract"),
    [
        ("## Packages", SOURCE, "A package imports only those below it"),
        (
            "### `migrations/`",
            SOURCE / "migrations",
            "Modules of the migrations import only those below them",
        ),
        (
            "### `migrations/data/`",
            SOURCE / "migrations" / "data",
            "Modules of the document engine import only those below them",
        ),
        (
            "### `migrations/indexes/`",
            SOURCE / "migrations" / "indexes",
            "Modules of the index engine import only those below them",
        ),
        (
            "### `migrations/operations/`",
            SOURCE / "migrations" / "operations",
            "Modules of the operations import only those below them",
        ),
    ],
)
def test_a_table_has_the_order_that_import_linter_checks(heading: str, folder: Path, contract: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["name"] == contract)
    groups = [
        [name.strip().removeprefix("redstart.") for name in layer.split("|")] for layer in reversed(layers)
    ]
    names = [name.removesuffix(".py") for name in rows_of(section_of(heading).partition("\n### ")[0])]
    layered = sorted(name for group in groups for name in group)
    assert sorted(names) == layered, f"the table in ARCHITECTURE.md and the contract {contract!r} differ"
    positions = [[names.index(name) for name in group] for group in groups]
    in_order = all(max(lower) < min(higher) for lower, higher in pairwise(positions))
    assert in_order, f"{heading} in ARCHITECTURE.md has another order than the contract {contract!r}"
    in_source = {path.name for path in folder.iterdir() if (path / "__init__.py").exists()}
    assert in_source <= set(names)


def test_every_file_it_names_exists() -> None:
    text = re.sub(r"^### .*?(?=^##)", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    names = set(re.findall(r"`([\w/]+\.(?:py|lua|md))`", text)) - {"group.py"}
    assert len(names) > 60
    roots = (SOURCE, ROOT)
    missing = sorted(name for name in names if not any((root / name).is_file() for root in roots))
    assert missing == [], "write the path from src/redstart or from the root of the project"
    in_tables = [SOURCE / folder / name for folder, names in module_tables().items() for name in names]
    assert [str(path) for path in in_tables if not path.exists()] == []
    in_cells = re.findall(r"`([\w/]+\.(?:py|lua))`", section_of("### `lua/`"))
    assert [
        name for name in in_cells if not (SOURCE / name).is_file() and not (SOURCE / "lua" / name).is_file()
    ] == []


def test_every_module_is_in_the_map() -> None:
    listed = {f"{folder}/{name}" for folder, names in module_tables().items() for name in names}
    listed |= set(rows_of(section_of("## Packages")))
    modules = {
        str(path.relative_to(SOURCE))
        for path in (*SOURCE.rglob("*.py"), *SOURCE.rglob("*.lua"))
        if path.name != "__init__.py" and not path.read_text(encoding="utf-8").startswith("# Generated")
    }
    assert len(modules) > 150
    assert sorted(modules - listed) == [], "add a row to the table of its folder in ARCHITECTURE.md"


def test_where_to_add_names_each_definition_in_its_file() -> None:
    """`_fate` in `migrations/data/page_converter.py`: that file defines it, and does not only import it."""
    section = re.sub(r"\s+", " ", section_of("## Where to add"))
    named = re.findall(r"`(\w+)`(?: there)?,? (?:in|of) `([\w/]+\.py)`", section)
    assert len(named) > 10
    wrong = []
    for name, file in named:
        source = next(root / file for root in (SOURCE, ROOT) if (root / file).is_file()).read_text("utf-8")
        if not re.search(rf"^\s*(?:def|class) {name}\b|^{name}(?::.*)? = ", source, re.MULTILINE):
            wrong.append((name, file))
    assert wrong == []


def test_every_script_is_named_with_the_module_that_sends_it() -> None:
    rows = re.findall(r"^\| `(\w+\.lua)` \| .+ \| `([\w/]+\.py)` \|$", section_of("### `lua/`"), re.MULTILINE)
    assert {script for script, _ in rows} == {path.name for path in (SOURCE / "lua").iterdir()}
    assert [
        script
        for script, module in rows
        if f'"{script}"' not in (SOURCE / module).read_text(encoding="utf-8")
    ] == []


@contextmanager
def entered_files() -> Iterator[list[str]]:
    """Record the files of redstart whose functions are called, in the order of the first calls."""
    entered: dict[str, None] = {}
    before = f"{SOURCE}{os.sep}"

    def record(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(before) and frame.f_code.co_name != "<module>":
            entered[name.removeprefix(before)] = None

    found: list[str] = []
    previous = sys.getprofile()
    sys.setprofile(record)
    try:
        yield found
    finally:
        sys.setprofile(previous)
        found += entered


MODELS = """
import datetime
from redstart import Field, HashModel

class Walked(HashModel, index=True):
    at: datetime.datetime = Field(index=True)
"""


LEFT_OUT = ("commands/", "server/", "effects.py", "errors.py", "display.py")
"""What the walk of a save leaves out."""


def save_one() -> None:
    import walked_models  # type: ignore[import-not-found]  # noqa: PLC0415 - written by the test

    walked_models.Walked(at="2023-01-01").save()


BESIDE_THE_WALK = ("next_steps.py", "commands/", "server/", "effects.py", "errors.py", "display.py")


def test_a_walk_has_the_figures_of_a_tracer(client: redis.Redis) -> None:
    """One document with a value that is converted and one that fails, from the engine's first step to its last."""
    client.execute_command("FLUSHALL", "SYNC")
    client.hset(VISIT_PREFIX + "1", mapping={"arrived_at": "2021-05-04 03:02", "permit_until": "never"})
    operation = run(new_context(), station_plan(Visit), RunOptions())
    with open_like(client) as driver, entered_files() as entered:
        assert driver.run(operation).errors == 1
    files = {name for name in entered if not name.startswith(BESIDE_THE_WALK)}
    section = section_of(f"## {RUN}")
    found = re.search(
        r"executes code of (\d+) files:\s+(\d+)\s+of the steps above, and(.*?)\.$", section, re.DOTALL | re.M
    )
    assert found, section
    steps = files & set(steps_of(RUN))
    others = set(re.findall(r"`([\w/]+\.py)`", found[3]))
    entered_too, not_entered = files - steps - others, others - (files - steps)
    assert not (entered_too | not_entered), f"in {RUN!r}, add {entered_too}, remove {not_entered}"
    assert (int(found[1]), int(found[2])) == (len(files), len(steps)), f"correct the figures of {RUN!r}"


@pytest.mark.parametrize(
    ("walk", "limit", "act"),
    [
        (RUN, 20, lambda: run_om("migrate-data", "run", "--yes")),
        (SAVE, 17, save_one),
        (MIGRATE, 18, lambda: run_om("migrate", "run", "--yes")),
    ],
    ids=["run", "save", "migrate"],
)
def test_a_walk_is_short_and_enters_the_files_that_it_names(
    walk: str,
    limit: int,
    act: Callable[[], object],
    client: redis.Redis,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "walked_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "walked_models", raising=False)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "walked_models")
    client.hset(":walked_models.Walked:1", mapping={"pk": "1", "at": "2023-01-01 00:00"})
    client.hset(":walked_models.Walked:2", mapping={"pk": "2", "at": "n/a"})
    steps = steps_of(walk)
    assert 10 < len(steps) == len(set(steps)) <= limit
    with registry_of_its_own(), entered_files() as entered:
        act()
    assert [step for step in steps if step.endswith(".py") and step not in entered] == []


@pytest.mark.parametrize(
    ("base", "only_here"),
    [
        (HashModel, set()),
        (JsonModel, {"sync/models.py", "documents/hash_encoder.py"}),
    ],
)
def test_a_save_enters_the_modules_of_its_walk_and_no_others(
    base: type[HashModel | JsonModel],
    only_here: set[str],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    section = section_of(f"## {SAVE}")
    modules = {step for step in steps_of(SAVE) if step.endswith(".py")}
    counts = re.search(r"these (\d+) modules.* JSON document enters (\d+)\.", section, re.DOTALL)
    more = re.search(r"first save of a class enters up to (\d+) more", section)
    assert counts
    assert more
    with registry_of_its_own():

        class Walked(base, index=True):  # type: ignore[valid-type, misc]  # the point of the test
            at: datetime = Field(index=True)

        entered: list[set[str]] = []
        for day in (1, 2):
            document = Walked(at=datetime(2023, 1, day, tzinfo=UTC))
            with entered_files() as files:
                document.save()
            entered.append({name for name in files if not name.startswith(LEFT_OUT)})
    first, second = entered
    expected = modules if base is HashModel else modules - only_here | {"documents/json_codec.py"}
    assert second == expected
    assert len(second) == int(counts[1 if base is HashModel else 2])
    assert len(first | second) - len(second) <= int(more[1])


def test_every_state_key_is_listed() -> None:
    prefix = f"redstart:{DATETIME_MIGRATION}:"
    keys = StateKeys(DATETIME_MIGRATION)
    names = {getattr(keys.lease, field.name) for field in fields(keys.lease)}
    names |= {getattr(keys, name) for name, kind in vars(StateKeys).items() if isinstance(kind, property)} - {
        keys.lease
    }
    section = section_of("## What is kept on the server")
    listed = {prefix + name for name in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)}
    assert listed == names
    assert APPLIED_MIGRATIONS in section
    assert prefix in section


def test_every_document_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    documents = [path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")]
    assert documents
    assert [str(path) for path in documents if f"({Path(path).as_posix()})" not in readme] == []
