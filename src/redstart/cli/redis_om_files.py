"""Migration files of redis-om in the output of commands: their directory and their state."""

import contextlib
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click

from redstart.cli.migration_kinds import MigrationKind, ids_by_kind, refuse_other_kind, typed_with
from redstart.cli.options import F
from redstart.cli.output import line
from redstart.cli.session import Session
from redstart.cli.tables import table
from redstart.display import nearest, printable
from redstart.errors import DataMigrationError, UnknownMigrationError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.declarations import DATA, Kind, Problem
from redstart.migrations.files.loader import Found, load_directory, load_module
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.files.redis_om_history import FilesStatus, applied_ids, files_status
from redstart.next_steps import Hint
from redstart.settings import get_root_migrations_dir


def migrations_dir(kind: Kind) -> Callable[[F], F]:
    """Return the option that sets the directory of the files."""
    return click.option(
        "--migrations-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help=f"Directory of migration files. Default: {kind.folder}, in REDIS_OM_MIGRATIONS_DIR or ./migrations.",
    )


module = click.option(
    "--module", metavar="MODULE", help="Module that declares data migrations; replaces the directory."
)


def find(kind: Kind, directory: Path | None, module: str | None = None) -> Found:
    """Load the migration files of a directory, or the migrations of a module. Their output goes to stderr.

    Raises:
        UsageError: both are named.
        ConfigurationError: the directory cannot be listed, or the module does not import.
    """
    if directory is not None and module is not None:
        raise click.UsageError("--migrations-dir and --module cannot be combined. Give one of them.")
    # Output of an executed file would break the JSON on stdout.
    with contextlib.redirect_stdout(sys.stderr):
        if module is not None:
            return load_module(module, kind)
        return load_directory(directory or kind.directory(get_root_migrations_dir()), kind)


def look(session: Session, kind: Kind, directory: Path | None, module: str | None = None) -> FilesStatus:
    """Return the state of migration files: those of a directory, or of a module. Raises what `find` does."""
    found = find(kind, directory, module)
    return files_status(found, session.run(applied_ids(kind)), [DATETIME_MIGRATION])


def require_undo_log(session: Session, migration_id: str, project: ProjectFiles) -> None:
    """Refuse a migration in a file of the project, which has no undo log.

    Raises:
        DataMigrationError: a file declares the migration, or it is recorded as applied.
        UnknownMigrationError, MigrationError: see `require_known`.
    """
    if migration_id == DATETIME_MIGRATION:
        return
    found = look(session, DATA, None)
    source = require_known(found, DATA, migration_id, lambda: project)
    where = "no file declares it" if source is None else f"it is declared in {printable(source)}"
    raise DataMigrationError(
        f"The data migration {printable(migration_id)} has no undo log: {where}, and migration files of redis-om have "
        "none.",
        Hint("List all migrations with: ", DATA.status_command),
    )


def require_known(
    found: FilesStatus, kind: Kind, migration_id: str, project: Callable[[], ProjectFiles]
) -> str | None:
    """Return the file or module of a migration; None if it is recorded as applied and has none.

    Args:
        project: loads all migration files.

    Raises:
        UnknownMigrationError: there is no such migration.
        MigrationError: another command handles this migration, and the error names it.
    """
    in_files = {one.migration_id: one.source for one in (*found.applied, *found.pending)}
    unreadable = {one.migration_id: one.source for one in (*found.problems, *found.applied_unreadable)}
    source = in_files.get(migration_id) or unreadable.get(migration_id)
    if source is None and migration_id not in found.recorded:
        built_in = (DATETIME_MIGRATION,) if kind is DATA else ()
        ids = {*built_in, *in_files, *unreadable, *found.recorded}
        longer = [one for one in ids if one.startswith(migration_id)]
        if len(longer) != 1:
            _refuse_others(project(), kind, migration_id)
        meant = longer[0] if len(longer) == 1 else nearest(migration_id, ids)
        raise UnknownMigrationError(
            migration_id,
            None if meant is None else typed_with(meant),
            noun=f"{kind.name} migration",
            listed_by=kind.status_command,
        )
    return source


def _refuse_others(project: ProjectFiles, kind: Kind, migration_id: str) -> None:
    """Raise the errors of `refuse_other_kind`, for all migrations but those of a kind of redis-om's."""
    others = ids_by_kind(project)
    if kind is DATA:
        del others[MigrationKind.DATES], others[MigrationKind.DATA]
    else:
        del others[MigrationKind.SCHEMA]
    refuse_other_kind(migration_id, others, noun=f"{kind.name} migration", listed_by=kind.status_command)


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
        line(f"{count_files(found.pending)} pending.")


def waits(found: FilesStatus) -> bool:
    """Return whether a file is pending or cannot be used."""
    return bool(found.pending or found.problems)


def count_files(files: Collection[object]) -> str:
    """Return how many migration files there are, with the verb."""
    return "1 migration file is" if len(files) == 1 else f"{len(files):,} migration files are"
