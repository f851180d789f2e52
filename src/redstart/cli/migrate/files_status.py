"""The project's migration files in `om migrate status` and `om migrate-data progress`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redstart.cli.migrate.file_estimates import APPLY, CLEAN_UP
from redstart.cli.migrate.project_files import file_migrations
from redstart.cli.output import Tone, line
from redstart.cli.session import Session
from redstart.cli.tables import next_step
from redstart.display import printable
from redstart.errors import MigrationError
from redstart.migrations.file_progress import FileProgress, file_progress
from redstart.migrations.files.project import ProjectFiles
from redstart.migrations.holder import is_gone
from redstart.migrations.run_progress import RunState
from redstart.next_steps import Command, Hint


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
        """Return whether a file is to be applied, or its run or rollback to be resumed."""
        return bool(self.files.history.pending) or self.progress is not None

    def report(self) -> dict[str, Any]:
        """Return the status for --json."""
        history, running = self.files.history, self.progress
        return {
            "where": history.where,
            "applied": [item.migration_id for item in history.items if item.entry is not None],
            "pending": [file.migration_id for file in history.pending],
            "cleanup_pending": self.to_clean_up,
            "started": None if running is None else running.migration_id,
            "state": RunState.NONE.value if running is None else running.state.value,
            "rolling_back": running is not None and running.is_rollback,
            "lease_holder": None if running is None or running.lease is None else str(running.lease.holder),
        }


def project_status(session: Session, files: ProjectFiles) -> ProjectStatus:
    """Return the status of the migration files. Some reads."""
    return ProjectStatus(files, session.run(file_progress(is_gone)), cleanup_pending(session, files))


def cleanup_pending(session: Session, files: ProjectFiles) -> list[str]:
    """Return the ids of applied files whose cleanup is pending; none if the files cannot be used."""
    history = files.history
    if not files.loaded.are_in_use or history.problems or len(history.heads) > 1:
        return []
    try:
        return file_migrations(session, files).to_contract()
    except MigrationError:  # an operation does not fit: `check` and `run` say so
        return []


def draw_cleanup_pending(ids: Sequence[str]) -> None:
    """Print the applied files whose cleanup is pending, and what to do."""
    if ids:
        line(f"Cleanup pending: {', '.join(map(printable, ids))}")
        next_step("When the old version no longer runs, complete them with", CLEAN_UP)


def draw_project_status(status: ProjectStatus) -> None:
    """Print how many files are applied and pending, the one in progress, and the next step; nothing without files."""
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
    elif pending:
        next_step("See what they change with", Command("migrate plan"))
        next_step("Apply them with", APPLY)
    draw_cleanup_pending(status.to_clean_up)


def draw_progress_of_file(running: FileProgress) -> None:
    """Print the file that is being applied or rolled back, and the next command."""
    what = "Rollback" if running.is_rollback else "Run"
    name = printable(running.migration_id)
    if running.state is RunState.RUNNING:
        line(f"{what} in progress: {name} ({running.lease})")
        return
    line(f"{what} started and not complete: {name}", Tone.WARNING)
    back = Command("migrate rollback", running.migration_id)
    if running.is_rollback:
        line(Hint("Resume with: ", back))
    else:
        line(Hint("Resume with: ", APPLY))
        line(Hint("Or roll back with: ", back))
