"""Files of every kind: loaded, or reported with path, line and reason."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import redstart
from redstart.errors import ConfigurationError
from redstart.mapping.base_model import model_registry
from redstart.migrations.files.declarations import DATA, SCHEMA
from redstart.migrations.files.loader import Found, load_directory, load_module
from tests.migrations.files.conftest import MIGRATION, Write, migration
from tests.support.models import registry_of_its_own

NAME = "20250101_000000_x.py"


def only_problem(found: Found) -> tuple[str, int | None, str]:
    assert found.migrations == {}
    (problem,) = found.problems
    return problem.source, problem.line, problem.reason


def test_a_file_as_create_writes_it(write: Write, directory: Path) -> None:
    path = write(NAME, migration("20250101_000000_x", "20240101_000000_y"))
    found = load_directory(directory, DATA)
    (one,) = found.migrations.values()
    assert found.problems == ()
    assert (one.migration_id, one.description) == ("20250101_000000_x", "Fill sites")
    assert (one.dependencies, one.source) == (("20240101_000000_y",), str(path))
    assert issubclass(one.declaration, redstart.aio.BaseMigration)


def test_a_schema_migration(write: Write, directory: Path) -> None:
    write(
        NAME,
        """
        import hashlib
        from aredis_om.model.migrations.schema import BaseSchemaMigration
        from aredis_om.model.migrations.schema.legacy_migrator import schema_hash_key, schema_text_key

        class AddVisits(BaseSchemaMigration):
            migration_id = schema_hash_key("a")

            async def up(self):
                pass
        """,
    )
    assert list(load_directory(directory, SCHEMA).migrations) == ["a:hash"]
    reason = "it declares a schema migration, but the directory is for data migrations"
    assert only_problem(load_directory(directory, DATA))[2] == reason


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("x = 1\nx = = 2\n", 2, "SyntaxError: invalid syntax"),
        ("x = (\n", 1, "SyntaxError: '(' was never closed"),
        ("class A:\npass\n", 2, "IndentationError: expected an indented block"),
        ("\n\nx = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError('a\\nb\\x1b[2J')\n\nf()\n", 2, "ValueError: a b\\x1b[2J"),
        ("raise SystemExit\n", 1, "SystemExit"),
        ("exit(3)\n", 1, "SystemExit: 3"),
        ("def f(): f()\nf()\n", 1, "RecursionError: maximum recursion depth exceeded"),
        ("class E(BaseException): pass\nraise Exception('x' * 10_000)\n", 2, "Exception: xxx"),
        ("import json\njson.loads('{')\n", 2, "JSONDecodeError: Expecting property name"),
        ("open('/nowhere/at/all')\n", 1, "FileNotFoundError: No such file or directory"),
        ("x = 1\0\n", None, "null bytes"),
        ("# -*- coding: nothing -*-\n", None, "SyntaxError: "),
        ("(" * 5_000, None, "many nested parentheses"),
        ("", None, "it declares no subclass of BaseMigration"),
        ("from redstart import *\nclass A(BaseMigration): pass\n", None, "its BaseMigration has no up()"),
        ("from redstart import *\nclass A(HashModel):\n    x: list[int]\n", 2, "RedisModelError: "),
    ],
)
def test_an_unreadable_file_is_reported_with_its_line(
    write: Write, directory: Path, text: str, line: int | None, reason: str
) -> None:
    path = write(NAME, text)
    source, found_line, found_reason = only_problem(load_directory(directory, DATA))
    assert (source, reason in found_reason) == (str(path), True), found_reason
    assert line is None or found_line == line
    assert "\n" not in found_reason
    assert len(found_reason) <= 300


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "Own.migration_id must be a non-empty string, got ''"),
        ("migration_id = 5", "Own.migration_id must be a non-empty string, got 5"),
        ("migration_id = None", "Own.migration_id must be a non-empty string, got None"),
        ("migration_id = property(lambda self: 'x')", "must be a non-empty string, got <property object"),
        ("migration_id = 'a'; dependencies = 'b'", "Own.dependencies must be a list of ids, got 'b'"),
        ("migration_id = 'a'; dependencies = [1]", "Own.dependencies must be a list of ids, got [1]"),
        ("migration_id = 'a'; dependencies = None", "Own.dependencies must be a list of ids, got None"),
    ],
)
def test_a_class_with_invalid_attributes(write: Write, directory: Path, body: str, reason: str) -> None:
    write(
        NAME,
        f"from redstart.aio import *\n\nclass Own(BaseMigration):\n    {body}\n    async def up(self): pass\n",
    )
    _, line, found = only_problem(load_directory(directory, DATA))
    assert (line, reason in found) == (3, True), found


def test_an_object_that_hides_its_type(write: Write, directory: Path) -> None:
    body = """
        class Lazy:
            __class__ = property(lambda self: 1 / 0)

        lazy = Lazy()
    """
    path = write(NAME, body)
    write("20250101_000001_y.py", migration("20250101_000001_y"))
    found = load_directory(directory, DATA)
    assert [*found.migrations] == ["20250101_000001_y"]
    assert [(one.source, one.reason) for one in found.problems] == [
        (str(path), "ZeroDivisionError: division by zero")
    ]


def test_bytes_that_are_not_text(directory: Path) -> None:
    (directory / NAME).write_bytes(b"x = '\xff\xfe'\n")
    assert only_problem(load_directory(directory, DATA))[2].startswith("SyntaxError: ")


def test_a_file_in_another_encoding(directory: Path) -> None:
    text = "# -*- coding: latin-1 -*-\n" + migration("é").replace("Fill", "Füll")
    (directory / NAME).write_bytes(text.encode("latin-1"))
    (one,) = load_directory(directory, DATA).migrations.values()
    assert (one.migration_id, one.description) == ("é", "Füll sites")


def test_only_files_of_python_in_the_directory_itself(write: Write, directory: Path) -> None:
    broken = "raise SystemExit"
    for name in ("__init__.py", ".#20250101_000000_x.py", "20250101_000000_x.py~", "notes.txt", "x.pyc"):
        write(name, broken)
    (directory / "__pycache__").mkdir()
    (directory / "below").mkdir()
    (directory / "below" / NAME).write_text(broken, encoding="utf-8")
    write("helpers.py", "SITES = {}\n")
    write("bases.py", "import redstart.aio\nclass Base(redstart.aio.BaseMigration): pass\n")
    write("001_first.py", migration("001_first"))
    found = load_directory(directory, DATA)
    assert (list(found.migrations), found.problems) == (["001_first"], ())


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_not_a_file(directory: Path, make: Callable[[Path], None]) -> None:
    make(directory / NAME)
    assert only_problem(load_directory(directory, DATA))[2] in (
        "not a regular file",
        "FileNotFoundError: No such file or directory",
    )


@pytest.mark.parametrize(
    "name",
    [
        "a'b\"c",
        "a\nb",
        "a..b",
        "$(rm -rf)",
        "\x1b[2J",
        "日本",
        "a.b.c",
        "x" * 200,
        "json",
        "os.path",
        "%s{0}",
    ],
)
def test_hostile_names(write: Write, directory: Path, name: str) -> None:
    write(f"{name}.py", migration("fine"))
    write(f"20250101_000000_{name}.py", "1 / 0")
    before = set(sys.modules)
    found = load_directory(directory, DATA)
    assert list(found.migrations) == ["fine"]
    (problem,) = found.problems
    assert str(problem).isprintable()
    assert problem.migration_id == f"20250101_000000_{name}"
    assert {module for module in set(sys.modules) - before if name in module} == set()
    import json  # noqa: PLC0415 - the module of that name is the one it was

    assert json.loads("1") == 1


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no such name")
def test_a_name_that_is_not_text(directory: Path) -> None:
    (Path(os.fsdecode(os.fsencode(directory) + b"/20250101_000000_\xff.py"))).write_text(
        "1 / 0", encoding="utf-8"
    )
    (problem,) = load_directory(directory, DATA).problems
    assert str(problem).isprintable()


def test_two_files_with_one_id(write: Write, directory: Path) -> None:
    write("20250101_000000_a.py", migration("same"))
    write("20250102_000000_b.py", migration("same"))
    found = load_directory(directory, DATA)
    assert list(found.migrations) == ["same"]
    (problem,) = found.problems
    assert problem.source.endswith("b.py")
    assert "migration_id same is also declared by" in problem.reason
    assert problem.reason.endswith("a.py")


def test_a_file_may_declare_several_and_import_others(write: Write, directory: Path) -> None:
    two = migration("b") + migration("a").replace("FillSites", "Other")
    write(NAME, two + "\nfrom redstart.demo.models import Visit\n")
    assert list(load_directory(directory, DATA).migrations) == ["a", "b"]


def test_a_file_that_hands_on_another_modules(
    write: Write, directory: Path, install: Callable[..., None]
) -> None:
    ours = migration("handed on").replace("aredis_om.", "redstart.aio.")
    install({"their_migrations.py": ours})
    write(NAME, "from their_migrations import *\n")
    write("20250102_000000_own.py", f"from their_migrations import FillSites as Other\n{migration('own')}")
    assert list(load_directory(directory, DATA).migrations) == ["handed on", "own"]


def test_dataclasses_and_models_inside_a_file(write: Write, directory: Path) -> None:
    """They look up their own module; and models there are copies of what was, so they get no index."""
    write(
        NAME,
        """
        from __future__ import annotations
        from dataclasses import dataclass
        from aredis_om.model.migrations.data import BaseMigration
        from redis_om import Field, HashModel
        from typing import ClassVar

        @dataclass
        class Line:
            at: int
            most: ClassVar[int] = 5

        class VisitOfOld(HashModel, index=True):
            site: str = Field(index=True)

        class Own(BaseMigration):
            migration_id = "own"
            async def up(self):
                return VisitOfOld(site="a"), Line(1)
        """,
    )
    with registry_of_its_own():
        found = load_directory(directory, DATA)
        assert (found.problems, model_registry) == ((), {})
    with pytest.raises(StopIteration) as ended:
        found.migrations["own"].declaration(object()).up().send(None)
    visit, line = ended.value.value
    assert (visit.site, line.at) == ("a", 1)


def test_models_that_a_file_imports_stay_registered(
    write: Write, directory: Path, install: Callable[..., None]
) -> None:
    install(
        {
            "shop_of_files.py": "from redstart import HashModel\nclass Order(HashModel, index=True):\n    a: str\n"
        }
    )
    write(NAME, f"import shop_of_files\n{migration('own')}")
    with registry_of_its_own():
        assert load_directory(directory, DATA).problems == ()
        assert list(model_registry) == ["shop_of_files.Order"]


def test_nothing_is_left_in_memory_or_on_disk(write: Write, directory: Path) -> None:
    write(NAME, migration("x"))
    write("20250102_000000_y.py", "1 / 0")
    _ = load_directory(directory, DATA)
    before = set(sys.modules)
    _ = load_directory(directory, DATA)
    assert set(sys.modules) == before
    assert sorted(path.name for path in directory.iterdir()) == [NAME, "20250102_000000_y.py"]


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert load_directory(tmp_path / "none", DATA) == Found(str(tmp_path / "none"), {}, ())


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be listed: Not a directory"):
        load_directory(tmp_path / "file", DATA)


def module_of(text: str, install: Callable[..., None], name: str = "their_migrations") -> Found:
    install({f"{name}.py": text.replace("aredis_om.", "redstart.aio.")})
    return load_module(name, DATA)


def test_a_module_gives_all_it_declares_or_imports(install: Callable[..., None]) -> None:
    install({"first.py": migration("a").replace("aredis_om.", "redstart.aio.")})
    found = module_of("from first import FillSites", install)
    assert (list(found.migrations), found.where) == (["a"], "their_migrations")


def test_a_module_with_a_list_gives_that(install: Callable[..., None]) -> None:
    two = migration("b") + migration("a").replace("FillSites", "Other")
    assert list(module_of(f"{two}\nMIGRATIONS = [Other, Other]\n", install).migrations) == ["a"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("MIGRATIONS = 5", "its MIGRATIONS is not a list"),
        ("MIGRATIONS = [int, 'x']", "<class 'int'> is not a subclass of BaseMigration"),
        (
            MIGRATION.format(id="", dependencies=[]),
            "FillSites.migration_id must be a non-empty string, got ''",
        ),
    ],
)
def test_a_module_that_lists_something_else(install: Callable[..., None], text: str, reason: str) -> None:
    found = module_of(text, install)
    assert found.migrations == {}
    assert found.problems[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("import aredis_om", "No module named 'aredis_om'", "Change its imports: aredis_om to redstart.aio"),
        ("import nothing_here", "No module named 'nothing_here'", None),
        ("\n1 / 0", "ZeroDivisionError: division by zero", None),
        ("x = = 1", "SyntaxError: invalid syntax", None),
        ("raise SystemExit", "SystemExit", None),
    ],
)
def test_a_module_that_does_not_import(
    install: Callable[..., None], text: str, message: str, hint: str | None
) -> None:
    install({"broken_migrations.py": text})
    with pytest.raises(ConfigurationError, match="The module broken_migrations cannot be imported") as caught:
        load_module("broken_migrations", DATA)
    assert message in caught.value.message
    assert "broken_migrations.py, line " in caught.value.message
    assert (caught.value.hint or "").startswith(hint or "")
    assert (caught.value.hint is None) == (hint is None)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match="No module named 'no_such'") as caught:
        load_module("no_such.module", DATA)
    assert "package.module" in str(caught.value.hint)
