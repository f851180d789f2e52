"""Every example of every document does what the document says."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import pytest
import redis

from redstart.demo.checker import load_sample
from redstart.demo.sample import SampleDocument, generate
from redstart.mapping.value_paths import path_text
from redstart.server.clients import open_sync
from tests.docs.examples import (
    DOCUMENTS,
    GUIDE,
    OPERATIONS,
    ROOT,
    Command,
    commands_of,
    first_missing,
    parse_document,
    stop_all,
    type_commands,
)
from tests.migrations.indexes.conftest import drop_all, make_legacy_indexes
from tests.support.models import registry_of_its_own

PATHS = sorted(path for pattern in DOCUMENTS for path in ROOT.glob(pattern))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _sample() -> list[SampleDocument]:
    return list(generate(600))


@pytest.fixture
def environment(client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The sample on a server, and the settings a reader has when the examples begin; no models of other tests.

    It has no null as an item of a list: no run makes a date of that, and no model reads it.
    """
    sample = _sample()
    with open_sync(url) as driver:
        driver.run(load_sample(sample))
    for document in sample:
        for place, kind in document.dirty.items():
            if kind == "null" and isinstance(place[-1], int):
                _ = client.execute_command(
                    "JSON.SET", document.key, path_text(place), '"2023-01-01T00:00:00"'
                )
    settings = {"REDIS_OM_URL": url, "REDSTART_MODELS": "redstart.demo.models"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with registry_of_its_own():
        yield settings


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_examples(path: Path, environment: dict[str, str], client: redis.Redis, tmp_path: Path) -> None:
    document = parse_document(path)
    document.namespace |= {
        "environment": environment,
        "url": environment["REDIS_OM_URL"],
        "directory": tmp_path,
        "__name__": "shop",  # the module that models of the document are in
    }
    if path.parent == GUIDE:
        make_legacy_indexes(client)
    if path.parent == OPERATIONS:
        _ = shutil.copytree(OPERATIONS / "example", tmp_path, dirs_exist_ok=True)
        environment["REDSTART_MODELS"] = ""
        type_commands("$ om upgrade --yes\n$ python seed.py\n", document.namespace)
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        try:
            stop_all(document)
        finally:
            drop_all(client)


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert broken == []


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_anchors_of_links_exist(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", path.read_text(encoding="utf-8"))
    targets = [(path.parent / page if page else path, anchor) for page, anchor in links]
    assert [(page.name, anchor) for page, anchor in targets if anchor not in anchors(page)] == []


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_files_it_names_exist(path: Path) -> None:
    names = re.findall(r"`((?:src|tests|docs|bench)/[\w./*-]+)`", path.read_text(encoding="utf-8"))
    assert [name for name in names if not list(ROOT.glob(name))] == []


def test_the_documents_are_found() -> None:
    assert {"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "data-migration.md", "checklist.md"} <= {
        path.name for path in PATHS
    }


def test_a_console_block_is_read_as_commands_codes_and_lines() -> None:
    block = "$ om migrate-data status --check  # exit 3\npending: ...\n\n$ om server --port \\\n  0  # a comment\n"
    assert commands_of(block) == [
        Command(["om", "migrate-data", "status", "--check"], 3, ["pending: ..."]),
        Command(["om", "server", "--port", "0"], 0, []),
    ]


def test_lines_must_be_there_in_order() -> None:
    output = "one  \ntwo 2\nthree\n"
    assert first_missing(["one", "t... 2", "three"], output) is None
    assert first_missing(["three", "one"], output) == "one"
    assert first_missing(["two"], output) == "two"
    assert first_missing(["one", "one"], output) == "one"


@pytest.fixture
def page(tmp_path: Path) -> Callable[[str], None]:
    """Evaluate the examples of a page that is given as text, with a migration file next to it."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "20260101_000000_initial.py").write_text("a\nb\nc\nb\n", encoding="utf-8")
    path = tmp_path / "page.md"

    def evaluate(text: str) -> None:
        path.write_text(text, encoding="utf-8")
        document = parse_document(path)
        document.namespace |= {"environment": {}, "directory": tmp_path}
        try:
            for example in document.examples():
                example.evaluate()
        finally:
            stop_all(document)

    return evaluate


DIFF = "```diff\n--- migrations/..._initial.py\n@@\n{}```\n"
SHOWN = "```python\n# migrations/..._initial.py\n{}```\n"


def test_a_diff_edits_a_migration_file(page: Callable[[str], None], tmp_path: Path) -> None:
    page(DIFF.format(" a\n-b\n+d\n@@\n-c\n") + SHOWN.format("a\nd\nb\n"))
    text = (tmp_path / "migrations" / "20260101_000000_initial.py").read_text(encoding="utf-8")
    assert text == "a\nd\nb\n"


@pytest.mark.parametrize("text", [DIFF.format("-b\n+d\n"), DIFF.format("-x\n"), SHOWN.format("c\na\n")])
def test_lines_of_a_file_have_to_be_there(page: Callable[[str], None], text: str) -> None:
    with pytest.raises(Exception, match=r"not exactly one time|no line"):
        page(text)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("print('works', flush=True); time.sleep(60)", None),
        ("print('works', flush=True); raise ValueError('lost')", "ValueError: lost"),
        ("print('fails', flush=True)", "no line 'works'"),
    ],
)
def test_a_process_has_to_run_until_it_is_stopped(
    page: Callable[[str], None], tmp_path: Path, code: str, error: str | None
) -> None:
    (tmp_path / "worker.py").write_text(f"import time\n{code}\n", encoding="utf-8")
    (tmp_path / "pause.py").write_text("import time\ntime.sleep(1)\n", encoding="utf-8")
    text = '```console\n$ python worker.py v1 &\nworks\n$ python pause.py\n$ pkill -f "worker.py v1"\n```\n'
    with pytest.raises(AssertionError, match=error) if error else nullcontext():
        page(text)


def test_a_variable_is_exported_to_later_commands(page: Callable[[str], None]) -> None:
    page("```console\n$ export SHOP=tea\n$ python -c \"import os; print(os.environ['SHOP'])\"\ntea\n```\n")
