"""Models that cannot be found, imported or used: what is said, and of the traceback the user's own frames."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import LOG
from tests.support.cli import refused, run_om
from tests.support.snapshot import difference, snapshot

RUN = ("migrate-data", "run")


@pytest.fixture(autouse=True)
def empty_server(configured: str) -> None:
    """REDIS_OM_URL names an empty server."""


def test_no_models_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("REDSTART_MODELS")
    monkeypatch.chdir(str(tmp_path))
    for command in ("stats", "status", "run", "verify"):
        found = run_om("migrate-data", command)
        refused(found, 2, "No models were given", "--models", "REDSTART_MODELS", "[tool.redstart]")


def test_a_module_that_is_not_there() -> None:
    found = run_om(*RUN, "--models", "no_such_package.models")
    refused(found, 2, "'no_such_package.models' cannot be imported", "ModuleNotFoundError", "Searched ")


def test_the_path_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "src" / "corner_shop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models.py").touch()
    monkeypatch.chdir(tmp_path)
    for path in ("src/corner_shop/models.py", str(package / "models.py")):
        refused(run_om(*RUN, "--models", path), 2, "cannot be imported", "--models corner_shop.models")


@pytest.mark.parametrize(
    ("statement", "library", "instead"),
    [
        ("import redis_om", "redis_om", "redstart"),
        ("from redis_om.model.model import NotFoundError", "redis_om", "redstart"),
        ("import aredis_om", "aredis_om", "redstart.aio"),
        ("from aredis_om.model import HashModel", "aredis_om", "redstart.aio"),
    ],
)
def test_a_module_that_imports_from_redis_om_still(
    write_module: Callable[[str], str], statement: str, library: str, instead: str
) -> None:
    name = write_module(statement)
    found = run_om(*RUN, "--models", name)
    refused(found, 2, f"No module named '{library}'", f"from {instead} import ...", name)


@pytest.mark.parametrize("what", ["Order", "py"])
def test_a_model_or_a_file_instead_of_a_module(write_module: Callable[[str], str], what: str) -> None:
    name = write_module("")
    refused(
        run_om(*RUN, "--models", f"{name}.{what}"),
        2,
        "--models takes a module, not a class or file",
        f"--models {name}",
    )


@pytest.mark.parametrize("name", ["./models.py", ".models", "a..b"])
def test_what_is_not_a_name_of_a_module(name: str) -> None:
    refused(run_om(*RUN, "--models", name), 2, "cannot be imported")


def test_a_module_that_fails_shows_the_users_frames_only(write_module: Callable[[str], str]) -> None:
    name = write_module("""
        def helper():
            return 1 / 0

        helper()
    """)
    found = run_om(*RUN, "--models", name)
    refused(
        found,
        2,
        f"'{name}' cannot be imported: ZeroDivisionError",
        f'{name}.py", line 3, in helper',
        "1 / 0",
    )
    assert "importlib" not in found.stderr
    assert "redstart/cli" not in found.stderr


@pytest.mark.parametrize(
    ("where", "source", "why"),
    [
        ("deep/tasks.py", "import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("deep/__init__.py", "raise RuntimeError('no broker')", "RuntimeError: no broker"),
        ("tasks.py", "def broken(:", "SyntaxError"),
    ],
)
def test_a_module_of_a_package_that_fails(
    tmp_path: Path, write_module: Callable[[str], str], where: str, source: str, why: str
) -> None:
    models = write_module(LOG)
    package = tmp_path / f"package_{models}"
    (package / "deep").mkdir(parents=True)
    for folder in (package, package / "deep"):
        (folder / "__init__.py").touch()
    (tmp_path / f"{models}.py").rename(package / "models.py")
    assert run_om("migrate-data", "status", "--models", package.name).code == 0
    (package / where).write_text(source)
    for name in [name for name in sys.modules if name.startswith(package.name)]:
        del sys.modules[name]
    importlib.invalidate_caches()
    module = f"{package.name}.{where.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
    found = run_om(*RUN, "--models", package.name)
    refused(found, 2, f"The module {module!r} cannot be imported: {why}", f"{package.name}/{where}")
    assert found.stderr.splitlines()[-1].endswith(f"--models {package.name}.models")
    assert run_om("migrate-data", "status", "--models", f"{package.name}.models").code == 0


def test_a_deep_failure_is_shortened(write_module: Callable[[str], str]) -> None:
    name = write_module("""
        def helper(depth):
            if depth == 0:
                raise KeyError("too deep")
            helper(depth - 1)

        helper(50)
    """)
    found = run_om(*RUN, "--models", name)
    refused(found, 2, "KeyError: 'too deep'")
    assert found.stderr.count("in helper") == 3


def test_a_syntax_error_shows_its_line(write_module: Callable[[str], str]) -> None:
    name = write_module("""
        x = 1
        def broken(:
    """)
    found = run_om(*RUN, "--models", name)
    refused(found, 2, "SyntaxError", f'{name}.py", line 3', "def broken(:")
    assert "Searched" not in found.stderr


@pytest.mark.parametrize("how", ["raise SystemExit(3)", "import sys; sys.exit('bye')", "raise SystemExit"])
def test_a_module_that_exits(write_module: Callable[[str], str], how: str) -> None:
    name = write_module(how)
    refused(run_om(*RUN, "--models", name), 2, f"'{name}' cannot be imported: SystemExit", f"{name}.py")


def test_a_module_without_models(write_module: Callable[[str], str]) -> None:
    name = write_module("x = 1")
    refused(run_om(*RUN, "--models", name), 2, "No HashModel or JsonModel", f"found in {name}")


def test_what_a_module_prints_does_not_get_into_the_json(write_module: Callable[[str], str]) -> None:
    name = write_module(LOG + "\n    print('hello from a module')")
    found = run_om("migrate-data", "status", "--models", name, "--json")
    assert found.json["pending"] == [ID]
    assert "hello from a module" in found.stderr


def test_a_model_that_is_declared_wrongly(write_module: Callable[[str], str]) -> None:
    name = write_module("""
        from redstart import HashModel

        class Log(HashModel, index=True):
            lines: list[str]
    """)
    refused(run_om(*RUN, "--models", name), 2, f"Invalid model in {name}", "Field: lines")


def test_a_prefix_that_swallows_anothers(client: redis.Redis, write_module: Callable[[str], str]) -> None:
    name = write_module("""
        import datetime
        from redstart import HashModel

        class Outer(HashModel, index=True):
            at: datetime.datetime

            class Meta:
                global_key_prefix = "app"
                model_key_prefix = "log"

        class Inner(HashModel, index=True):
            at: datetime.datetime

            class Meta:
                global_key_prefix = "app"
                model_key_prefix = "log:old"
    """)
    client.hset("app:log:old:1", "at", "2020-01-01")
    before = snapshot(client)
    found = run_om(*RUN, "--models", name)
    refused(found, 2, "'app:log:' of ", "Outer also matches keys of ", "Inner", "exclude_prefixes")
    assert difference(before, snapshot(client)) == []


@pytest.mark.parametrize("has_text_index", [False, True])
def test_a_module_that_queries_when_it_is_imported(
    client: redis.Redis, url: str, write_module: Callable[[str], str], has_text_index: bool
) -> None:
    name = write_module(
        LOG
        + """
    from redstart import Field

    class Sorted(HashModel, index=True):
        at: datetime.datetime = Field(index=True, sortable=True)

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "sorted"
            index_name = "app:sorted:index"

    Sorted.find(Sorted.at > datetime.datetime(2020, 1, 1)).all()
    """
    )
    if has_text_index:
        client.execute_command(
            "FT.CREATE", "app:sorted:index", "PREFIX", 1, "app:sorted:", "SCHEMA", "at", "TAG"
        )
    found = run_om("migrate", "run", "--models", name)
    state = "is outdated" if has_text_index else "does not exist yet"
    refused(found, 2, f"Error: {name} runs a query when it is imported (line 22), and its index {state}.\n")
    assert found.stderr.endswith(
        "Move the models to a module that only declares them, and name that module with --models.\n"
    )
    assert "Invalid model" not in found.stderr


def test_an_empty_name_of_a_module(configured: str) -> None:
    refused(run_om("migrate-data", "status", "--models", ""), 2, "Error: No module was given: ")
