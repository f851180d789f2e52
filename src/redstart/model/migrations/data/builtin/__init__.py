# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model.migrations.data.builtin`."""

from redstart.migrations.data.edit_builder import FailureMode as ConversionFailureMode
from redstart.sync.data_migrations import DatetimeFieldDetector, DatetimeFieldMigration
from redstart.unavailable_names import attribute_of

__all__ = ["ConversionFailureMode", "DatetimeFieldDetector", "DatetimeFieldMigration"]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name, ("datetime_migration",))
