"""Applied and pending migrations in their order, according to the records of redis-om."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from redstart.commands.keyspace import sadd, smembers, srem
from redstart.display import printable
from redstart.effects import Op, call
from redstart.migrations.files.declarations import Declared, Kind, Problem
from redstart.migrations.files.loader import Found
from redstart.migrations.state_keys import DATETIME_MIGRATION
from redstart.next_steps import Hint


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


def applied_ids(kind: Kind) -> Op[set[str]]:
    """Return the ids that are recorded as applied, by any program. One read."""
    found = yield from call(smembers(kind.record))
    return {member.decode(errors="backslashreplace") for member in found}


def mark_applied(kind: Kind, migration_id: str) -> Op[None]:
    """Record an id as applied. One write; safe to repeat."""
    _ = yield from call(sadd(kind.record, migration_id))


def mark_unapplied(kind: Kind, migration_id: str) -> Op[None]:
    """Remove an id from the record. One write; safe to repeat."""
    _ = yield from call(srem(kind.record, migration_id))


@dataclass(frozen=True, slots=True)
class FilesStatus:
    """The status of the migrations of a directory or module.

    Attributes:
        where: the directory or module.
        recorded: all ids that are recorded as applied, sorted.
        applied: the migrations with these ids.
        pending: the others, in the order in which they have to be applied.
        applied_unreadable: unreadable files whose migrations are recorded as applied.
        without_file: recorded ids that no file declares.
        problems: unreadable or unordered migrations that are not recorded as applied.
    """

    where: str
    recorded: tuple[str, ...]
    applied: tuple[Declared, ...]
    pending: tuple[Declared, ...]
    without_file: tuple[str, ...]
    problems: tuple[Problem, ...]
    applied_unreadable: tuple[Problem, ...] = ()

    @property
    def total(self) -> int:
        """Number of declared migrations."""
        return len(self.applied) + len(self.pending)

    def to_redis_om_dict(self) -> dict[str, Any]:
        """Return numbers and ids in the format of redis-om's migrators."""
        return {
            "total_migrations": self.total,
            "applied_count": len(self.recorded),
            "pending_count": len(self.pending),
            "applied_migrations": list(self.recorded),
            "pending_migrations": [one.migration_id for one in self.pending],
        }


def files_status(found: Found, recorded: Collection[str]) -> FilesStatus:
    """Return the applied and the pending migrations.

    An unreadable file of an applied migration is not a problem: it may import modules that no longer exist.

    Args:
        recorded: the ids that are recorded as applied.
    """
    waiting = {name: one for name, one in found.migrations.items() if name not in recorded}
    pending, without_place = in_order(waiting, {*recorded, DATETIME_MIGRATION})
    unreadable = [one for one in found.problems if one.migration_id not in recorded]
    known = {*found.migrations, *(one.migration_id for one in found.problems), DATETIME_MIGRATION}
    return FilesStatus(
        where=found.where,
        recorded=tuple(sorted(recorded)),
        applied=tuple(one for name, one in found.migrations.items() if name in recorded),
        pending=tuple(pending),
        without_file=tuple(sorted(set(recorded) - known)),
        problems=(*unreadable, *without_place),
        applied_unreadable=tuple(one for one in found.problems if one.migration_id in recorded),
    )


def refuse(problems: Sequence[Problem], where: str, kind: Kind) -> None:
    """Raise DataMigrationError or SchemaMigrationError, according to the kind, if there are problems."""
    if not problems:
        return
    others = f"\n... {len(problems) - 1} more" if len(problems) > 1 else ""
    raise kind.error(
        f"The {kind.name} migrations in {printable(where)} cannot be used. {problems[0]}{others}",
        Hint(
            "Correct the file, or move it to another directory. List all problems with: ",
            kind.status_command,
        ),
    )
