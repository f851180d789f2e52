"""A change of the models that documents need and nobody declared: every command notices it and names the operation."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.mapping import base_model
from tests.migrations.indexes.conftest import without_indexes
from tests.support.cli import run_om
from tests.support.registry import models_of_before
from tests.support.snapshot import difference, snapshot
from tests.support.soak import SOAK

__all__ = ["models_of_before", "without_indexes"]  # fixtures

DOCUMENTS = 12
HEAD = "from redstart import Field, HashModel, JsonModel\n"
MODEL = """
class {name}({base}, index=True):
    {title}: {type} = Field(index=True{options})
    size: int | None = Field(index=True, default=None)
    {more}

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "{prefix}"
"""
KEPT = MODEL.format(
    name="Kept", base="HashModel", title="code", type="str", options="", more="", prefix="kept"
)


def order(base: str, **changes: str) -> str:
    start = {"name": "Order", "title": "title", "type": "str", "options": "", "more": "", "prefix": "order"}
    return MODEL.format(base=base, **start | changes)


CHANGES: dict[str, tuple[Callable[[str], str], str, str]] = {
    "renamed field": (
        lambda base: order(base, title="heading"),
        "RenameField",
        "--rename Order.title=heading",
    ),
    "renamed field with a default": (
        lambda base: order(base, title="heading", options=", default=''"),
        "RenameField",
        "--rename Order.title=heading",
    ),
    "changed key prefix": (
        lambda base: order(base, prefix="purchase"),
        "ChangeKeyPrefix",
        "--rename 'shop:order:*=shop:purchase:*'",
    ),
    "renamed model": (
        lambda base: order(base, name="Purchase", prefix="purchase"),
        "ChangeKeyPrefix",
        "--rename 'shop:order:*=shop:purchase:*'",
    ),
    "removed model": (lambda base: "", "RemoveModel", "--no-rename"),
    "changed type": (lambda base: order(base, type="int"), "ConvertField", ""),
    "required field": (
        lambda base: order(base, more="priority: int = Field(index=True)"),
        "AddField",
        "--value Order.priority=VALUE",
    ),
    "index without a model": (lambda base: "", "RemoveModel", "--no-rename"),
}
"""By name: the models afterwards, the operation, and the option of `om migrate create`."""

ONLY_WARNED = ("removed model", "index without a model")
"""They may belong to another application on the same server."""

COMMANDS = {
    "status": ("migrate", "status"),
    "status --check": ("migrate", "status", "--check"),
    "check": ("migrate", "check"),
    "plan": ("migrate", "plan"),
    "run": ("migrate", "run"),
    "run --dry-run": ("migrate", "run", "--dry-run"),
    "upgrade": ("upgrade",),
    "upgrade --dry-run": ("upgrade", "--dry-run"),
}


class Project:
    """The models of one module, in several versions."""

    def __init__(self, folder: Path, client: redis.Redis) -> None:
        self.folder = folder
        self.client = client

    def declare(self, text: str) -> None:
        (self.folder / "shop_models.py").write_text(HEAD + text + KEPT, encoding="utf-8")
        for name in [one for one in base_model.model_registry if one.startswith("shop_models.")]:
            del base_model.model_registry[name]
        sys.modules.pop("shop_models", None)

    def store(self, base: str) -> None:
        for number in range(DOCUMENTS):
            values = {"pk": str(number), "title": f"t{number}", "size": number}
            if base == "HashModel":
                self.client.hset(f"shop:order:{number}", mapping=values)
            else:
                self.client.json().set(f"shop:order:{number}", "$", values)
            self.client.hset(f"shop:kept:{number}", mapping={"pk": str(number), "code": "a"})


@pytest.fixture
def project(
    without_indexes: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "shop_models")
    return Project(tmp_path, without_indexes)


CASES = [
    pytest.param(base, change, with_files, id=f"{base}, {change}, {'files' if with_files else 'no files'}")
    for at, change in enumerate(CHANGES)
    for with_files in (False, True)
    for base in ("HashModel", "JsonModel")
    if SOAK or (base == "JsonModel") is (with_files is (at % 2 == 0))  # each change twice, each storage once
]


@pytest.mark.sample(3)
@pytest.mark.soak
@pytest.mark.parametrize(("base", "change", "with_files"), CASES)
def test_every_command_notices_it_and_names_the_operation(
    project: Project, base: str, change: str, with_files: bool
) -> None:
    project.store(base)
    project.declare(order(base))
    if with_files:
        assert run_om("migrate", "create", "initial").code == 0
        assert run_om("upgrade").code == 0
    else:
        assert run_om("migrate", "run").code == 0
    for words in COMMANDS.values():
        found = run_om(*words)
        assert (found.code, "migrate create NAME --" in found.text) == (0, False), (words, found.text)

    models, operation, option = CHANGES[change]
    project.declare(models(base))
    if change == "index without a model":
        project.client.delete(*project.client.scan_iter("shop:order:*"))
    before = snapshot(project.client)
    for name, words in COMMANDS.items():
        found = run_om(*words)
        text = re.sub(r"\s+", " ", found.text)
        assert operation in text, (name, found.text)
        assert re.search(rf"om migrate create NAME {re.escape(option)}".rstrip(), text), (name, found.text)
        assert ("om migrate create initial" in text) is not with_files, (name, text)
        is_refused = change not in ONLY_WARNED
        if name == "check" or (name in ("status --check", "upgrade") and is_refused):
            assert found.code == 3, (name, found.text)
        elif name == "run" and is_refused:
            assert found.code == (3 if with_files else 1), found.text
        elif not name.startswith("status --check"):
            assert found.code == 0, (name, found.text)
    if is_refused:
        assert difference(before, snapshot(project.client)) == [], "nothing is written"


@pytest.mark.parametrize("base", ["HashModel", "JsonModel"] if SOAK else ["JsonModel"])
def test_after_the_named_operation_nothing_is_left_to_notice(project: Project, base: str) -> None:
    """For each change that is refused: the command that the message names, and an upgrade."""
    for change, (models, _, option) in CHANGES.items():
        if change in ONLY_WARNED or change == "changed type":
            continue
        project.client.flushall()
        for path in project.folder.glob("migrations/*.py"):
            path.unlink()
        project.store(base)
        project.declare(order(base))
        assert run_om("migrate", "create", "initial").code == 0
        assert run_om("upgrade").code == 0
        project.declare(models(base))
        words = option.replace("'", "").replace("VALUE", "3").split()
        if change == "renamed model":
            words += ["--rename", "shop_models.Order=shop_models.Purchase"]
        created = run_om("migrate", "create", "change", *words)
        assert created.code == 0, (change, created.text)
        planned = run_om("migrate", "plan")
        assert "NAME" not in planned.text, (change, planned.text)
        done = run_om("upgrade")
        assert done.code == 0, (change, done.text)
        assert run_om("migrate", "check").code == 0, (change, run_om("migrate", "check").text)


def test_what_another_application_has_is_excluded_by_its_prefix(project: Project) -> None:
    project.store("HashModel")
    project.declare(order("HashModel"))
    assert run_om("migrate", "run").code == 0
    project.declare("")
    assert run_om("migrate", "check").code == 3
    text = '[tool.redstart]\nexclude_prefixes = ["shop:order:"]\n'
    (project.folder / "pyproject.toml").write_text(text, encoding="utf-8")
    assert run_om("migrate", "check").code == 0


def test_a_command_on_one_model_is_not_refused_for_another(project: Project) -> None:
    project.store("HashModel")
    project.declare(order("HashModel"))
    assert run_om("migrate", "run").code == 0
    project.declare(order("HashModel", title="heading"))
    assert run_om("index", "rebuild", "Kept").code == 0
    refused = run_om("index", "rebuild", "Order")
    assert (refused.code, "RenameField" in refused.stderr) == (1, True)
    assert run_om("index", "rebuild", "Order", "--accept-unreadable").code == 0


def test_a_document_of_the_new_version_beside_old_ones(project: Project) -> None:
    """A rename is noticed although the new version has written some documents."""
    project.store("HashModel")
    project.declare(order("HashModel"))
    assert run_om("migrate", "run").code == 0
    project.declare(order("HashModel", title="heading"))
    project.client.hset("shop:order:new", mapping={"pk": "new", "heading": "n"})
    refused = run_om("migrate", "run")
    assert (refused.code, "cannot read its field heading in 12 of 13" in refused.stderr) == (1, True)


def test_documents_of_a_model_with_a_longer_key_prefix_are_not_taken_for_renamed(project: Project) -> None:
    """The keys of the one begin with the prefix of the other, whose documents have other fields."""
    inner = "class Line(HashModel, index=True):\n    sku: str = Field(index=True)\n\n    class Meta:\n"
    meta = '        global_key_prefix = "shop"\n        model_key_prefix = "order:line"\n'
    project.declare(order("HashModel") + inner + meta)
    for number in range(30):
        project.client.hset(f"shop:order:line:{number}", mapping={"pk": str(number), "sku": "s"})
    assert run_om("migrate", "run").code == 0
