"""The indexes over the sample, as redis-om had them before 1.0: dates are tags of text."""

from redstart.commands.search import ft_create
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.effects import Op, call, pause
from redstart.mapping.declaration import declare
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes
from redstart.search.index import create_arguments

POLL_SECONDS = 0.02


def station_indexes() -> list[PlannedIndex]:
    """What the station's models ask for, and what they asked for before 1.0."""
    return planned_indexes(declare(model) for model in (Ringer, Visit, Sighting))


def make_old_indexes() -> Op[None]:
    """Create the indexes of before 1.0, and wait until they are built. (redis-om's hashes are among the foreign keys.)

    Raises:
        CommandError: the server has no search module, or an index is there already.
    """
    for planned in station_indexes():
        yield from call(ft_create(create_arguments(planned.old)))
    for planned in station_indexes():
        while (found := (yield from find_index(planned.name))) is None or found.indexing:
            yield from pause(POLL_SECONDS)
