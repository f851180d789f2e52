"""One migration as declared by its class, and the problem of a class that cannot be read."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

from redstart.display import printable
from redstart.errors import DataMigrationError, MigrationError, SchemaMigrationError
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, APPLIED_SCHEMA_MIGRATIONS
from redstart.next_steps import Command


@dataclass(frozen=True, slots=True)
class Declared:
    """A migration that is declared in a file or module.

    Attributes:
        migration_id: the id under which it is recorded when it is applied.
        description: one line of text; may be empty.
        dependencies: ids of migrations that must be applied before it.
        source: the file or module.
        declaration: the class; `up()` of its instance is the migration.
    """

    migration_id: str
    description: str
    dependencies: tuple[str, ...]
    source: str
    declaration: type[Any]

    @property
    def is_async(self) -> bool:
        """Whether its `up` is asynchronous."""
        return inspect.iscoroutinefunction(getattr(self.declaration, "up", None))


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a migration cannot be read or ordered.

    Attributes:
        migration_id: from the name of the file, if the class cannot be read; "" if there is none.
        source: the file or module.
        line: line number in that file, from 1; None if the problem has no line.
        reason: one line.
    """

    migration_id: str
    source: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        where = printable(self.source)
        return f"{where}{'' if self.line is None else f', line {self.line}'}: {self.reason}"


def declared(declaration: type[Any], source: str) -> Declared | str:
    """Return the declaration of a class; or the reason why it is invalid, in one line."""
    name, stated = declaration.__name__, getattr(declaration, "migration_id", None)
    if not isinstance(stated, str) or not stated:
        return f"{name}.migration_id must be a non-empty string, got {printable(repr(stated))}"
    dependencies = getattr(declaration, "dependencies", ())
    if not _are_texts(dependencies):
        return f"{name}.dependencies must be a list of ids, got {printable(repr(dependencies))}"
    description = getattr(declaration, "description", "")
    return Declared(stated, printable(description), tuple(dependencies), source, declaration)


def _are_texts(value: object) -> TypeGuard[Sequence[str]]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return False
    return all(isinstance(item, str) for item in value)


_LIBRARIES = ("redstart", "redis_om", "aredis_om")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of migration file.

    Attributes:
        name: its name in messages.
        base: the name of the base class of its migrations.
        folder: the directory of its files, below the directory of all migration files.
        record: the key of the set of applied ids.
        error: the class of error for invalid migrations.
        status_command: the command that lists them.
        has_checks: whether `can_run` is called before `up`.
    """

    name: str
    base: str
    folder: str
    record: str
    error: type[MigrationError]
    status_command: Command
    has_checks: bool

    def directory(self, root: str) -> Path:
        """Return the directory of its files, given the directory of all migration files."""
        return Path(root) / self.folder

    def is_declared_by(self, value: object) -> TypeGuard[type]:
        """Return whether a class is a migration of this kind: a subclass of Redstart's or redis-om's base class."""
        return isinstance(value, type) and any(
            one.__name__ == self.base and one.__module__.partition(".")[0] in _LIBRARIES
            for one in value.__mro__[1:]
        )


DATA: Final = Kind(
    "data",
    "BaseMigration",
    "data-migrations",
    APPLIED_MIGRATIONS,
    DataMigrationError,
    Command("migrate-data status"),
    has_checks=True,
)
SCHEMA: Final = Kind(
    "schema",
    "BaseSchemaMigration",
    "schema-migrations",
    APPLIED_SCHEMA_MIGRATIONS,
    SchemaMigrationError,
    Command("migrate status"),
    has_checks=False,
)
