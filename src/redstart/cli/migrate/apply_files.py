"""Apply the pending migration files of the project, for `om upgrade` and `om migrate run`."""

from collections.abc import Collection, Sequence
from typing import Any

from redstart.cli.exit_codes import EXIT_OF_OUTCOME, Exit
from redstart.cli.failure_tables import draw_failures
from redstart.cli.index_report import counted_indexes, draw_results, result_report
from redstart.cli.migrate.project_files import ProjectFiles
from redstart.cli.options import confirm
from redstart.cli.output import Tone, counted, duration, line, note, print_json
from redstart.cli.progress import progress_display
from redstart.cli.session import Session
from redstart.display import printable
from redstart.migrations.context import Monitor
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.run import RunOptions
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.file_migrations import AppliedFile, FileMigrations, FilesResult
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.holder import this_user
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.outcomes import Outcome
from redstart.next_steps import Command, Hint


def file_migrations(session: Session, files: ProjectFiles, monitor: Monitor | None = None) -> FileMigrations:
    """Return the migration files on the server of a session."""
    excluded = session.migration().exclude_prefixes
    return FileMigrations(files.history, session.context(monitor), this_user(), _announce, excluded)


def _announce(file: MigrationFile) -> None:
    note(f"{printable(file.migration_id)} ...")


def apply_files(
    session: Session,
    files: ProjectFiles,
    options: ExpansionOptions,
    *,
    to: str | None = None,
    limit: int | None = None,
    failure_mode: FailureMode = FailureMode.LOG_AND_SKIP,
    dry_run: bool = False,
    assume_yes: bool,
    as_json: bool,
) -> Exit:
    """Apply pending files, in order. Return the exit code.

    Args:
        to: the id of the last file, or its beginning; by default all are applied.
        limit: how many files at most.
        dry_run: whether to show only what would be applied.

    Raises:
        See `FileMigrations.run`.
    """
    files.history.require_runnable()
    last = None if to is None else files.history.item(to).migration_id
    pending = file_migrations(session, files).pending(last)[:limit]
    if dry_run:
        return _dry_run(pending, as_json=as_json)
    if pending:
        draw_pending(pending)
        confirm(f"Apply {counted(len(pending), 'migration file')} on {session.where}?", assume_yes=assume_yes)
    with progress_display() as show:
        migrations = file_migrations(session, files, Monitor(progress=show))
        run_options = RunOptions(failure_mode=failure_mode)
        result = session.run(migrations.run(run_options, options, to=last, limit=limit))
    if as_json:
        print_json(run_report(result))
    else:
        _draw(result, {one.file.migration_id for one in pending if one.removes_values})
    return _exit(result)


def _dry_run(pending: Sequence[FileMigration], *, as_json: bool) -> Exit:
    if as_json:
        print_json({"status": Outcome.DRY_RUN.value, "pending": [one.file.migration_id for one in pending]})
        return Exit.DONE
    if pending:
        draw_pending(pending)
        line(f"Dry run: {counted(len(pending), 'migration file')} would be applied; nothing was written.")
    else:
        line("Dry run: no pending migration files.", Tone.DONE)
    return Exit.DONE


def draw_pending(pending: Sequence[FileMigration]) -> None:
    """Print on stderr what files do."""
    note(f"{counted(len(pending), 'migration file')} to apply:")
    for one in pending:
        note(f"{one.file.migration_id}{': ' * bool(one.file.description)}{one.file.description}")
        for operation in one.file.operations:
            note(f"  {operation.describe()}{'' if operation.is_reversible else ' (not reversible)'}")


def _exit(result: FilesResult) -> Exit:
    if result.stopped is not None:
        return EXIT_OF_OUTCOME[result.stopped.result.outcome]
    return Exit.DONE


def _draw(result: FilesResult, removing: Collection[str]) -> None:
    """Print the result. `removing`: ids of files that leave values to remove."""
    done = [one for one in result.files if one.result.is_complete]
    if not result.files:
        line("No pending migration files.", Tone.DONE)
    elif result.stopped is None:
        line(f"{counted(len(done), 'migration file')} applied.", Tone.DONE)
    else:
        line(f"Stopped: {_reason(result.stopped)}", Tone.WARNING)
    for one in result.files:
        line(f"  {_summary(one)}")
        if one.result.failures.count:
            draw_failures(one.result.failures)
    if result.stopped is not None:
        draw_results(result.stopped.result.indexes, {}, Plan(()), verbose=False)
        line(Hint("Resume with: ", Command("migrate run")))
    elif any(one.migration_id in removing for one in done):
        line(
            Hint(
                "Values that only the previous version of the application needs are kept. When it no longer runs, "
                "remove them with: ",
                Command("migrate cleanup"),
            )
        )


def _reason(one: AppliedFile) -> str:
    outcome, data = one.result.outcome, one.result.data
    if outcome is Outcome.STOPPED and data is not None:
        return f"{printable(one.migration_id)}: {data.stopped}."
    where = "an index could not be prepared" if outcome is Outcome.NOT_STARTED else "a cutover was refused"
    return f"{printable(one.migration_id)}: {where}, because queries would lose documents."


def _summary(one: AppliedFile) -> str:
    data, indexes = one.result.data, one.result.indexes
    parts = []
    if data is not None:
        parts.append(
            f"{counted(data.documents, 'document')} read, {counted(data.converted, 'value')} changed"
        )
    if indexes:
        parts.append(f"{counted_indexes(len(indexes))} changed")
    changed = "; ".join(parts) or "recorded"
    return f"{printable(one.migration_id)}: {changed} ({duration(one.seconds)})"


def run_report(result: FilesResult) -> dict[str, Any]:
    """Return the result of a run for --json."""
    return {
        "status": (result.stopped.result.outcome if result.stopped else Outcome.DONE).value,
        "migrations": [
            {
                "id": one.migration_id,
                "status": one.result.outcome.value,
                "documents": one.result.data.documents if one.result.data else 0,
                "converted": one.result.data.converted if one.result.data else 0,
                "failures": one.result.failures.count,
                "indexes": [result_report(index) for index in one.result.indexes],
                "seconds": round(one.seconds, 3),
            }
            for one in result.files
        ],
        "pending": list(result.pending),
    }
