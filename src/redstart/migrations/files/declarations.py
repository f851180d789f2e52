"""One migration as declared by its class, and the problem of a class that cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from redstart.display import printable


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
