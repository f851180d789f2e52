"""Load migrations from files and modules. What cannot be read is reported with its line, and does not raise.

This is the only module that reads files and executes them, as an import does.
"""

import ast
import builtins
import hashlib
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from redstart.display import printable, without_passwords
from redstart.errors import ConfigurationError, RedstartError
from redstart.mapping.base_model import model_registry
from redstart.migrations.files.declarations import DATA, SCHEMA, Declared, Kind, Problem, declared

IN_PLACE_OF: Final = {"aredis_om": "redstart.aio", "redis_om": "redstart"}


def builtins_of_a_file() -> dict[str, Any]:
    """Return the builtins of a migration file."""
    return vars(builtins) | {"__import__": _import}


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - the names that Python itself gives these
    locals: Mapping[str, object] | None = None,  # noqa: A002 - as above
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """Like `builtins.__import__`, with Redstart's modules in place of a missing redis-om."""
    try:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    except ModuleNotFoundError as exc:
        library, _, path = name.partition(".")
        if level or library not in IN_PLACE_OF or not f"{name}.".startswith(f"{exc.name}."):
            raise
        return _ours(library, path, fromlist)


def _ours(library: str, path: str, fromlist: Sequence[str] | None) -> Any:
    package = IN_PLACE_OF[library]
    own = f"{package}.{path}" if path else package
    try:
        _ = import_module(own)
    except ModuleNotFoundError as exc:
        if not f"{own}.".startswith(f"{exc.name}."):
            raise
        raise ModuleNotFoundError(
            f"redis-om is not installed, and Redstart has no equivalent of {library}.{path}",
            name=f"{library}.{path}",
        ) from exc
    # `import a.b` binds `a`; `from a import b` may mean a module.
    return builtins.__import__(own, None, None, fromlist, 0) if fromlist else import_module(package)


_OTHERS: Final = (
    Path(__file__).parents[2],
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platlib", "purelib")),
)
"""Files of Redstart, of Python and of installed packages."""


def user_frame(error: BaseException, source: str) -> int | None:
    """Return the line of a file in which the error was raised, or that led to it."""
    if isinstance(error, SyntaxError) and error.filename == source:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
    if not lines and error.__cause__ is not None:  # Python replaces a StopIteration that leaves a coroutine
        return user_frame(error.__cause__, source)
    return lines[-1] if lines else None


def describe_import_error(error: BaseException, source: str) -> str:
    """Return the error as one line; with file and line, if it is in another of the project's files."""
    text = error.message if isinstance(error, RedstartError) else str(error)
    if isinstance(error, SyntaxError):
        text = error.msg
    elif isinstance(error, OSError) and error.strerror is not None:
        text = error.strerror
    place = _place(error)
    elsewhere = "" if place is None or place[0] == source else f" ({place[0]}, line {place[1]})"
    return printable(without_passwords(f"{type(error).__name__}: {text}".rstrip(": .") + elsewhere))


def import_error_hint(error: BaseException, module: str) -> str | None:
    """Return the next step for a module that cannot be imported, or None."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    if str(error.name).partition(".")[0] in IN_PLACE_OF:
        ours = " and ".join(f"{theirs} to {own}" for theirs, own in IN_PLACE_OF.items())
        return f"Change its imports: {ours}."
    if f"{module}.".startswith(f"{error.name}."):
        return "Python's module path does not contain it. Module names have dots: package.module."
    return None


def _place(error: BaseException) -> tuple[str, int | None] | None:
    if isinstance(error, SyntaxError) and error.filename is not None:
        return error.filename, error.lineno
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and not any(map(Path(frame.filename).is_relative_to, _OTHERS))
    ]
    return frames[-1] if frames else None


NAMED_AS_MIGRATION: Final = re.compile(r"\d{8}_\d{6}_.*", re.DOTALL)
"""File names of `om migrate create`, without `.py`. Other files may be helpers, which declare nothing."""


NOT_A_FILE: Final = "not a regular file"


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
    where = "Give the directory with --migrations-dir, or its parent with REDIS_OM_MIGRATIONS_DIR."
    files = python_files(directory, where)
    return _found(str(directory), [item for path in files for item in _read_file(path, kind)])


def python_files(directory: Path, hint: str) -> list[Path]:
    """Return the `.py` files of a directory, without subdirectories, sorted; none if it is missing.

    Args:
        hint: how another directory is given.

    Raises:
        ConfigurationError: it is not a directory, or cannot be read.
    """
    try:
        names = sorted(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise ConfigurationError(
            f"The migration files in {printable(directory)} cannot be listed: {exc.strerror}.", hint
        ) from exc
    return [
        directory / name for name in names if name.endswith(".py") and not name.startswith((".", "__init__."))
    ]


def load_module(name: str, kind: Kind) -> Found:
    """Load the migrations of a module: those of its list `MIGRATIONS`, or all that it declares or imports.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    try:
        module = import_module(name)
    except (Exception, SystemExit) as exc:  # a user's module may raise anything while it is imported
        raise ConfigurationError(
            f"The module {printable(name)} cannot be imported: {describe_import_error(exc, name)}.",
            import_error_hint(exc, name),
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
        yield Problem(path.stem, source, None, NOT_A_FILE)
        return
    try:
        tree = ast.parse(path.read_bytes(), source)
        module = execute_file(tree, path)
        classes = _declarations(
            module, kind
        )  # uses attributes of the file's objects, whose code may raise anything
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a user's file may raise anything while it is executed
        yield Problem(path.stem, source, user_frame(exc, source), describe_import_error(exc, source))
        return
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, ast.ClassDef)}
    for one in classes:
        yield _checked(one, source, kind, lines)
    if not classes and NAMED_AS_MIGRATION.fullmatch(path.stem):
        yield Problem(path.stem, source, None, _declares_none(module, kind))


def execute_file(tree: ast.Module, path: Path) -> ModuleType:
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
