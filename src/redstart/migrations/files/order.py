"""Which of several migrations comes first: each after those it depends on, and else by its id."""

from collections.abc import Collection, Mapping
from heapq import heapify, heappop, heappush

from redstart.display import printable
from redstart.migrations.files.declared import Declared, Problem


def in_order(
    migrations: Mapping[str, Declared], done: Collection[str]
) -> tuple[list[Declared], list[Problem]]:
    """The migrations in the order in which they are to be applied.

    Args:
        migrations: by their ids; those that are still to be done.
        done: ids that need no waiting for.

    Returns:
        All of them, and why some have no place in that order; those stand at the end.
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
    """What is to blame: a dependency that is not there, or a circle. What only waits for such a one is not named."""
    found = []
    for name, others in left.items():
        missing = sorted(others - migrations.keys())
        if missing:
            which = f"{name} depends on {', '.join(missing)}"
            reason = f"{printable(which)}, which no file declares and no record has as applied"
            found.append(Problem(name, migrations[name].source, None, reason))
    circles: dict[frozenset[str], list[str]] = {}
    for name in left:
        circle = _circle(name, left)
        if circle:
            _ = circles.setdefault(frozenset(circle), circle)
    for circle in circles.values():
        reason = printable(f"migrations depend on each other in a circle: {' -> '.join(circle)}")
        found.append(Problem(circle[0], migrations[circle[0]].source, None, reason))
    return found


def _circle(start: str, left: Mapping[str, set[str]]) -> list[str]:
    """The shortest way from a migration over its dependencies back to itself; empty if there is none."""
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
