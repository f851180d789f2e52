"""Migration files as commands show them: where they are looked for, how they stand, and that none is run here."""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from redstart.cli.drawing import table
from redstart.cli.exits import Exit
from redstart.cli.options import F
from redstart.cli.output import as_typed, line, note
from redstart.cli.session import Session
from redstart.display import printable
from redstart.errors import FileMigrationNotSupportedError, UnknownMigrationError
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.files.applied import FilesStatus, applied_ids, files_status, refuse
from redstart.migrations.files.declared import Problem
from redstart.migrations.files.kinds import DATA, SCHEMA, Kind
from redstart.migrations.files.load import load_directory, load_module
from redstart.settings import get_root_migrations_dir

WAYS_ON = {
    DATA: 'To run them, see "Migration files" in the documentation.',
    SCHEMA: "This command brings indexes to what the models say, without files. Record one that is done with: {}",
}


def migrations_dir(kind: Kind) -> Callable[[F], F]:
    """The option that names the directory of the files."""
    return click.option(
        "--migrations-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help=f"Where migration files are; else {kind.folder} in REDIS_OM_MIGRATIONS_DIR, or in migrations.",
    )


module = click.option(
    "--module", metavar="MODULE", help="Module that declares data migrations, in place of the directory."
)


def look(session: Session, kind: Kind, directory: Path | None, module: str | None = None) -> FilesStatus:
    """How migration files stand: those of a directory, or of a module.

    Raises:
        UsageError: both are named.
        ConfigurationError: the directory cannot be listed, or the module does not import.
    """
    if directory is not None and module is not None:
        raise click.UsageError("--migrations-dir and --module name two places to look in. Give one of them.")
    # What a file prints while it is executed must not get between a script and its JSON.
    with contextlib.redirect_stdout(sys.stderr):
        if module is not None:
            found = load_module(module, kind)
        else:
            found = load_directory(directory or kind.directory(get_root_migrations_dir()), kind)
    return files_status(found, session.run(applied_ids(kind)))


NO_ROLLBACK = (
    "This version of Redstart does not run migration files, so it cannot roll one back.",
    'Call its down() as described under "Migration files" in the documentation.',
)
NO_UNDO_LOG = (
    "This version of Redstart does not run migration files, so there is no undo log to drop.",
    "See how all of them stand with: om migrate-data status",
)


def require_built_in(session: Session, migration_id: str, answer: tuple[str, str]) -> None:
    """Refuse a migration that a project declares in a file: this version does not run those.

    Args:
        answer: why what is asked for cannot be done, and the next step.

    Raises:
        FileMigrationNotSupportedError: there is such a migration, in the directory of the files or on record as
            applied.
        UnknownMigrationError: there is none.
    """
    if migration_id == DATETIME_MIGRATION:
        return
    found = look(session, DATA, None)
    in_files = {one.migration_id: one.source for one in (*found.applied, *found.pending)}
    unreadable = {one.migration_id: one.source for one in (*found.problems, *found.applied_unreadable)}
    source = in_files.get(migration_id) or unreadable.get(migration_id)
    if source is None and migration_id not in found.recorded:
        raise UnknownMigrationError(migration_id)
    state = "is recorded as applied" if migration_id in found.recorded else "is pending"
    raise FileMigrationNotSupportedError(migration_id, state, source, *answer)


def files_report(found: FilesStatus) -> dict[str, Any]:
    """How migration files stand, for --json."""
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
    """How migration files stand; nothing where there are none and none are on record."""
    rows = [[printable(one.migration_id), "applied", one.description] for one in found.applied]
    rows += [[printable(one.migration_id), "pending", one.description] for one in found.pending]
    rows += [
        [printable(one.migration_id), "applied", "on record; its file cannot be read"]
        for one in found.applied_unreadable
    ]
    rows += [[printable(name), "applied", "on record; no file declares it"] for name in found.without_file]
    if rows:
        table(f"Migration files in {printable(found.where)}", ["migration", "state", "description"], rows)
    for problem in found.applied_unreadable:
        line(f"cannot be read: {problem}")
    for problem in found.problems:
        line(f"cannot be used: {problem}")
    if found.pending:
        line(f"{_count(found.pending)} pending. This version of Redstart does not run migration files.")


def waits(found: FilesStatus) -> bool:
    """Whether there is something to do."""
    return bool(found.pending or found.problems)


def pending_files(
    session: Session, kind: Kind, directory: Path | None, module: str | None = None
) -> list[str]:
    """The ids of migration files that a run leaves pending; they are said on stderr, with the way on.

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
        note(WAYS_ON[kind].format(_recording(found.pending[0].migration_id)))
    return [one.migration_id for one in found.pending]


def exit_with_files(code: Exit, pending: Sequence[str], kind: Kind) -> Exit:
    """The exit code of a run that is otherwise done, and what is left of it."""
    if code is not Exit.DONE or not pending:
        return code
    note(as_typed(f"Exit code 3: {_count(pending)} still pending. See them with: {kind.command} status"))
    return Exit.PENDING


def _count(files: Sequence[object]) -> str:
    return "1 migration file is" if len(files) == 1 else f"{len(files):,} migration files are"


def _recording(migration_id: str) -> str:
    quoted = json.dumps(migration_id, ensure_ascii=False)
    return f"python -c {shlex.quote(f'from redstart import SchemaMigrator; SchemaMigrator().mark_applied({quoted})')}"
