# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations.schema.base`."""

from redstart.aio.redis_om_migrators import BaseSchemaMigration
from redstart.errors import SchemaMigrationError

__all__ = ["BaseSchemaMigration", "SchemaMigrationError"]
