# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations`."""

from redstart.errors import MigrationError
from redstart.sync.migrator import SchemaDetector

__all__ = ["MigrationError", "SchemaDetector"]
