"""The package as a whole: what importing it costs, what it offers, and how its files are kept."""

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio

import redstart.aio
import redstart.operations
import redstart.sync

SOURCE = Path(redstart.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
MAX_LINES = 500

HEAVY = ("redis", "hiredis", "pydantic", "rich", "click", "asyncio", "msgpack")


def test_all_is_frozen() -> None:
    """Adding a public name is a decision: it has to be made here too."""
    assert redstart.__all__ == [
        "BaseMigration",
        "Coordinates",
        "DataMigrator",
        "DateMigration",
        "DocumentDecodeError",
        "DocumentEncodeError",
        "EmbeddedJsonModel",
        "Field",
        "FileMigrations",
        "FindQuery",
        "GeoFilter",
        "HashModel",
        "IndexNotFoundError",
        "JsonModel",
        "KNNExpression",
        "LeaseHeldError",
        "MigrationError",
        "Migrator",
        "NotFoundError",
        "Outcome",
        "QueryError",
        "QueryNotSupportedError",
        "QuerySyntaxError",
        "RedisModel",
        "RedisModelError",
        "RedstartError",
        "SchemaDetector",
        "SchemaMigrator",
        "ServerConnectionError",
        "VectorFieldOptions",
        "col",
        "get_redis_connection",
        "has_redis_json",
        "has_redisearch",
        "redis",
    ]


def test_the_names_of_migration_files_are_frozen() -> None:
    """Migration files are never changed, so a name can be added and none removed."""
    assert redstart.operations.__all__ == [
        "AddField",
        "AlterField",
        "AlterIndex",
        "ChangeKeyPrefix",
        "ChangeStorage",
        "ConvertField",
        "ConvertLocalMidnights",
        "CreateModel",
        "EncodeBytes",
        "FailureMode",
        "Field",
        "FieldKind",
        "Index",
        "IndexField",
        "MergeFields",
        "Migration",
        "Model",
        "MoveField",
        "Operation",
        "RemoveEmbeddedKey",
        "RemoveField",
        "RemoveModel",
        "RenameField",
        "RenameModel",
        "RunPython",
        "SplitField",
        "Storage",
        "Transform",
        "TypedDict",
        "VectorSettings",
    ], "add a new name here, and a row and a page for an operation in docs/operations"
    assert all(hasattr(redstart.operations, name) for name in redstart.operations.__all__)


def test_both_colours_offer_the_same_names() -> None:
    assert redstart.aio.__all__ == redstart.sync.__all__ == redstart.__all__
    same = {name for name in redstart.__all__ if getattr(redstart, name) is getattr(redstart.aio, name)}
    assert set(redstart.__all__) - same == {
        *("BaseMigration", "DataMigrator", "DateMigration", "Migrator", "SchemaDetector", "SchemaMigrator"),
        *("EmbeddedJsonModel", "FileMigrations", "FindQuery", "HashModel", "JsonModel", "RedisModel"),
        *("get_redis_connection", "has_redis_json", "has_redisearch", "redis"),
    }


def test_every_public_name_resolves_and_is_listed() -> None:
    for name in redstart.__all__:
        assert getattr(redstart, name).__name__ == {"SchemaDetector": "Migrator"}.get(name, name)
    assert (redstart.redis, redstart.aio.redis) == (redis, redis.asyncio)
    assert set(redstart.__all__) <= set(dir(redstart))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="'redstart' has no attribute 'Feild'"):
        redstart.Feild  # type: ignore[attr-defined]  # the point of the test


def test_importing_the_package_loads_nothing_else() -> None:
    assert loaded_by("import redstart") == []


def test_an_error_class_costs_no_models() -> None:
    assert loaded_by("from redstart import RedstartError") == []


def test_models_need_no_client_of_a_server() -> None:
    assert set(loaded_by("from redstart import HashModel")) <= {"pydantic", "asyncio"}


@pytest.mark.parametrize(
    "module",
    [
        "effects",
        "errors",
        "commands.keyspace",
        "migrations.data.datetime_conversion",
        "migrations.data.run",
        "devserver.process",
    ],
)
def test_what_is_below_the_drivers_needs_no_client(module: str) -> None:
    assert not {"redis", "hiredis", "rich", "click"} & set(loaded_by(f"import redstart.{module}"))


def loaded_by(statement: str) -> list[str]:
    """Which of the heavy packages are there after a statement, in a fresh interpreter."""
    program = (
        f"import sys\n{statement}\nimport json\nprint(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    )
    path = [str(SOURCE.parent), *sys.path]
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{program}"],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded: list[str] = json.loads(found.stdout)
    return loaded


def test_every_module_says_what_it_is_and_is_short() -> None:
    unnamed, long, undocumented = [], [], []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        module = ast.parse(text)
        if not ast.get_docstring(module):
            unnamed.append(path)
        if text.count("\n") > MAX_LINES:
            long.append(path)
        undocumented += [
            f"{path}: {name}" for name, node in public_definitions(module) if not ast.get_docstring(node)
        ]
    assert len(MODULES) > 300
    assert not unnamed, "a module begins with a line that says what it is"
    assert not long, f"above {MAX_LINES} lines"
    assert not undocumented, "public classes, functions and methods say what they do"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.lua")), ids=lambda path: path.name)
def test_every_script_says_what_it_is_and_is_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("-- ")
    assert len(lines) <= MAX_LINES


def test_every_module_can_be_imported() -> None:
    for path in MODULES:
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            importlib.import_module(".".join(parts).removesuffix(".__init__"))


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(module: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Top-level classes and functions, and the methods and properties of those classes.

    Left out is what is described elsewhere: an overload, a setter, a method that overrides a documented one, a
    property that only hands on an attribute, and a model's Meta.
    """
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    for node in module.body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not is_variant(node):
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for member in node.body:
                if not isinstance(member, Definition) or member.name.startswith("_") or is_variant(member):
                    continue
                if not any(member.name in described(classes.get(base)) for base in bases(node)):
                    yield f"{node.name}.{member.name}", member


def is_variant(node: Definition) -> bool:
    """Whether it only repeats what is described elsewhere."""
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    if "property" in marks:
        return len(node.body) == 1 and isinstance(node.body[0], ast.Return)
    return node.name == "Meta" or any(mark.endswith(("overload", ".setter", ".deleter")) for mark in marks)


def bases(node: ast.ClassDef) -> list[str]:
    """The names of the classes that it is made from."""
    return [ast.unparse(base) for base in node.bases]


def described(node: ast.ClassDef | None) -> set[str]:
    """The methods of a class that have a docstring."""
    members = node.body if node else []
    return {member.name for member in members if isinstance(member, Definition) and ast.get_docstring(member)}
