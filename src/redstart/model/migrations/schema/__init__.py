# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.schema`."""

from redstart.errors import MigrationError, SchemaMigrationError
from redstart.mapping.model_info import import_submodules
from redstart.migrations.startup import MigrationAction
from redstart.migrations.startup import PendingIndex as IndexMigration
from redstart.sync.index_migrations import Migrator, SchemaDetector
from redstart.sync.redis_om_migrators import BaseSchemaMigration, SchemaMigrator
from redstart.unavailable_names import attribute_of

__all__ = [
    "BaseSchemaMigration",
    "IndexMigration",
    "MigrationAction",
    "MigrationError",
    "Migrator",
    "SchemaDetector",
    "SchemaMigrationError",
    "SchemaMigrator",
    "import_submodules",
]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name, ("base", "legacy_migrator", "migrator"))
