"""The order of migrations by their dependencies, its heads, and the models after a sequence of files.

The files declare these models; none is imported.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Protocol, TypeAlias, TypeVar

from redstart.display import printable
from redstart.errors import MigrationFileError, MigrationStateError
from redstart.migrations.files.declarations import Problem
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.operations.base import DocumentOperation, Operation
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.state import ProjectState
from redstart.next_steps import Command, Hint


class Node(Protocol):
    """A migration in the order of its dependencies."""

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Ids of migrations that must be applied before it."""

    @property
    def source(self) -> str:
        """The file or module."""


N = TypeVar("N", bound=Node)


def in_order(
    migrations: Mapping[str, N],
    done: Collection[str],
    missing: str = "which is neither declared nor recorded as applied",
) -> tuple[list[N], list[Problem]]:
    """Return the migrations in the order in which they have to be applied.

    Args:
        migrations: those that are not applied yet, by id.
        done: ids of dependencies that are applied.
        missing: what is wrong with a dependency that is in neither of the two, as a relative clause.

    Returns:
        All of them, and the problems of those that cannot be ordered, which are at the end.
    """
    awaited = {
        name: {other for other in one.dependencies if other not in done} for name, one in migrations.items()
    }
    sorter = TopologicalSorter(awaited)
    with suppress(CycleError):  # what does not depend on the cycle is sorted all the same
        sorter.prepare()
    ready: list[str] = []  # a heap: of those without order among themselves, the first id comes first
    order: list[str] = []
    while True:
        for name in sorter.get_ready():
            if name in migrations:  # what depends on any other name never becomes ready
                heappush(ready, name)
        if not ready:
            break
        first = heappop(ready)
        order.append(first)
        sorter.done(first)
    placed = set(order)
    left = {name: others - placed for name, others in sorted(awaited.items()) if name not in placed}
    return [migrations[name] for name in (*order, *left)], _problems(migrations, left, missing)


def _problems(
    migrations: Mapping[str, Node], left: Mapping[str, set[str]], why_missing: str
) -> list[Problem]:
    """Return missing dependencies and cycles. Migrations that only depend on such a one are not reported."""
    found = []
    for name, others in left.items():
        missing = sorted(others - migrations.keys())
        if missing:
            which = f"{name} depends on {', '.join(missing)}"
            reason = f"{printable(which)}, {why_missing}"
            found.append(Problem(name, migrations[name].source, None, reason))
    circles: dict[frozenset[str], list[str]] = {}
    for name in left:
        circle = _circle(name, left)
        if circle:
            _ = circles.setdefault(frozenset(circle), circle)
    for circle in circles.values():
        reason = printable(f"migrations depend on each other in a cycle: {' -> '.join(circle)}")
        found.append(Problem(circle[0], migrations[circle[0]].source, None, reason))
    return found


def _circle(start: str, left: Mapping[str, set[str]]) -> list[str]:
    """Return the shortest cycle from a migration over its dependencies to itself; empty if there is none."""
    came_from: dict[str, str] = {}
    look_at = [start]
    for name in look_at:
        for other in sorted(left.get(name, ())):
            if other == start:
                way = [name]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return [*reversed(way), start]
            if other not in came_from:
                came_from[other] = name
                look_at.append(other)
    return []


def heads(migrations: Mapping[str, Node]) -> tuple[str, ...]:
    """Return the ids of the migrations on which no other depends, sorted."""
    awaited = {other for one in migrations.values() for other in one.dependencies}
    return tuple(sorted(migrations.keys() - awaited))


def require_single_head(found: Iterable[str], where: str) -> None:
    """Raise MigrationFileError if there are two or more heads: their order is not determined.

    Args:
        where: the directory.
    """
    ids = tuple(found)
    if len(ids) < 2:
        return
    raise MigrationFileError(
        f"The migration files in {printable(where)} have {len(ids)} heads: {', '.join(map(printable, ids))}. Their "
        "order is not defined.",
        Hint("Join them with: ", Command("migrate merge")),
    )


def with_dependencies(migration_id: str, migrations: Mapping[str, Node]) -> set[str]:
    """Return the id and the ids of all migrations that it depends on, directly or not; only those that are declared."""
    found: set[str] = set()
    look_at = [migration_id]
    while look_at:
        name = look_at.pop()
        if name in migrations and name not in found:
            found.add(name)
            look_at += migrations[name].dependencies
    return found


