"""The modules at redis-om's paths, name by name as redis-om has them."""

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from tools.generate_paths import MODULES
from tools.public_names import HOMES

import redstart
import redstart.aio
import redstart.settings
from redstart.unavailable_names import INSTEAD, METHODS
from tests.support.corpus import REPOSITORY

SCRIPT = Path(__file__).with_name("module_names.py")

NOT_MODULES_HERE = ("cli", "model.cli", "model.migrations.utils")
"""The command is at `redstart.cli`, for both packages."""

REACHED = {
    *("Expression", "FieldInfo", "JsonModel", "RedisModel", "VectorFieldOptions"),
    *("get_redis_connection", "get_root_migrations_dir"),
}
"""Offered by `model.model`, `connections` and `settings`, and imported by modules that do not mean to offer them."""
OFFERING = ("", "connections", "model", "model.model", "settings")


@pytest.fixture(scope="module")
def theirs(python_with_1x: str) -> dict[str, dict[str, list[str] | None]]:
    """The names of redis-om's modules; of functions with their arguments."""
    done = subprocess.run([python_with_1x, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names: dict[str, dict[str, list[str] | None]] = json.loads(done.stdout.splitlines()[-1])
    return names


def ours(module: str) -> Any:
    """The module that takes the place of one of redis-om's."""
    library, _, path = module.partition(".")
    package = "redstart" if library == "redis_om" else "redstart.aio"
    return importlib.import_module(f"{package}.{path}" if path else package)


@pytest.mark.redis_om
@pytest.mark.parametrize("library", ["redis_om", "aredis_om"])
def test_every_name_is_there_or_says_what_to_use(theirs: Any, library: str) -> None:
    there, left_out = set(), set()
    for module, names in theirs.items():
        own, _, path = module.partition(".")
        if own != library or path.startswith(NOT_MODULES_HERE):
            continue
        for name in names if path in OFFERING else set(names) - REACHED:
            try:
                exec(f"from {ours(module).__name__} import {name}")
            except ImportError as error:
                assert name in INSTEAD.get(path, ()), f"{module}.{name}: {error}"
                assert str(error).startswith(f"{ours(module).__name__} has no {name}, which redis-om has: ")
                left_out.add((path, name))
            else:
                there.add((path, name))
    assert len(there) >= 130
    assert left_out == {(path, name) for path, names in INSTEAD.items() for name in names}


def test_the_page_lists_what_is_left_out() -> None:
    page = (REPOSITORY / "docs" / "from-redis-om.md").read_text(encoding="utf-8")
    listed = page.partition("## Names that are not available")[2].partition("\n## ")[0]
    for names in (*INSTEAD.values(), METHODS):
        for name in names:
            assert f"`{name}`" in listed, name


@pytest.mark.sample(1)
@pytest.mark.parametrize("package", ["redstart", "redstart.aio"])
def test_modules_need_no_import_of_their_own(package: str) -> None:
    """`import redis_om` makes `redis_om.model.model.NotFoundError` work."""
    program = f"""
import redstart
import {package}
assert {package}.model.model.NotFoundError is {package}.NotFoundError
assert {package}.model.migrations.data.BaseMigration is {package}.BaseMigration
for name in {[name for name in MODULES if "." not in name and name != "search_reply"]}:
    assert getattr({package}, name).__name__ == "{package}." + name
assert redstart.aio.HashModel is not redstart.HashModel
assert issubclass({package}.NotFoundError, redstart.errors.RedstartError)
assert not hasattr({package}, "modle") and not hasattr({package}.model, "modle")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("model", [redstart.HashModel, redstart.aio.JsonModel])
@pytest.mark.parametrize("name", METHODS)
def test_methods_that_are_left_out_say_what_to_use(model: Any, name: str) -> None:
    if name == "_get_value":  # pydantic has one of that name, which is deprecated
        return
    with pytest.raises(AttributeError, match=f"has no method {name}, which redis-om has: "):
        getattr(model, name)


@pytest.mark.redis_om
def test_functions_take_the_same_arguments(theirs: Any) -> None:
    compared = 0
    for module, names in theirs.items():
        path = module.partition(".")[2]
        for name in MODULES.get(path, "").split():
            parameters = names.get(name)
            if parameters is None or name in (
                "Field",
                "get_redis_connection",
                "supports_hash_field_expiration",
            ):  # theirs take anything, by name
                continue
            assert list(
                inspect.signature(getattr(ours(module), name)).parameters
            ) == parameters or name.startswith("schema_")
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("package", ["redstart", "redstart.aio"])
@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_the_names_of_the_table(package: str, module: str) -> None:
    found = importlib.import_module(f"{package}.{module}")
    for name in MODULES[module].split():
        if name == "redis":
            of_asyncio = {"async_redis": True, "sync_redis": False}.get(module, package == "redstart.aio")
            assert found.redis is (redis.asyncio if of_asyncio else redis)
            continue
        home = HOMES[name].format(colour="aio" if package == "redstart.aio" else "sync")
        own_module, _, own = home.partition(":")
        expected = getattr(importlib.import_module(f"redstart.{own_module}"), own or name)
        assert name == "URL" or getattr(found, name) is expected


def test_names_that_are_not_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://here:1")
    for colour in ("aio", "sync"):
        assert importlib.import_module(f"redstart.{colour}.connections").URL == "redis://here:1"
    assert "://" in importlib.import_module("redstart.connections").URL  # as it was when that was imported
    with pytest.raises(AttributeError, match="no attribute 'NOTHING'"):
        _ = importlib.import_module("redstart.sync.connections").NOTHING
    assert redstart.settings.get_root_migrations_dir() == "migrations"
    monkeypatch.setenv("REDIS_OM_MIGRATIONS_DIR", "elsewhere")
    assert redstart.settings.get_root_migrations_dir() == "elsewhere"
    assert importlib.import_module("redstart.util").ASYNC_MODE is False
    assert importlib.import_module("redstart.aio.util").ASYNC_MODE is True
    registry = importlib.import_module("redstart.model.model").model_registry

    class Registered(redstart.HashModel):
        pass

    assert registry[f"{__name__}.{Registered.__qualname__}"] is Registered
