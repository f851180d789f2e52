"""The two kinds of migrations that projects write, and where redis-om keeps each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

from redstart.errors import DataMigrationError, MigrationError, SchemaMigrationError
from redstart.migrations.data.state.keys import APPLIED_MIGRATIONS

_LIBRARIES = ("redstart", "redis_om", "aredis_om")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of migration.

    Attributes:
        name: what people call it.
        base: the class that a migration is made from.
        folder: where its files are, below the directory of all migration files.
        record: the key of the set of those that are applied.
        error: what is raised when one cannot be read or ordered.
        command: the group of commands that lists them.
    """

    name: str
    base: str
    folder: str
    record: str
    error: type[MigrationError]
    command: str

    def directory(self, root: str) -> Path:
        """Where its files are, given the directory of all migration files."""
        return Path(root) / self.folder

    def is_declared_by(self, value: object) -> TypeGuard[type]:
        """Whether a class is a migration of this kind: made from Redstart's class, of either colour, or redis-om's."""
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
