# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.schema.migrator`."""

from redstart.errors import SchemaMigrationError
from redstart.migrations.indexes.state import hash_key as schema_hash_key
from redstart.migrations.indexes.state import schema_key as schema_text_key
from redstart.migrations.startup import MigrationAction
from redstart.sync.index_migrations import SchemaDetector
from redstart.sync.redis_om_migrators import BaseSchemaMigration, SchemaMigrator

__all__ = [
    "BaseSchemaMigration",
    "MigrationAction",
    "SchemaDetector",
    "SchemaMigrationError",
    "SchemaMigrator",
    "schema_hash_key",
    "schema_text_key",
]
