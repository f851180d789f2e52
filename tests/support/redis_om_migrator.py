"""redis-om's own Migrator, run on the station's models as a user of redis-om declared them.

Run as `python redis_om_migrator.py 0x` (or `1x`) by an interpreter that has that redis-om; REDIS_OM_URL names the
server. Nothing here may import Redstart. The models are those of redstart.demo.models: what is not indexed is
declared as well, for it leaves its trace in the schema text of JSON models.
"""

import datetime
import importlib
import sys
from typing import Any


def declare(om: Any, keywords: dict[str, bool], moments: Any) -> None:
    """Declare the models.

    Args:
        keywords: of a model class that has an index; before 1.0 every class has one.
        moments: what a list of moments is declared as; before 1.0 lists hold text and are indexed, and a
            document with a map is not found.
    """
    field = om.Field

    class Ringer(om.HashModel, **keywords):
        name: str = field(index=True)
        born_on: datetime.date = field(index=True)
        licensed_at: datetime.datetime = field(index=True)
        last_seen_at: datetime.datetime | None = field(default=None, index=True)
        birds_ringed: int = field(index=True, sortable=True)
        remark: str = ""

        class Meta:
            global_key_prefix = "station"
            model_key_prefix = "redstart.demo.models.Ringer"

    class Visit(om.HashModel, **keywords):
        visit_code: str = field(primary_key=True)
        site: str = field(index=True)
        arrived_at: datetime.datetime = field(index=True)
        left_at: datetime.datetime | None = field(default=None, index=True)
        permit_until: datetime.date = field(index=True)
        nets: int = field(index=True, sortable=True)
        weather: str = ""

        class Meta:
            global_key_prefix = "station"
            model_key_prefix = "visit"

    class Measurement(om.EmbeddedJsonModel):
        method: str = field(index=True)
        grams: float
        taken_at: datetime.datetime
        repeat_on: datetime.date | None = None

    class Capture(om.EmbeddedJsonModel):
        net: str = field(index=True)
        released_at: datetime.datetime | None = None
        ringed_at: str = ""

    class Sighting(om.JsonModel, **keywords):
        species: str = field(index=True)
        wing_millimetres: float = field(index=True, sortable=True)
        ringed_at: datetime.datetime = field(index=True)
        hatched_on: datetime.date | None = field(default=None, index=True)
        capture: Capture
        measurements: list[Measurement] = field(default=[])
        resighted_at: moments = field(default=[])
        if keywords:
            last_seen_by_place: dict[str, datetime.datetime] = field(default={})

        class Meta:
            global_key_prefix = "station"
            model_key_prefix = "sighting"


def main() -> None:
    """Declare the models with redis-om, and run its Migrator."""
    om = importlib.import_module("redis_om")
    if sys.argv[1] == "0x":
        declare(om, {}, list[str])
    else:
        declare(om, {"index": True}, list[datetime.datetime])
    om.Migrator().run()


if __name__ == "__main__":
    main()
