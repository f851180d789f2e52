"""Load migrations from files and modules. What cannot be read is reported with its line, and does not raise.

This is the only module that reads files and executes them, as an import does.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from redstart.display import printable
from redstart.errors import ConfigurationError
from redstart.mapping.base_model import model_registry
from redstart.migrations.files.blame import line_in, way_on, what_failed
from redstart.migrations.files.declarations import Declared, Problem, declared
from redstart.migrations.files.imports import builtins_of_a_file
from redstart.migrations.files.kinds import DATA, SCHEMA, Kind

NAMED_AS_MIGRATION: Final = re.compile(r"\d{8}_\d{6}_.*", re.DOTALL)
"""File names of `om migrate create`, without `.py`. Other files may be helpers, which declare nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """The migrations of a directory or module.

    Attributes:
        where: the directory or module.
        migrations: declared migrations by id, sorted.
        problems: what could not be read.
    """

    where: str
    migrations: dict[str, Declared]
    problems: tuple[Problem, ...]


def load_directory(directory: Path, kind: Kind) -> Found:
    """Load the migrations in the `.py` files of a directory, without subdirectories. Each file is executed.

    Args:
        directory: may be missing; then there are no migrations.

    Raises:
        ConfigurationError: it is not a directory, or cannot be read.
    """
    try:
        names = sorted(path.name for path in directory.iterdir())
    except FileNotFoundError:
        names = []
    except OSError as exc:
        raise ConfigurationError(
            f"The migration files in {printable(directory)} cannot be listed: {exc.strerror}.",
            "Give the directory with --migrations-dir, or its parent with REDIS_OM_MIGRATIONS_DIR.",
        ) from exc
    files = [name for name in names if name.endswith(".py") and not name.startswith((".", "__init__."))]
    return _found(str(directory), [item for name in files for item in _read_file(directory / name, kind)])


def load_module(name: str, kind: Kind) -> Found:
    """Load the migrations of a module: those of its list `MIGRATIONS`, or all that it declares or imports.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    try:
        module = import_module(name)
    except (Exception, SystemExit) as exc:  # a user's module may raise anything while it is imported
        raise ConfigurationError(
            f"The module {printable(name)} cannot be imported: {what_failed(exc, name)}.", way_on(exc, name)
        ) from exc
    listed = getattr(module, "MIGRATIONS", None)
    if listed is None:
        listed = _declarations(module, kind)
    elif not isinstance(listed, list | tuple):
        return _found(name, [Problem(name, name, None, "its MIGRATIONS is not a list")])
    return _found(name, [_checked(one, name, kind, {}) for one in listed])


def _found(where: str, items: list[Declared | Problem]) -> Found:
    migrations: dict[str, Declared] = {}
    problems = [item for item in items if isinstance(item, Problem)]
    for one in items:
        if isinstance(one, Problem):
            continue
        first = migrations.setdefault(one.migration_id, one)
        if first.declaration is not one.declaration:
            reason = f"its migration_id {printable(one.migration_id)} is also declared by {printable(first.source)}"
            problems.append(Problem("", one.source, None, reason))
    return Found(where, dict(sorted(migrations.items())), tuple(problems))


def _read_file(path: Path, kind: Kind) -> Iterator[Declared | Problem]:
    """Yield the declarations of a file, or the reason why it cannot be read."""
    source = str(path)
    if path.exists() and not path.is_file():
        yield Problem(path.stem, source, None, "not a regular file")
        return
    try:
        tree = ast.parse(path.read_bytes(), source)
        module = _executed(tree, path)
        classes = _declarations(
            module, kind
        )  # uses attributes of the file's objects, whose code may raise anything
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a user's file may raise anything while it is executed
        yield Problem(path.stem, source, line_in(exc, source), what_failed(exc, source))
        return
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, ast.ClassDef)}
    for one in classes:
        yield _checked(one, source, kind, lines)
    if not classes and NAMED_AS_MIGRATION.fullmatch(path.stem):
        yield Problem(path.stem, source, None, _declares_none(module, kind))


def _executed(tree: ast.Module, path: Path) -> ModuleType:
    """Execute a file as a module, and remove the module from all registries.

    It is registered while it is executed, because dataclasses and models look up their own module, under a name that
    no import can use. The models that it declares are copies of former models and must not get an index.
    """
    code = compile(tree, str(path), "exec", dont_inherit=True)
    digest = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape")).hexdigest()
    name = f"{path.stem.replace('.', '_')} ({digest[:12]})"
    spec = spec_from_file_location(name, path)
    assert spec is not None  # its name ends with .py
    module = module_from_spec(spec)
    vars(module)["__builtins__"] = builtins_of_a_file()
    sys.modules[name] = module
    try:
        exec(code, vars(module))
    finally:
        _ = sys.modules.pop(name, None)
        for registered in [key for key, model in model_registry.items() if model.__module__ == name]:
            del model_registry[registered]
    return module


def _declarations(module: ModuleType, kind: Kind) -> list[type[Any]]:
    """Return the migrations among the names of a module: its own, or, without any, the imported ones."""
    classes = dict.fromkeys(
        value
        for value in vars(module).values()
        if kind.is_declared_by(value) and not getattr(value, "__abstractmethods__", None)
    )
    own = [one for one in classes if one.__module__ == module.__name__]
    return own or list(classes)


def _checked(one: Any, source: str, kind: Kind, lines: dict[str, int]) -> Declared | Problem:
    if not kind.is_declared_by(one):
        return Problem("", source, None, f"{printable(repr(one))} is not a subclass of {kind.base}")
    found = declared(one, source)
    line = lines.get(one.__name__)
    return found if isinstance(found, Declared) else Problem(Path(source).stem, source, line, found)


def _declares_none(module: ModuleType, kind: Kind) -> str:
    (other,) = {DATA, SCHEMA} - {kind}
    if any(map(other.is_declared_by, vars(module).values())):
        return f"it declares a {other.name} migration, but the directory is for {kind.name} migrations"
    if any(map(kind.is_declared_by, vars(module).values())):
        return f"its {kind.base} has no up()"
    return f"it declares no subclass of {kind.base}"
