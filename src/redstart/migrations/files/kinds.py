"""The two kinds of migration files, and where redis-om keeps them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

from redstart.errors import DataMigrationError, MigrationError, SchemaMigrationError
from redstart.migrations.state_keys import APPLIED_MIGRATIONS

_LIBRARIES = ("redstart", "redis_om", "aredis_om")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of migration file.

    Attributes:
        name: its name in messages.
        base: the name of the base class of its migrations.
        folder: the directory of its files, below the directory of all migration files.
        record: the key of the set of applied ids.
        error: the class of error for invalid migrations.
        command: the command group that lists them.
    """

    name: str
    base: str
    folder: str
    record: str
    error: type[MigrationError]
    command: str

    def directory(self, root: str) -> Path:
        """Return the directory of its files, given the directory of all migration files."""
        return Path(root) / self.folder

    def is_declared_by(self, value: object) -> TypeGuard[type]:
        """Return whether a class is a migration of this kind: a subclass of Redstart's or redis-om's base class."""
        return isinstance(value, type) and any(
            one.__name__ == self.base and one.__module__.partition(".")[0] in _LIBRARIES
            for one in value.__mro__[1:]
        )


DATA: Final = Kind(
    "data", "BaseMigration", "data-migrations", APPLIED_MIGRATIONS, DataMigrationError, "om migrate-data"
)
SCHEMA: Final = Kind(
    "schema",
    "BaseSchemaMigration",
    "schema-migrations",
    "redis_om:schema_applied_migrations",
    SchemaMigrationError,
    "om migrate",
)
