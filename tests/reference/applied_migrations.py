"""Has redis-om's own migrators run the migration files of a directory, and record them.

Run as `python applied_migrations.py DIRECTORY` by an interpreter that has redis-om 1.2.0; REDIS_OM_URL names the
server. Nothing here may import Redstart.
"""

import asyncio
import sys

from aredis_om.model.migrations import DataMigrator, SchemaMigrator


async def main() -> None:
    """Run all schema migrations, and the first of the data migrations."""
    await SchemaMigrator(migrations_dir=f"{sys.argv[1]}/schema-migrations").run()
    await DataMigrator(migrations_dir=f"{sys.argv[1]}/data-migrations").run_migrations(limit=1)


if __name__ == "__main__":
    asyncio.run(main())
