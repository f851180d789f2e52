"""Migration files of the project in the output of commands: their directory, history, state and progress."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from redstart.cli.migrate.file_estimates import APPLY, CLEAN_UP
from redstart.cli.options import F
from redstart.cli.output import Tone, line, note
from redstart.cli.session import Session
from redstart.cli.tables import next_step
from redstart.display import printable
from redstart.errors import MigrationError
from redstart.migrations.context import Monitor
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.declarations import DATA, SCHEMA, Problem
from redstart.migrations.files.ledger import LedgerEntry
from redstart.migrations.files.loader import Found, load_directory
from redstart.migrations.files.migration_file import LoadedFiles, MigrationFile, load_files
from redstart.migrations.files.project_history import (
    Difference,
    DifferenceKind,
    FileState,
    HistoryItem,
    ProjectFiles,
    SourceFiles,
    read_project,
)
from redstart.migrations.files.redis_om_history import FilesStatus
from redstart.migrations.lease_state import is_gone, this_user
from redstart.migrations.project_migrations import FileMigrations
from redstart.migrations.run_progress import FileProgress, RunState, file_progress
from redstart.next_steps import Command, Hint
from redstart.settings import get_root_migrations_dir


def migrations_root(*, must_exist: bool = True) -> Callable[[F], F]:
    """Return the option that sets the directory of migration files, in which redis-om's have subdirectories."""
    return click.option(
        "--migrations-dir",
        type=click.Path(exists=must_exist, file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help="Directory of migration files. Default: REDIS_OM_MIGRATIONS_DIR, then ./migrations.",
    )


def root_of(directory: Path | None) -> Path:
    """Return the directory of migration files."""
    return directory or Path(get_root_migrations_dir())


def schema_directory(root: Path) -> Path:
    """Return the directory of redis-om's schema migration files: that in a directory, or the directory itself."""
    inside = SCHEMA.directory(str(root))
    return inside if inside.is_dir() else root


def load(root: Path) -> LoadedFiles:
    """Load the migration files of a directory. Their output goes to stderr. Raises ConfigurationError."""
    with contextlib.redirect_stdout(sys.stderr):
        return load_files(root, [DATETIME_MIGRATION])


def load_redis_om(root: Path) -> list[Found]:
    """Load the migration files of redis-om, in the subdirectories of a directory. Raises ConfigurationError."""
    with contextlib.redirect_stdout(sys.stderr):
        return [load_directory(kind.directory(str(root)), kind) for kind in (SCHEMA, DATA)]


def look(session: Session, root: Path, *, may_be_damaged: bool = False) -> ProjectFiles:
    """Load all migration files, and read what the server has recorded of them.

    Args:
        may_be_damaged: whether entries of the ledger may be missing or unreadable.

    Raises:
        ConfigurationError: the directory cannot be listed.
        StateDamagedError: the ledger is damaged.
    """
    with contextlib.redirect_stdout(sys.stderr):
        source = SourceFiles.load(root, (DATETIME_MIGRATION,))
    return session.run(read_project(source, may_be_damaged=may_be_damaged))


def file_migrations(session: Session, files: ProjectFiles, monitor: Monitor | None = None) -> FileMigrations:
    """Return the migration files on the server of a session."""
    excluded = session.migration().exclude_prefixes
    return FileMigrations(files.history, session.context(monitor), this_user(), _announce, excluded)


def _announce(file: MigrationFile) -> None:
    note(f"{printable(file.migration_id)} ...")


STATES = {
    FileState.APPLIED: "applied",
    FileState.PENDING: "pending",
    FileState.EDITED: "applied, edited since",
    FileState.WITHOUT_FILE: "applied, no file",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One migration in a list: a file of Redstart or of redis-om, or a record without one.

    Attributes:
        kind: `redstart`, or whose directory of redis-om the file is in: `redis-om schema` or `redis-om data`.
        path: the file; None if there is none.
        entry: of a file of Redstart that is recorded as applied.
        is_started: whether its run or rollback was started and is not complete.
    """

    migration_id: str
    kind: str
    state: FileState
    is_applied: bool
    description: str = ""
    path: str | None = None
    dependencies: tuple[str, ...] = ()
    entry: LedgerEntry | None = None
    is_started: bool = False

    def state_text(self) -> str:
        """Return the state in words."""
        if self.is_started:
            return "rollback started, not complete" if self.is_applied else "started, not complete"
        if self.state is FileState.UNUSABLE:
            return f"{'applied' if self.is_applied else 'pending'}, cannot be used"
        return STATES[self.state]

    def report(self) -> dict[str, Any]:
        """Return the row for --json."""
        return {
            "id": self.migration_id,
            "kind": self.kind,
            "state": self.state.value,
            "description": self.description,
            "path": self.path,
            "started": self.is_started,
            "dependencies": list(self.dependencies),
            "applied_ms": None if self.entry is None else self.entry.applied_ms,
            "applied_by": None if self.entry is None else printable(self.entry.applied_by),
            "duration_ms": None if self.entry is None else self.entry.duration_ms,
        }


def rows_of(files: ProjectFiles) -> list[Row]:
    """Return all migrations: those of redis-om, which come first, then those of Redstart in their order."""
    rows = [
        row for kind, status in files.redis_om.items() for row in _redis_om_rows(f"redis-om {kind}", status)
    ]
    return rows + [row_of(item) for item in files.history.items]


def row_of(item: HistoryItem) -> Row:
    """Return the row of a file of Redstart."""
    source = item.file or item.problem
    return Row(
        item.migration_id,
        "redstart",
        item.state,
        item.entry is not None,
        item.file.description if item.file else "",
        None if source is None else source.source,
        item.file.dependencies if item.file else (),
        item.entry,
        item.started is not None,
    )


def _redis_om_rows(kind: str, status: FilesStatus) -> Iterator[Row]:
    for state, found in ((FileState.APPLIED, status.applied), (FileState.PENDING, status.pending)):
        for one in found:
            is_applied = state is FileState.APPLIED
            yield Row(
                one.migration_id, kind, state, is_applied, one.description, one.source, one.dependencies
            )
    for is_applied, problems in ((True, status.applied_unreadable), (False, status.problems)):
        for problem in problems:
            yield Row(problem.migration_id, kind, FileState.UNUSABLE, is_applied, path=problem.source)
    for name in status.without_file:
        yield Row(name, kind, FileState.WITHOUT_FILE, is_applied=True)


def problem_report(problem: Problem) -> dict[str, Any]:
    """Return the problem of a file for --json."""
    return {"path": problem.source, "line": problem.line, "reason": problem.reason}


def when(applied_ms: int) -> str:
    """Return a moment of the server's clock in UTC, to the second."""
    try:
        return datetime.fromtimestamp(applied_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):  # a number that no clock shows
        return f"{applied_ms} ms"


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """The migration files of the project on the server.

    Attributes:
        progress: of the file that is being applied or rolled back; None without one.
        to_clean_up: ids of applied files whose cleanup is pending.
    """

    files: ProjectFiles
    progress: FileProgress | None
    to_clean_up: list[str]

    @property
    def is_pending(self) -> bool:
        """Return whether a file is to be applied or corrected, or its run or rollback to be resumed."""
        return bool(self.files.history.pending or self.differences) or self.progress is not None

    @property
    def differences(self) -> list[Difference]:
        """What prevents a run: files that cannot be used, or do not match the record."""
        return _differences(self.files) if self.files.loaded.are_in_use else []

    def report(self) -> dict[str, Any]:
        """Return the status for --json."""
        history, running = self.files.history, self.progress
        return {
            "where": history.where,
            "applied": [item.migration_id for item in history.items if item.entry is not None],
            "pending": [file.migration_id for file in history.pending],
            "cleanup_pending": self.to_clean_up,
            "differences": [difference_report(one) for one in self.differences],
            "started": None if running is None else running.migration_id,
            "state": RunState.NONE.value if running is None else running.state.value,
            "rolling_back": running is not None and running.is_rollback,
            "lease_holder": None if running is None or running.lease is None else str(running.lease.holder),
        }


def require_intact_files(session: Session, files: ProjectFiles) -> None:
    """Raise StateDamagedError if state of an applied or started file is missing or damaged. Reads only.

    While the files do not match the record, it is not known which state there should be.
    """
    if files.loaded.are_in_use and not _differences(files):
        session.run(file_migrations(session, files).require_intact())


def _differences(files: ProjectFiles) -> list[Difference]:
    """Return what prevents a run."""
    return [one for one in files.history.differences() if one.kind is not DifferenceKind.PENDING]


def project_status(session: Session, files: ProjectFiles) -> ProjectStatus:
    """Return the status of the migration files. Some reads. Raises StateDamagedError: see `require_intact_files`."""
    require_intact_files(session, files)
    return ProjectStatus(files, session.run(file_progress(is_gone)), cleanup_pending(session, files))


def cleanup_pending(session: Session, files: ProjectFiles) -> list[str]:
    """Return the ids of applied files whose cleanup is pending; none if the files cannot be used."""
    history = files.history
    if not files.loaded.are_in_use or history.problems or len(history.heads) > 1:
        return []
    try:
        return file_migrations(session, files).to_contract()
    except MigrationError:  # an operation does not fit: `check` and `run` report it
        return []


def draw_cleanup_pending(ids: Sequence[str]) -> None:
    """Print the applied files whose cleanup is pending, and what to do."""
    if ids:
        line(f"Cleanup pending: {', '.join(map(printable, ids))}")
        next_step("When the old version no longer runs, clean up with", CLEAN_UP)


def draw_differences(found: Iterable[Difference]) -> None:
    """Print differences, each with the next step."""
    for one in found:
        line(one.message, Tone.WARNING)
        line(one.hint)


def difference_report(one: Difference) -> dict[str, Any]:
    """Return a difference for --json."""
    return {"kind": one.kind.value, "id": one.migration_id, "text": one.message, "hint": str(one.hint)}


def draw_project_status(status: ProjectStatus) -> None:
    """Print how many files are applied and pending, what prevents a run, the one in progress, and the next step.

    Nothing without files.
    """
    history, running = status.files.history, status.progress
    if not status.files.loaded.are_in_use:
        return
    pending = [file.migration_id for file in history.pending]
    applied = sum(item.entry is not None for item in history.items)
    line(
        f"Migration files in {printable(history.where)}: {applied:,} applied, {len(pending):,} pending",
        Tone.WARNING if pending else None,
    )
    for name in pending:
        if running is None or name != running.migration_id:
            line(f"pending: {name}")
    if running is not None:
        draw_progress_of_file(running)
    elif status.differences:
        draw_differences(status.differences)
    elif pending:
        next_step("See the changes with", Command("migrate plan"))
        next_step("Apply with", APPLY)
    draw_cleanup_pending(status.to_clean_up)


def draw_progress_of_file(running: FileProgress) -> None:
    """Print the file that is being applied or rolled back, and the next command."""
    what = "Rollback" if running.is_rollback else "Run"
    name = printable(running.migration_id)
    if running.state is RunState.RUNNING:
        line(f"{what} in progress: {name} ({running.lease})")
        return
    line(f"{what} started and not complete: {name}", Tone.WARNING)
    line(Hint("Resume with: ", running.resume_command))
    if not running.is_rollback:
        line(Hint("Or roll back with: ", Command("migrate rollback", running.migration_id)))
