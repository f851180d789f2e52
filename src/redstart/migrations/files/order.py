"""The order of migrations: each after its dependencies, otherwise by id."""

from collections.abc import Collection, Mapping
from heapq import heapify, heappop, heappush

from redstart.display import printable
from redstart.migrations.files.declarations import Declared, Problem


def in_order(
    migrations: Mapping[str, Declared], done: Collection[str]
) -> tuple[list[Declared], list[Problem]]:
    """Return the migrations in the order in which they have to be applied.

    Args:
        migrations: those that are not applied yet, by id.
        done: ids of dependencies that are applied.

    Returns:
        All of them, and the problems of those without a place in that order, which are at the end.
    """
    awaited = {
        name: {other for other in one.dependencies if other not in done} for name, one in migrations.items()
    }
    ready = [name for name, others in awaited.items() if not others]
    heapify(ready)
    order: list[str] = []
    while ready:
        first = heappop(ready)
        order.append(first)
        for name, others in awaited.items():
            if first in others:
                others.remove(first)
                if not others:
                    heappush(ready, name)
    left = {name: others for name, others in sorted(awaited.items()) if others}
    return [migrations[name] for name in (*order, *left)], _problems(migrations, left)


def _problems(migrations: Mapping[str, Declared], left: Mapping[str, set[str]]) -> list[Problem]:
    """Return missing dependencies and cycles. Migrations that only depend on such a one are not reported."""
    found = []
    for name, others in left.items():
        missing = sorted(others - migrations.keys())
        if missing:
            which = f"{name} depends on {', '.join(missing)}"
            reason = f"{printable(which)}, which is neither declared nor recorded as applied"
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
