"""What migrators of redis-om do besides listing: asked for here, it is an error that says what to do."""

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
    """A migrator without those methods of redis-om's that run migrations or write their files."""

    if not TYPE_CHECKING:  # type checkers say by themselves that a name is not there

        def __getattr__(self, name: str) -> object:
            why = f": {_LEFT_OUT[name]}" if name in _LEFT_OUT else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{why}")
