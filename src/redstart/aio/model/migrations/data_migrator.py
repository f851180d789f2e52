# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations.data_migrator`."""

from redstart.aio.redis_om_migrators import BaseMigration, DataMigrator
from redstart.errors import DataMigrationError

__all__ = ["BaseMigration", "DataMigrationError", "DataMigrator"]
