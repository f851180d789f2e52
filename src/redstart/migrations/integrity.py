"""Check that the state of Redstart on the server is complete, readable and consistent."""

from collections.abc import Collection

from redstart.effects import Op
from redstart.migrations.context import Context
from redstart.migrations.damage import require_none
from redstart.migrations.data.damage import find_data_damage
from redstart.migrations.data.maintenance import forget as forget_data
from redstart.migrations.indexes.damage import find_index_damage, unrecorded
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys


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
