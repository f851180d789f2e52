# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations.migrator`."""

from redstart.aio.migrator import Migrator, SchemaDetector
from redstart.errors import MigrationError

__all__ = ["MigrationError", "Migrator", "SchemaDetector"]
