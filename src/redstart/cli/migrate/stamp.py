"""`om migrate stamp`: change the record of applied migration files without running them."""

from collections.abc import Collection, Sequence
from pathlib import Path

import click

from redstart.cli.migrate.project_files import look, migrations_root, root_of
from redstart.cli.migration_kinds import item_of
from redstart.cli.options import Settings, common, confirm, yes
from redstart.cli.output import Tone, line, print_json, warn
from redstart.cli.redis_om_execution import files_lease
from redstart.cli.session import open_session
from redstart.display import printable
from redstart.errors import MigrationFileError
from redstart.migrations.files.graph import with_dependencies
from redstart.migrations.files.ledger import record_without_running, remove_from_record
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.files.project_history import FileState, HistoryItem, ProjectFiles, ProjectHistory
from redstart.migrations.lease_state import this_user
from redstart.next_steps import Command, Hint


@click.command()
@click.argument("migration_id", metavar="[ID]", required=False)
@click.option(
    "--to", metavar="ID", help="Record ID and all files that it depends on. In place of the argument."
)
@click.option(
    "--remove", is_flag=True, help="Remove ID from the record instead. Its changes stay on the server."
)
@migrations_root()
@yes
@common
def stamp(
    settings: Settings,
    migration_id: str | None,
    to: str | None,
    remove: bool,
    migrations_dir: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Record the migration file ID as applied, without running it.

    For changes that were made by other means, and to accept an edited file. No document and no index is changed.
    """
    if (migration_id is None) == (to is None):
        raise click.UsageError("Give one ID, either as the argument or with --to.")
    if remove and to is not None:
        raise click.UsageError("--remove takes one ID as the argument, not --to.")
    with open_session(settings, writes=True, needs_models=False) as session:
        files = look(session, root_of(migrations_dir), may_be_damaged=True)
        if remove:
            ids = [_removable(files, migration_id or "")]
            consequence = "Its changes stay on the server."
        else:
            chosen = _to_record(files, migration_id or "") if to is None else _all_to_record(files, to)
            ids = [file.migration_id for file in chosen]
            consequence = "They are not run." if len(ids) > 1 else "It is not run."
        files.ledger.require_intact(exempt=ids, may_be_lost=True)
        if files.ledger.lost and not remove:
            warn(
                f"Entries of the record were lost: {files.ledger.lost:,}. Afterwards, every file without an entry "
                "counts as pending."
            )
        if ids:
            names = ", ".join(map(printable, ids))
            question = f"Remove {names} from the record" if remove else f"Record {names} as applied"
            confirm(f"{question} on {session.where}? {consequence}", assume_yes=yes)
            if remove:
                session.run(remove_from_record(files_lease(session), ids))
            else:
                ids = session.run(record_without_running(files_lease(session), chosen, this_user()))
    if as_json:
        print_json({"recorded": [] if remove else ids, "removed": ids if remove else []})
        return
    if not ids:
        line("Nothing to record: already recorded as applied.", Tone.DONE)
    for name in ids:
        line(
            f"{'Removed from the record' if remove else 'Recorded as applied'}: {printable(name)}", Tone.DONE
        )


def _to_record(files: ProjectFiles, wanted: str) -> list[MigrationFile]:
    """Return the file to record; empty if it is recorded.

    Raises:
        MigrationFileError: it cannot be used, or depends on a file that is not recorded.
    """
    history = files.history
    item = item_of(files, wanted)
    file = _usable(item)
    missing = [other.migration_id for other in _unrecorded(history, file.dependencies)]
    if missing:
        raise MigrationFileError(
            f"{file.migration_id} depends on {', '.join(missing)}, which is not recorded as applied.",
            Hint("Record all of them with: ", Command("migrate stamp", "--to", file.migration_id)),
        )
    return [file] if item.state is not FileState.APPLIED else []


def _all_to_record(files: ProjectFiles, wanted: str) -> list[MigrationFile]:
    """Return the file and those that it depends on, without the recorded ones, in order.

    Raises:
        MigrationFileError: one of them cannot be used.
    """
    history, known = files.history, files.loaded.files
    ids = with_dependencies(_usable(item_of(files, wanted)).migration_id, known)
    # Also those that cannot be used, which are not among the known ones.
    ids |= {other for name in ids for other in known[name].dependencies}
    return [_usable(item) for item in _unrecorded(history, ids)]


def _unrecorded(history: ProjectHistory, ids: Collection[str]) -> list[HistoryItem]:
    return [item for item in history.items if item.migration_id in ids and item.entry is None]


def _usable(item: HistoryItem) -> MigrationFile:
    _require_complete(item)
    if item.problem is not None:
        raise MigrationFileError(
            f"A migration file cannot be used. {item.problem}", "Correct the file, or restore it."
        )
    if item.file is None:
        raise MigrationFileError(
            f"{printable(item.migration_id)} is recorded as applied, and has no file.",
            Hint(
                "To remove it from the record: ",
                Command("migrate stamp", "--remove", printable(item.migration_id)),
            ),
        )
    return item.file


def _require_complete(item: HistoryItem) -> None:
    """Raise MigrationFileError while a run or rollback of the file is not complete."""
    if item.started is None:
        return
    shown = printable(item.migration_id)
    back = Command("migrate rollback", shown)
    if item.entry is not None:
        raise MigrationFileError(
            f"A rollback of {shown} is not complete: some documents are changed, others are not. The record was not "
            "changed.",
            Hint("Finish it with: ", back),
        )
    raise MigrationFileError(
        f"A run of {shown} is not complete: some documents are changed, others are not. The record was not changed.",
        Hint("Finish it with: ", Command("upgrade"), "\nOr roll it back with: ", back),
    )


def _removable(files: ProjectFiles, wanted: str) -> str:
    """Return the id of a recorded migration.

    Raises:
        UnknownMigrationError: there is no such migration.
        MigrationFileError: it is not recorded, or a recorded one depends on it.
    """
    if wanted in files.ledger.damaged:
        return wanted
    item = item_of(files, wanted)
    _require_complete(item)
    if item.entry is None:
        raise MigrationFileError(
            f"{printable(item.migration_id)} is not recorded as applied.",
            Hint("List all with: ", Command("migrate history")),
        )
    requiring = _recorded_that_require(files.history, item.migration_id)
    if requiring:
        raise MigrationFileError(
            f"{requiring[-1]} is recorded as applied and depends on {item.migration_id}.",
            Hint("Remove it first: ", Command("migrate stamp", "--remove", requiring[-1])),
        )
    return item.migration_id


def _recorded_that_require(history: ProjectHistory, migration_id: str) -> Sequence[str]:
    return [
        other.migration_id
        for other in history.items
        if other.entry is not None and other.file is not None and migration_id in other.file.dependencies
    ]
