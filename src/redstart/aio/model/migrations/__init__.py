# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations`."""

from redstart.aio.data_migrations import BaseMigration, DataMigrator
from redstart.aio.migrator import SchemaDetector
from redstart.aio.schema_migrations import BaseSchemaMigration, SchemaMigrator
from redstart.errors import DataMigrationError, MigrationError, SchemaMigrationError

__all__ = [
    "BaseMigration",
    "BaseSchemaMigration",
    "DataMigrationError",
    "DataMigrator",
    "MigrationError",
    "SchemaDetector",
    "SchemaMigrationError",
    "SchemaMigrator",
]
