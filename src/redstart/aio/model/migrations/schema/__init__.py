# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations.schema`."""

from redstart.aio.migrator import Migrator, SchemaDetector
from redstart.aio.schema_migrations import BaseSchemaMigration, SchemaMigrator
from redstart.errors import MigrationError, SchemaMigrationError

__all__ = [
    "BaseSchemaMigration",
    "MigrationError",
    "Migrator",
    "SchemaDetector",
    "SchemaMigrationError",
    "SchemaMigrator",
]
