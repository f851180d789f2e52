# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations`."""

from redstart.errors import DataMigrationError, MigrationError, SchemaMigrationError
from redstart.migrations.startup import MigrationAction
from redstart.sync.index_migrations import SchemaDetector
from redstart.sync.redis_om_migrators import BaseMigration, BaseSchemaMigration, DataMigrator, SchemaMigrator
from redstart.unavailable_names import attribute_of

__all__ = [
    "BaseMigration",
    "BaseSchemaMigration",
    "DataMigrationError",
    "DataMigrator",
    "MigrationAction",
    "MigrationError",
    "SchemaDetector",
    "SchemaMigrationError",
    "SchemaMigrator",
]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name, ("data", "data_migrator", "migrator", "schema"))
