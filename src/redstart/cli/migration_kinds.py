"""The kinds of migrations, and the command for each: for an id that the typed command does not handle."""

from collections.abc import Collection, Mapping
from enum import Enum

import click

from redstart.cli.options import chosen_options
from redstart.cli.output import command_of
from redstart.display import printable
from redstart.errors import MigrationError, UnknownMigrationError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.project_history import HistoryItem, ProjectFiles, matching_ids
from redstart.next_steps import Command, Hint


class MigrationKind(Enum):
    """A kind of migration; the value describes it in messages."""

    DATES = "the conversion of dates"
    FILE = "a migration file"
    DATA = "a data migration file of redis-om"
    SCHEMA = "a schema migration file of redis-om"


_ROLLBACK, _RUN = ("rollback", "downgrade"), ("upgrade", "run")
_WITH_STATE = ("clear-progress", "drop-undo-log")
"""Commands of `om migrate-data` that accept ids of migration files, too."""


def _command_for(kind: MigrationKind, migration_id: str, typed: str) -> tuple[str, Command]:
    """Return the command for a migration that does what the typed one does, or else shows it, and a text before it."""
    if kind is MigrationKind.FILE and typed in _WITH_STATE:
        return "", typed_with(migration_id)
    is_data = kind in (MigrationKind.DATES, MigrationKind.DATA)
    if typed in _ROLLBACK and is_data:
        return "Roll it back with: ", Command("migrate-data rollback", migration_id)
    if typed in _ROLLBACK:
        return "Roll it back with: ", Command("migrate rollback", migration_id)
    if kind is MigrationKind.FILE:
        return "Show it with: ", Command("migrate show", migration_id)
    if typed in _RUN:
        return "Run it with: ", Command("migrate-data run") if is_data else Command("migrate run")
    return "Show its state with: ", Command("migrate-data status") if is_data else Command("migrate status")


def typed_with(migration_id: str) -> Command:
    """Return the typed command with another id."""
    ctx = click.get_current_context()
    return command_of(ctx, migration_id, *chosen_options(ctx, omit=("migration_id",)))


def ids_by_kind(files: ProjectFiles) -> dict[MigrationKind, Collection[str]]:
    """Return the ids of all migrations, those without a file included."""
    redis_om = {kind: status.ids for kind, status in files.redis_om.items()}
    return {
        MigrationKind.DATES: (DATETIME_MIGRATION,),
        MigrationKind.FILE: {item.migration_id for item in files.history.items},
        MigrationKind.DATA: redis_om["data"] - {DATETIME_MIGRATION},
        MigrationKind.SCHEMA: redis_om["schema"],
    }


def item_of(files: ProjectFiles, wanted: str) -> HistoryItem:
    """Return a migration file by its id or a part of it.

    Raises:
        UnknownMigrationError, MigrationFileError: see `ProjectHistory.item`.
        MigrationError: another command handles this migration, and the error names it.
    """
    try:
        return files.history.item(wanted)
    except UnknownMigrationError:
        others = ids_by_kind(files)
        del others[MigrationKind.FILE]
        refuse_other_kind(wanted, others, noun="migration", listed_by=Command("migrate history"))
        raise


def refuse_other_kind(
    wanted: str, others: Mapping[MigrationKind, Collection[str]], *, noun: str, listed_by: Command
) -> None:
    """Raise an error that names the command for a migration, if one of another kind has this id.

    Args:
        others: ids of the migrations that the typed command does not handle.
        noun, listed_by: of `UnknownMigrationError`.

    Raises:
        MigrationError: one has this id.
        UnknownMigrationError: one has an id with this part.
    """
    ctx = click.get_current_context()
    typed = ctx.info_name or ""
    for kind, ids in others.items():
        if wanted in ids:
            introduction, command = _command_for(kind, wanted, typed)
            if command == command_of(ctx, wanted) and ctx.params.get("migration_id") == wanted:
                # The right command for a migration that cannot be used: the caller reports the reason.
                return
            raise MigrationError(f"{printable(wanted)} is {kind.value}.", Hint(introduction, command))
    matching = [
        (kind, one) for kind, ids in others.items() for one in (matching_ids(wanted, ids) if wanted else ())
    ]
    if len(matching) == 1:
        _, command = _command_for(*matching[0], typed)
        raise UnknownMigrationError(wanted, command, noun=noun, listed_by=listed_by)
