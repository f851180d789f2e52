# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.migrator`."""

from redstart.errors import MigrationError
from redstart.mapping.submodules import import_submodules
from redstart.migrations.pending import MigrationAction
from redstart.migrations.pending import PendingIndex as IndexMigration
from redstart.sync.migrator import Migrator, SchemaDetector

__all__ = [
    "IndexMigration",
    "MigrationAction",
    "MigrationError",
    "Migrator",
    "SchemaDetector",
    "import_submodules",
]
