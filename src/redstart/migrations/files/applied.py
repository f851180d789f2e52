"""Which migrations are recorded as applied, where redis-om records them, and what that leaves to be done."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.commands.keyspace import sadd, smembers, srem
from redstart.display import printable
from redstart.effects import Op, call
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.files.declared import Declared, Problem
from redstart.migrations.files.kinds import Kind
from redstart.migrations.files.load import Found
from redstart.migrations.files.order import in_order


def applied_ids(kind: Kind) -> Op[set[str]]:
    """The ids on record as applied, by whomever. One read."""
    found = yield from call(smembers(kind.record))
    return {member.decode(errors="backslashreplace") for member in found}


def mark_applied(kind: Kind, migration_id: str) -> Op[None]:
    """Record an id as applied. One write; safe to repeat."""
    _ = yield from call(sadd(kind.record, migration_id))


def mark_unapplied(kind: Kind, migration_id: str) -> Op[None]:
    """Take an id from the record. One write; safe to repeat."""
    _ = yield from call(srem(kind.record, migration_id))


@dataclass(frozen=True, slots=True)
class FilesStatus:
    """How the migrations of a directory or module stand.

    Attributes:
        where: the directory or module.
        recorded: all ids on record as applied, sorted.
        applied: the migrations whose ids those are.
        pending: the others, in the order in which they are to be applied.
        applied_unreadable: what cannot be read of files whose migrations are on record as applied.
        without_file: ids on record that nothing here declares.
        problems: what cannot be read or ordered, and is not on record as applied.
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
        """How many migrations are declared."""
        return len(self.applied) + len(self.pending)

    def as_redis_om_says_it(self) -> dict[str, Any]:
        """Numbers and ids, as redis-om's migrators give them."""
        return {
            "total_migrations": self.total,
            "applied_count": len(self.recorded),
            "pending_count": len(self.pending),
            "applied_migrations": list(self.recorded),
            "pending_migrations": [one.migration_id for one in self.pending],
        }


def files_status(found: Found, recorded: Collection[str]) -> FilesStatus:
    """What is applied and what is pending.

    A file that cannot be read any more and was applied under its name is no problem: it may ask for what is gone.

    Args:
        recorded: the ids on record as applied.
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
    """Raises DataMigrationError or SchemaMigrationError, as the kind is, if there are problems."""
    if not problems:
        return
    others = f"\nThere are {len(problems) - 1} more like this." if len(problems) > 1 else ""
    raise kind.error(
        f"A {kind.name} migration cannot be used. {problems[0]}{others}",
        f"Correct it, or move it out of {printable(where)}. See all of them with: {kind.command} status",
    )
