"""Migration files of a project, as `om migrate create` writes them: loaded, and checked one by one.

The files of redis-om are in subdirectories, and loaded by redstart.migrations.files.loader.
"""

import ast
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redstart.display import cut, printable
from redstart.errors import MigrationFileError
from redstart.migrations.files.declarations import Problem
from redstart.migrations.files.loader import (
    NAMED_AS_MIGRATION,
    NOT_A_FILE,
    describe_import_error,
    execute_file,
    python_files,
    user_frame,
)
from redstart.migrations.operations.base import Operation
from redstart.migrations.state_keys import DATETIME_MIGRATION

NAME: Final = "migration"
"""The variable of a file that holds its `Migration`."""

MAX_ID_CHARACTERS: Final = 200
_ID = re.compile(rf"\w[\w.+-]{{0,{MAX_ID_CHARACTERS - 1}}}")
_OTHER_DIRECTORY = "Give the directory with --migrations-dir or REDIS_OM_MIGRATIONS_DIR."
_BASES_OF_REDIS_OM = ("BaseMigration", "BaseSchemaMigration")


def is_valid_id(migration_id: str) -> bool:
    """Return whether a text can be the id of a migration file: a word that no shell or terminal interprets."""
    return _ID.fullmatch(migration_id) is not None and migration_id.isprintable()


@dataclass(frozen=True, slots=True)
class Migration:
    """The declaration in a migration file.

    Args:
        dependencies: ids of the migrations that have to be applied before this one.
        operations: the changes, in the order in which they are applied.

    Raises:
        MigrationFileError: an argument has the wrong type.
    """

    dependencies: Sequence[str] = ()
    operations: Sequence[Operation] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "dependencies", _items("dependencies", self.dependencies, str, "an id"))
        object.__setattr__(
            self, "operations", _items("operations", self.operations, Operation, "an operation")
        )


