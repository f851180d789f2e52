# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations`."""

from redstart.aio.migrator import SchemaDetector
from redstart.errors import MigrationError

__all__ = ["MigrationError", "SchemaDetector"]
