"""The indexes of the sample as redis-om 0.x created them: dates are tags."""

from redstart.commands.search import ft_create
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.effects import Op, call, pause
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes
from redstart.search.schema import create_arguments

POLL_SECONDS = 0.02


def station_indexes() -> list[PlannedIndex]:
    """Return the index definitions of the station's models, both the present ones and those of redis-om 0.x."""
    return planned_indexes(declare(model) for model in (Ringer, Visit, Sighting))


def make_old_indexes() -> Op[None]:
    """Create the indexes of redis-om 0.x, and wait until they are built. Their hashes are among the foreign keys.

    Raises:
        CommandError: the server has no search module, or an index already exists.
    """
    for planned in station_indexes():
        yield from call(ft_create(create_arguments(planned.old)))
    for planned in station_indexes():
        while (found := (yield from find_index(planned.name))) is None or found.indexing:
            yield from pause(POLL_SECONDS)
