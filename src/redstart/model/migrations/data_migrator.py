# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.data_migrator`."""

from redstart.errors import DataMigrationError
from redstart.sync.redis_om_migrators import BaseMigration, DataMigrator

__all__ = ["BaseMigration", "DataMigrationError", "DataMigrator"]
