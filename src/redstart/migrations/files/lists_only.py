"""Methods of redis-om's migrators that Redstart lacks: access raises an error with the alternative."""

from typing import TYPE_CHECKING, Final

_RUNNING: Final = (
    "this version of Redstart lists migration files and does not run them. "
    'See "Migration files" in the documentation.'
)
_LEFT_OUT: Final = {
    **dict.fromkeys(("run", "rollback", "downgrade"), _RUNNING),
    **dict.fromkeys(("run_migrations", "run_migrations_with_monitoring", "rollback_migration"), _RUNNING),
    "create_migration_file": "this version of Redstart does not write migration files.",
}


class ListsOnly:
    """A migrator without the methods of redis-om that run migrations or write migration files."""

    if not TYPE_CHECKING:  # type checkers report missing names by themselves

        def __getattr__(self, name: str) -> object:
            why = f": {_LEFT_OUT[name]}" if name in _LEFT_OUT else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{why}")
