# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations.schema.legacy_migrator`."""

from redstart.aio.index_migrations import Migrator, SchemaDetector, create_index
from redstart.errors import MigrationError
from redstart.mapping.model_info import import_submodules
from redstart.migrations.indexes.state import hash_key as schema_hash_key
from redstart.migrations.indexes.state import schema_key as schema_text_key
from redstart.migrations.startup import MigrationAction
from redstart.migrations.startup import PendingIndex as IndexMigration

__all__ = [
    "IndexMigration",
    "MigrationAction",
    "MigrationError",
    "Migrator",
    "SchemaDetector",
    "create_index",
    "import_submodules",
    "schema_hash_key",
    "schema_text_key",
]
