"""Applied and pending migrations in their order, according to the records of redis-om."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.commands.keyspace import sadd, smembers, srem
from redstart.display import printable
from redstart.effects import Op, call
from redstart.migrations.files.declarations import Declared, Kind, Problem
from redstart.migrations.files.graph import in_order
from redstart.migrations.files.loader import Found
from redstart.migrations.state_keys import of_other_types, require_none
from redstart.next_steps import Hint


def applied_ids(kind: Kind) -> Op[set[str]]:
    """Return the ids that are recorded as applied, by any program. Two reads.

    Raises:
        StateDamagedError: the record has another type.
    """
    require_none((yield from of_other_types([(f"{kind.name} record", kind.record, "set")])))
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

    @property
    def ids(self) -> set[str]:
        """All ids: of files, unusable ones included, and recorded ones without a file."""
        found = {one.migration_id for one in (*self.applied, *self.pending)}
        return (
            found
            | {one.migration_id for one in (*self.problems, *self.applied_unreadable)}
            | {*self.recorded}
        )

    def to_redis_om_dict(self) -> dict[str, Any]:
        """Return numbers and ids in the format of redis-om's migrators."""
        return {
            "total_migrations": self.total,
            "applied_count": len(self.recorded),
            "pending_count": len(self.pending),
            "applied_migrations": list(self.recorded),
            "pending_migrations": [one.migration_id for one in self.pending],
        }


def files_status(found: Found, recorded: Collection[str], built_in: Collection[str] = ()) -> FilesStatus:
    """Return the applied and the pending migrations.

    An unreadable file of an applied migration is not a problem: it may import modules that no longer exist.

    Args:
        recorded: the ids that are recorded as applied.
        built_in: ids of migrations without a file, which may be dependencies.
    """
    waiting = {name: one for name, one in found.migrations.items() if name not in recorded}
    pending, without_place = in_order(waiting, {*recorded, *built_in})
    unreadable = [one for one in found.problems if one.migration_id not in recorded]
    known = {*found.migrations, *(one.migration_id for one in found.problems), *built_in}
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
