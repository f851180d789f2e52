# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.data.migrator`."""

from redstart.errors import DataMigrationError
from redstart.sync.redis_om_migrators import BaseMigration, DataMigrator
from redstart.unavailable_names import attribute_of

__all__ = ["BaseMigration", "DataMigrationError", "DataMigrator"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
