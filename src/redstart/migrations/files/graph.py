"""The order of migrations by their dependencies, its heads, and the migrations without a place in it."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Protocol, TypeVar

from redstart.display import printable
from redstart.errors import MigrationFileError
from redstart.migrations.files.declarations import Problem
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
        All of them, and the problems of those without a place in that order, which are at the end.
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
        f"The migration files in {printable(where)} have {len(ids)} heads: {', '.join(map(printable, ids))}. No file "
        "says which of them comes first.",
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
