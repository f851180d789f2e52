"""Migration files in the output of commands: their directory, their state, and that this version does not run them."""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.options import F, chosen_options
from redstart.cli.output import command_of, line, note
from redstart.cli.session import Session
from redstart.cli.tables import table
from redstart.display import nearest, printable
from redstart.errors import FileMigrationNotSupportedError, UnknownMigrationError
from redstart.migrations.files.declarations import DATA, SCHEMA, Kind, Problem
from redstart.migrations.files.history import FilesStatus, applied_ids, files_status, refuse
from redstart.migrations.files.loader import load_directory, load_module
from redstart.migrations.state_keys import DATETIME_MIGRATION
from redstart.next_steps import Command, Hint
from redstart.settings import get_root_migrations_dir

NEXT_STEPS = {
    DATA: 'Call the up() of each file; the section "Migration files" of the page on redis-om shows how.',
    SCHEMA: "Indexes are built from the models, without files. Record a file that is no longer needed with: {}",
}


def migrations_dir(kind: Kind) -> Callable[[F], F]:
    """Return the option that sets the directory of the files."""
    return click.option(
        "--migrations-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help=f"Directory of migration files; else {kind.folder} in REDIS_OM_MIGRATIONS_DIR, or in migrations.",
    )


module = click.option(
    "--module", metavar="MODULE", help="Module that declares data migrations; replaces the directory."
)


def look(session: Session, kind: Kind, directory: Path | None, module: str | None = None) -> FilesStatus:
    """Return the state of migration files: those of a directory, or of a module.

    Raises:
        UsageError: both are named.
        ConfigurationError: the directory cannot be listed, or the module does not import.
    """
    if directory is not None and module is not None:
        raise click.UsageError("--migrations-dir and --module cannot be combined. Give one of them.")
    # Output of an executed file would break the JSON on stdout.
    with contextlib.redirect_stdout(sys.stderr):
        if module is not None:
            found = load_module(module, kind)
        else:
            found = load_directory(directory or kind.directory(get_root_migrations_dir()), kind)
    return files_status(found, session.run(applied_ids(kind)))


NO_ROLLBACK = (
    "This version of Redstart does not run or roll back migration files.",
    'Call the down() of the migration yourself; the section "Migration files" of the page on redis-om shows how.',
)
NO_UNDO_LOG = (
    "This version of Redstart does not run migration files, so there is no undo log to drop.",
    Hint("List all migrations with: ", Command("migrate-data status")),
)


def require_built_in(session: Session, migration_id: str, answer: tuple[str, str | Hint]) -> None:
    """Refuse a migration that a project declares in a file, because this version does not run files.

    Args:
        answer: the reason of the refusal, and the next step.

    Raises:
        FileMigrationNotSupportedError: a file declares the migration, or it is recorded as applied.
        UnknownMigrationError: there is no such migration.
    """
    if migration_id == DATETIME_MIGRATION:
        return
    found = look(session, DATA, None)
    in_files = {one.migration_id: one.source for one in (*found.applied, *found.pending)}
    unreadable = {one.migration_id: one.source for one in (*found.problems, *found.applied_unreadable)}
    source = in_files.get(migration_id) or unreadable.get(migration_id)
    if source is None and migration_id not in found.recorded:
        ids = (DATETIME_MIGRATION, *in_files, *unreadable, *found.recorded)
        raise UnknownMigrationError(migration_id, _command_with(_meant(migration_id, ids)))
    state = "is recorded as applied" if migration_id in found.recorded else "is pending"
    raise FileMigrationNotSupportedError(migration_id, state, source, *answer)


def _meant(typed: str, ids: Collection[str]) -> str | None:
    """Return the only id that begins with what was typed, or else the nearest one; None if there is none."""
    longer = {one for one in ids if one.startswith(typed)}
    return longer.pop() if len(longer) == 1 else nearest(typed, ids)


def _command_with(migration_id: str | None) -> Command | None:
    """Return the present command with another id."""
    if migration_id is None:
        return None
    ctx = click.get_current_context()
    return command_of(ctx, migration_id, *chosen_options(ctx, omit=("migration_id",)))


def files_report(found: FilesStatus) -> dict[str, Any]:
    """Return the state of migration files, for --json."""
    return {
        "where": found.where,
        "applied": [one.migration_id for one in found.applied],
        "pending": [one.migration_id for one in found.pending],
        "applied_unreadable": [_problem_report(one) for one in found.applied_unreadable],
        "without_file": list(found.without_file),
        "problems": [_problem_report(one) for one in found.problems],
    }


def _problem_report(problem: Problem) -> dict[str, Any]:
    return {"path": problem.source, "line": problem.line, "reason": problem.reason}


def draw_files(found: FilesStatus) -> None:
    """Print the state of migration files; nothing if there are none and none is recorded."""
    rows = [[printable(one.migration_id), "applied", one.description] for one in found.applied]
    rows += [[printable(one.migration_id), "pending", one.description] for one in found.pending]
    rows += [
        [printable(one.migration_id), "applied", "recorded; its file cannot be read"]
        for one in found.applied_unreadable
    ]
    rows += [[printable(name), "applied", "recorded; no file declares it"] for name in found.without_file]
    if rows:
        table(f"Migration files in {printable(found.where)}", ["migration", "state", "description"], rows)
    for problem in found.applied_unreadable:
        line(f"cannot be read: {problem}")
    for problem in found.problems:
        line(f"cannot be used: {problem}")
    if found.pending:
        line(f"{_count(found.pending)} pending. This version of Redstart does not run migration files.")


def waits(found: FilesStatus) -> bool:
    """Return whether a file is pending or cannot be used."""
    return bool(found.pending or found.problems)


def pending_files(
    session: Session, kind: Kind, directory: Path | None, module: str | None = None
) -> list[str]:
    """Return the ids of migration files that a run leaves pending, and print them on stderr with the next step.

    Raises:
        DataMigrationError, SchemaMigrationError: a file that may be pending cannot be read or ordered.
    """
    found = look(session, kind, directory, module)
    refuse(found.problems, found.where, kind)
    if found.pending:
        note(
            f"{_count(found.pending)} pending in {printable(found.where)}; this version of Redstart does not run them:"
        )
        for one in found.pending:
            note(f"  {printable(one.migration_id)}{': ' * bool(one.description)}{one.description}")
        note(NEXT_STEPS[kind].format(_recording(found.pending[0].migration_id)))
    return [one.migration_id for one in found.pending]


def exit_with_files(code: Exit, pending: Sequence[str], kind: Kind) -> Exit:
    """Return the exit code of a run: 3 if it is done and migration files are pending."""
    if code is not Exit.DONE or not pending:
        return code
    note(Hint(f"Exit code 3: {_count(pending)} still pending. List the files with: ", kind.status_command))
    return Exit.PENDING


def _count(files: Sequence[object]) -> str:
    return "1 migration file is" if len(files) == 1 else f"{len(files):,} migration files are"


def _recording(migration_id: str) -> str:
    quoted = json.dumps(migration_id, ensure_ascii=False)
    return f"python -c {shlex.quote(f'from redstart import SchemaMigrator; SchemaMigrator().mark_applied({quoted})')}"