FieldPath: TypeAlias = tuple[str, ...]
"""The path of a field: the key prefix of its model, and the names of fields."""


def state_after(files: Iterable[MigrationFile], before: ProjectState | None = None) -> ProjectState:
    """Return the models after all operations of some files.

    Args:
        files: in the order in which they are applied.
        before: the models before them; by default none.

    Raises:
        MigrationFileError: an operation does not fit the models before it.
    """
    state = ProjectState() if before is None else before
    for file in files:
        for number, operation in enumerate(file.operations, start=1):
            try:
                if isinstance(operation, DocumentOperation):
                    _ = operation.bind(state)
                state = operation.apply(state)
            except MigrationStateError as exc:
                raise _misfit(file, number, exc.message, exc.next_step) from exc
            except Exception as exc:  # an argument of a wrong type may raise anything
                raise _misfit(file, number, f"{type(exc).__name__}: {exc}", None) from exc
    return state


def _misfit(file: MigrationFile, number: int, reason: str, hint: str | Hint | None) -> MigrationFileError:
    return MigrationFileError(
        f"{printable(file.source)}: operation {number} does not fit the files before it. {printable(reason)}",
        hint or "Correct the operation, or the dependencies of the file.",
    )


def require_valid(operations: Iterable[Operation], before: ProjectState) -> None:
    """Raise MigrationStateError if an operation does not fit, or contains a value that cannot be stored."""
    state = before
    for operation in operations:
        if isinstance(operation, DocumentOperation):
            _ = operation.bind(state)
        state = operation.apply(state)


def merged_state(files: Sequence[MigrationFile], heads: Sequence[str]) -> ProjectState:
    """Return the models after all files, if it does not depend on the order of their branches.

    Args:
        files: all files of the project, in order.
        heads: the last file of each branch.

    Raises:
        MigrationFileError: the branches change the same models differently.
    """
    forward, backward = (_in_branches(files, order) for order in (heads, tuple(reversed(heads))))
    try:
        states = state_after(forward), state_after(backward)
    except MigrationFileError as exc:
        raise _conflict(heads, exc.message) from exc
    if states[0] != states[1]:
        raise _conflict(heads, "The models after them depend on which of them comes first.")
    return states[0]


def _conflict(heads: Sequence[str], reason: str) -> MigrationFileError:
    return MigrationFileError(
        f"The branches that end with {' and '.join(heads)} conflict. {reason}",
        f"Let one branch follow the other: in the first file of a branch, replace the dependencies by ['{heads[0]}'], "
        "and adapt its operations.",
    )


def _in_branches(files: Sequence[MigrationFile], heads: Iterable[str]) -> list[MigrationFile]:
    """Return the files in an order that is valid, too: one branch after the other."""
    known = {file.migration_id: file for file in files}
    ids: dict[str, None] = {}
    for head in heads:
        branch = with_dependencies(head, known)
        ids |= dict.fromkeys(file.migration_id for file in files if file.migration_id in branch)
    return [known[name] for name in ids]


def operations_on_reused_paths(operations: Sequence[Operation], before: ProjectState) -> set[int]:
    """Return the positions of operations that remove a field, or move it, and of later ones that add it again.

    Documents do not show whether a value at its path is the old or the new one. So they are changed at once.
    """
    removed_by: dict[FieldPath, int] = {}
    found: set[int] = set()
    for number, (gone, come) in enumerate(removed_and_added_paths(operations, before)):
        for path in come & removed_by.keys():
            found |= {removed_by[path], number}
        removed_by |= dict.fromkeys(gone, number)
    return found


def removed_and_added_paths(
    operations: Iterable[Operation], before: ProjectState
) -> Iterator[tuple[set[FieldPath], set[FieldPath]]]:
    """Yield for each operation the paths of fields that it removes, and of those that it adds."""
    old = set(_field_paths(before))
    for operation in operations:
        before = operation.apply(before)
        new = set(_field_paths(before))
        yield old - new, new - old
        old = new


def _field_paths(state: ProjectState) -> Iterator[FieldPath]:
    for model in state.models.values():
        yield from _paths_in(model.fields, (model.key_prefix,))


def _paths_in(fields: Sequence[FieldState], above: FieldPath) -> Iterator[FieldPath]:
    for one in fields:
        yield (*above, one.name)
        yield from _paths_in(one.fields, (*above, one.name))
