# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.schema.base`."""

from redstart.errors import SchemaMigrationError
from redstart.sync.redis_om_migrators import BaseSchemaMigration

__all__ = ["BaseSchemaMigration", "SchemaMigrationError"]