def _items(name: str, value: object, kind: type, noun: str) -> tuple[object, ...]:
    """Return the items of an argument of `Migration`. Raises MigrationFileError."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise MigrationFileError(f"{name} must be a list, got {printable(repr(value))}")
    items = tuple(value)
    for item in items:
        if not isinstance(item, kind):
            is_class = isinstance(item, type) and issubclass(item, kind)
            what = f"the class {item.__name__} without arguments" if is_class else printable(repr(item))
            raise MigrationFileError(f"{name} contains {what}, which is not {noun}")
    return items


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """A migration file.

    Attributes:
        migration_id: the name of the file, without `.py`.
        source: the file.
        checksum: SHA-256 of its contents in hexadecimal, with LF at the end of each line.
        description: the first line of its docstring; may be empty.
        migration: what it declares.
    """

    migration_id: str
    source: str
    checksum: str
    description: str
    migration: Migration

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Ids of the migrations that have to be applied before it."""
        return tuple(self.migration.dependencies)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The changes, in the order in which they are applied."""
        return tuple(self.migration.operations)


@dataclass(frozen=True, slots=True)
class LoadedFiles:
    """The migration files of a directory.

    Attributes:
        where: the directory.
        files: by id, sorted.
        problems: of the files that cannot be used.
    """

    where: str
    files: dict[str, MigrationFile]
    problems: tuple[Problem, ...]

    @property
    def are_in_use(self) -> bool:
        """Return whether the project has migration files, usable or not."""
        return bool(self.files or self.problems)


def load_files(directory: Path) -> LoadedFiles:
    """Load the migration files in a directory, without subdirectories. Each of them is executed.

    Other Python files are not executed: helpers, migration files of redis-om, or those of another tool.

    Args:
        directory: may be missing; then there are no files.

    Raises:
        ConfigurationError: it is not a directory, or cannot be read.
    """
    found: dict[str, MigrationFile] = {}
    problems: list[Problem] = []
    for path in python_files(directory, _OTHER_DIRECTORY):
        for one in _load_file(path):
            if isinstance(one, MigrationFile):
                found[one.migration_id] = one
            else:
                problems.append(one)
    duplicates = _duplicates(found.values())
    usable = {name: one for name, one in found.items() if name not in duplicates}
    return LoadedFiles(str(directory), usable, (*problems, *duplicates.values()))


def _duplicates(files: Iterable[MigrationFile]) -> dict[str, Problem]:
    """Return the problems of files whose id belongs to another migration, by id."""
    built_in = _folded(DATETIME_MIGRATION)
    owners: dict[str, str] = {}
    found: dict[str, Problem] = {}
    for file in files:
        name, folded = file.migration_id, _folded(file.migration_id)
        owner = owners.setdefault(folded, name)
        if folded == built_in:
            reason = "its id is that of the conversion of dates, which Redstart contains"
        elif owner != name:
            reason = f"its id is also that of {printable(owner)}.py, except for upper and lower case"
        else:
            continue
        found[name] = Problem(name, file.source, None, reason)
    return found


def _folded(migration_id: str) -> str:
    """Return the id as a file system compares names that ignores case, or the code points of a letter."""
    return unicodedata.normalize("NFC", migration_id).casefold()


def _load_file(path: Path) -> Iterator[MigrationFile | Problem]:
    """Yield the migration of a file, or the reason why it cannot be used; nothing if it is another kind of file."""
    source, is_named = str(path), NAMED_AS_MIGRATION.fullmatch(path.stem) is not None
    if path.exists() and not path.is_file():
        if is_named:
            yield Problem(path.stem, source, None, NOT_A_FILE)
        return
    try:
        content = path.read_bytes()
    except OSError as exc:
        if is_named:
            yield Problem(path.stem, source, None, describe_import_error(exc, source))
        return
    try:
        tree = ast.parse(content, source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:  # MemoryError: nested too deeply
        if is_named or b"redstart.operations" in content:
            yield Problem(path.stem, source, user_frame(exc, source), describe_import_error(exc, source))
        return
    line = _line_of_declaration(tree)
    if line is None and (not is_named or _declares_for_redis_om(tree)):
        return
    if not is_valid_id(path.stem):
        reason = (
            "its name cannot be an id: use letters, digits, '_', '-', '+' and '.', at most "
            f"{MAX_ID_CHARACTERS} characters"
        )
        yield Problem(path.stem, source, None, reason)
        return
    try:
        declared = vars(execute_file(tree, path)).get(NAME)
        reason = _why_none(declared, line)
        if isinstance(declared, Migration):
            _require_describable(declared)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a user's file may raise anything while it is executed
        yield Problem(path.stem, source, user_frame(exc, source), describe_import_error(exc, source))
        return
    if isinstance(declared, Migration):
        yield MigrationFile(path.stem, source, checksum(content), _description(tree), declared)
    else:
        yield Problem(path.stem, source, line, reason)


def _require_describable(migration: Migration) -> None:
    """Raise what an operation raises that was made with arguments of wrong types: later, no error would name its file.

    Raises:
        MigrationFileError: an operation cannot be described.
    """
    for number, operation in enumerate(migration.operations, start=1):
        try:
            described = operation.describe(), operation.is_reversible
        except Exception as exc:  # the code of an operation may raise anything
            raise MigrationFileError(
                f"operation {number}, {type(operation).__name__}, is invalid: {type(exc).__name__}: {exc}"
            ) from exc
        if not isinstance(described[0], str):
            raise MigrationFileError(f"operation {number}, {type(operation).__name__}, has no description")


def checksum(content: bytes) -> str:
    """Return the checksum of the contents of a file. Git may convert the ends of lines: they have no effect."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _line_of_declaration(tree: ast.Module) -> int | None:
    """Return the line that assigns the variable `migration`; None if none does."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        names = [node.target] if isinstance(node, ast.AnnAssign) else targets
        if any(isinstance(name, ast.Name) and name.id == NAME for name in names):
            return node.lineno
    return None


def _declares_for_redis_om(tree: ast.Module) -> bool:
    """Return whether a file declares a migration of redis-om, whose tools write to this directory, too."""
    bases = (base for node in tree.body if isinstance(node, ast.ClassDef) for base in node.bases)
    return any(ast.unparse(base).rpartition(".")[2] in _BASES_OF_REDIS_OM for base in bases)


def _description(tree: ast.Module) -> str:
    """Return the first line of the docstring."""
    text = ast.get_docstring(tree) or ""
    return printable(cut(text.strip().partition("\n")[0], MAX_ID_CHARACTERS))


def _why_none(declared: object, line: int | None) -> str:
    """Return the reason why a file declares no migration."""
    if declared is Migration:
        return f"its variable {NAME} is the class Migration; write {NAME} = Migration(...)"
    if line is None:
        return f"it does not assign the variable {NAME}; write {NAME} = Migration(...)"
    return f"its variable {NAME} is not a Migration, but {printable(repr(declared))}"
