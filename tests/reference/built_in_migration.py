"""redis-om's own built-in migration, its detector and `create_index`: what they take and give, printed as JSON.

Runs where only redis-om is; the words on the command line are the name, the schema and the hash of an index to create.
"""

import inspect
import json
import sys

from redis_om import get_redis_connection
from redis_om.model.migrations.data.builtin import (
    ConversionFailureMode,
    DatetimeFieldDetector,
    DatetimeFieldMigration,
)
from redis_om.model.migrations.schema.legacy_migrator import create_index


class Made(DatetimeFieldMigration):
    """Of redis-om's own class no object can be made: its `up` has got into another class of its module."""

    def up(self) -> None:
        """Nothing is to be done here."""


def main() -> None:
    """Create the index, and print the rest."""
    client = get_redis_connection()
    create_index(client, *sys.argv[1:])
    migration = Made(client, max_errors=5)
    migration.stats.add_conversion_error("key", "field", "value", ValueError("error"))
    migration.stats.add_converted_field()
    found = {
        "id": migration.migration_id,
        "parameters": list(inspect.signature(DatetimeFieldMigration).parameters),
        "settings": {
            name: getattr(migration, name) for name in ("batch_size", "max_errors", "enable_resume")
        },
        "modes": {mode.name: mode.value for mode in ConversionFailureMode},
        "stats": migration.get_migration_stats(),
        "report": sorted(DatetimeFieldDetector(client).check_for_schema_mismatches([])),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
