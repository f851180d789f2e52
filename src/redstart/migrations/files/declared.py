"""One migration as its class declares it, and what is wrong where that cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from redstart.display import printable


@dataclass(frozen=True, slots=True)
class Declared:
    """A migration that is declared in a file or module.

    Attributes:
        migration_id: what it is recorded as when it is applied.
        description: one line for people; may be empty.
        dependencies: ids of migrations that come before it.
        source: the file or module.
        declaration: the class; made with a client of a server, its `up()` is the migration.
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
        migration_id: by the name of the file, where the class cannot be read; "" where that says nothing.
        source: the file or module.
        line: in that file, from 1; None where no line is to blame.
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
    """What a class says of itself; or what is wrong with it, in a line."""
    name, stated = declaration.__name__, getattr(declaration, "migration_id", None)
    if not isinstance(stated, str) or not stated:
        return f"{name}.migration_id is {printable(repr(stated))}, not the text that it is recorded as"
    dependencies = getattr(declaration, "dependencies", ())
    if not _are_texts(dependencies):
        return f"{name}.dependencies is {printable(repr(dependencies))}, not a list of ids"
    description = getattr(declaration, "description", "")
    return Declared(stated, printable(description), tuple(dependencies), source, declaration)


def _are_texts(value: object) -> TypeGuard[Sequence[str]]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return False
    return all(isinstance(item, str) for item in value)
