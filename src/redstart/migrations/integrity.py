"""Check that the state of Redstart on the server is complete, readable and consistent."""

from collections.abc import Collection

from redstart.effects import Op
from redstart.migrations.damage import require_none
from redstart.migrations.data.damage import find_data_damage
from redstart.migrations.indexes.damage import find_index_damage
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys


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
