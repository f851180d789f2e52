"""Check that the state of Redstart on the server is complete, readable and consistent."""

from collections.abc import Collection

from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.data.damage import find_data_damage
from redstart.migrations.data.record import read_record
from redstart.migrations.indexes.damage import find_index_damage
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys, require_none
from redstart.next_steps import Command, Hint


def require_intact(keys: StateKeys, *, exempt: Collection[str] = ()) -> Op[None]:
    """Raise StateDamagedError if a key of the data or index migrations is missing, damaged, or of a newer version.

    Args:
        exempt: parts that may be damaged (see `Damage.part`).

    Effects: reads only.
    """
    damages = yield from find_data_damage(keys)
    if (yield from has_search()):
        damages += yield from find_index_damage(keys.restore_hint())
    require_none(damage for damage in damages if damage.part not in exempt)


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
