"""Check that the state of Redstart on the server is complete, readable and consistent."""

from collections.abc import Collection

from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.context import Context
from redstart.migrations.damage import require_none
from redstart.migrations.data.damage import find_data_damage
from redstart.migrations.data.maintenance import forget as forget_data
from redstart.migrations.data.record import read_record
from redstart.migrations.indexes.damage import find_index_damage, unrecorded
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Command, Hint


def require_intact(keys: StateKeys, *, exempt: Collection[str] = ()) -> Op[None]:
    """Raise StateDamagedError if a key of the data or index migrations is missing, damaged, or of a newer version.

    Args:
        exempt: parts that may be damaged (see `Damage.part`).

    Effects: reads only.
    """
    found = yield from find_data_damage(keys)
    if (yield from has_search()):
        found += yield from find_index_damage()
    require_none(one for one in found if one.part not in exempt)


def require_kept(keys: StateKeys) -> Op[None]:
    """Raise StateDamagedError unless the state of runs, which was there at the beginning of the work, is still intact.

    Without it, nothing that the work found or wrote is certain: the documents may have been deleted with it.

    Effects: reads only.
    """
    yield from require_intact(keys)
    if (yield from read_record(keys)).is_new:
        raise StateDamagedError(
            f"The state of the migration ({keys.record} and others) was removed during this command: another client "
            "rolled the migration back, or deleted or moved keys (FLUSHALL, FLUSHDB, SWAPDB, MOVE, DEL).",
            Hint(
                "See which documents are there, and in which format, with: ",
                Command("migrate-data stats", "--exact"),
                ". To restore lost documents or originals, use a backup.",
            ),
        )


def forget(context: Context, indexes: IndexMigration) -> Op[bool]:
    """Drop the undo log, and keep the active indexes whose record is lost.

    Returns, Raises: see `redstart.migrations.data.maintenance.forget`.

    Effects: those, and one write if the record of an index is lost. Safe to repeat.
    """
    forgotten = yield from forget_data(context)
    if (yield from has_search()):
        names = yield from unrecorded()
        if names:
            yield from indexes.settle(names)
            return True
    return forgotten
