"""Has redis-om itself write a schema migration and two data migrations, with its own commands `om ... create`.

Run as `python written_migrations.py DIRECTORY` by an interpreter that has redis-om 1.2.0; REDIS_OM_URL names the
server. Nothing here may import Redstart.
"""

import datetime
import os
import sys

import aredis_om
from aredis_om.cli.main import om


class Visit(aredis_om.HashModel, index=True):
    """One that has no index yet, so that there is something to write a schema migration of."""

    site: str = aredis_om.Field(index=True)
    at: datetime.datetime = aredis_om.Field(index=True)

    class Meta:
        global_key_prefix = "their"
        model_key_prefix = "visit"


def main() -> None:
    """Write them."""
    os.environ["REDIS_OM_MIGRATIONS_DIR"] = sys.argv[1]
    for words in (["migrate", "create", "add_visits"], *(["migrate-data", "create", name] for name in "ab")):
        om([*words, "--yes"], standalone_mode=False)


if __name__ == "__main__":
    main()
