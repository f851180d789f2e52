# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations`."""

from redstart.aio.index_migrations import SchemaDetector
from redstart.aio.redis_om_migrators import BaseMigration, BaseSchemaMigration, DataMigrator, SchemaMigrator
from redstart.errors import DataMigrationError, MigrationError, SchemaMigrationError
from redstart.migrations.startup import MigrationAction
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
