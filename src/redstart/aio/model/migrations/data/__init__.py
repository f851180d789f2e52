# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.migrations.data`."""

from redstart.aio.redis_om_migrators import BaseMigration, DataMigrator
from redstart.errors import DataMigrationError
from redstart.unavailable_names import attribute_of

__all__ = ["BaseMigration", "DataMigrationError", "DataMigrator"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name, ("base", "builtin", "migrator"))
