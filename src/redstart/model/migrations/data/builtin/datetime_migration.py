# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.data.builtin.datetime_migration`."""

from redstart.errors import DataMigrationError
from redstart.migrations.data.edit_builder import FailureMode as ConversionFailureMode
from redstart.sync.data_migrations import DatetimeFieldDetector, DatetimeFieldMigration
from redstart.sync.redis_om_migrators import BaseMigration
from redstart.unavailable_names import attribute_of

__all__ = [
    "BaseMigration",
    "ConversionFailureMode",
    "DataMigrationError",
    "DatetimeFieldDetector",
    "DatetimeFieldMigration",
]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
