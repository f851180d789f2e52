"""Has redis-om's own migrator run a data migration with the id of the built-in one, and record it.

Run as `python datetime_record.py DIRECTORY` by an interpreter that has redis-om 1.2.0; REDIS_OM_URL names the server.
No object can be made of the built-in class of redis-om 1.2.0, so its migration has to come from a file.
"""

import asyncio
import sys

from aredis_om.model.migrations import DataMigrator


async def main() -> None:
    """Run all data migrations of the directory."""
    await DataMigrator(migrations_dir=sys.argv[1]).run_migrations()


if __name__ == "__main__":
    asyncio.run(main())
