"""Apply the pending migration files of the project, for `om upgrade` and `om migrate run`."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME, Exit
from redstart.cli.index_report import counted_indexes, draw_lacking_results, draw_results, result_report
from redstart.cli.migrate.file_estimates import (
    APPLY,
    CLEAN_UP,
    draw_deployment,
    draw_estimate,
    draw_failed_values,
    draw_operations,
    estimates_of,
    file_report,
    first_refusal,
    question,
    stay_until_cleanup,
)
from redstart.cli.migrate.project_files import file_migrations, look
from redstart.cli.migrate.undeclared_changes import changes_report, draw_changes, find_changes
from redstart.cli.migration_kinds import item_of
from redstart.cli.options import chosen_options, confirm, will_ask
from redstart.cli.output import Tone, command_of, counted, duration, line, note, print_json
from redstart.cli.progress import progress_display
from redstart.cli.refused_cutover import blocked_report, draw_blocked
from redstart.cli.session import Session, resume_hint, stop_on_signal
from redstart.cli.value_tables import draw_failures
from redstart.display import printable
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.context import Monitor
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_estimate import FileEstimate
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.file_results import AppliedFile, FilesResult
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.outcomes import Outcome
from redstart.migrations.project_migrations import FileMigrations
from redstart.migrations.undeclared_changes import UndeclaredChange
from redstart.next_steps import Command, Hint


def typed_again(*omit: str) -> Command:
    """Return the present command with its arguments and options, except --yes.

    Args:
        omit: names of other parameters to leave out.
    """
    context = click.get_current_context()
    return command_of(context, *chosen_options(context, omit=("yes", *omit)))


def apply_files(
    session: Session,
    files: ProjectFiles,
    options: ExpansionOptions,
    *,
    to: str | None = None,
    limit: int | None = None,
    failure_mode: FailureMode = FailureMode.LOG_AND_SKIP,
    resume: Command = APPLY,
    models: Sequence[ModelDeclaration] = (),
    dry_run: bool = False,
    verbose: bool = False,
    assume_yes: bool,
    as_json: bool,
) -> Exit:
    """Apply pending files, in order. Return the exit code.

    Args:
        to: the id of the last file, or its beginning; by default all are applied.
        limit: how many files at most.
        resume: the command that was typed.
        models: of the application; afterwards they are compared with the documents.
        dry_run: whether to show only what would be applied.
        verbose: whether to print a line for each step.

    Raises:
        See `FileMigrations.run`.
    """
    files.history.require_runnable()
    last = None if to is None else item_of(files, to).migration_id
    migrations = file_migrations(session, files)
    pending = migrations.pending(last)[:limit]
    if dry_run:
        changes = find_changes(session, files, models)
        if failure_mode is FailureMode.FAIL:
            pending = [replace(one, stops_at_failures=True) for one in pending]
        return _dry_run(session, files, pending, changes, options, as_json=as_json)
    if pending:
        _ask(session, migrations, pending, assume_yes=assume_yes)
    with progress_display(every_step=verbose) as show:
        monitor = Monitor(progress=show, resumed_by=resume)
        with stop_on_signal(monitor), resume_hint(resume):
            migrations = file_migrations(session, files, monitor)
            run_options = RunOptions(failure_mode=failure_mode)
            result = session.run(migrations.run(run_options, options, to=last, limit=limit))
    changes = find_changes(session, look(session, Path(files.history.where)), models)
    if as_json:
        print_json(run_report(result) | {"undeclared_changes": changes_report(changes)})
    else:
        _draw(result, {one.file.migration_id for one in pending if one.needs_cleanup}, resume)
        draw_changes(changes)
    return _exit(result, changes)


def _ask(
    session: Session, migrations: FileMigrations, pending: Sequence[FileMigration], *, assume_yes: bool
) -> None:
    """Print on stderr what files do; on a terminal also documents and time, and ask."""
    note(f"{counted(len(pending), 'migration file')} to apply:")
    if not will_ask(assume_yes=assume_yes):
        for one in pending:
            draw_operations(note, one.file.migration_id, one.file.description, one.file.operations)
        for model, number in session.run(migrations.count_removed(pending)).items():
            note(Hint(stay_until_cleanup(model, number), CLEAN_UP))
        return
    estimates = estimates_of(session, migrations, pending)
    for found in estimates:
        draw_estimate(note, found)
    draw_deployment(note, estimates)
    confirm(question(estimates, session.where), assume_yes=assume_yes)


def _dry_run(
    session: Session,
    files: ProjectFiles,
    pending: Sequence[FileMigration],
    changes: Sequence[UndeclaredChange],
    options: ExpansionOptions,
    *,
    as_json: bool,
) -> Exit:
    with progress_display() as show:
        migrations = file_migrations(session, files, Monitor(progress=show))
        estimates = estimates_of(session, migrations, pending, reads_all=True)
    blocked = {name: found for one in estimates for name, found in one.blocked.items()}
    if as_json:
        print_json(
            {
                "status": Outcome.DRY_RUN.value,
                "refusal": first_refusal(estimates),
                **blocked_report(blocked),
                "migrations": [file_report(one.migration.file, one) for one in estimates],
                "undeclared_changes": changes_report(changes),
            }
        )
        return Exit.DONE
    if not pending:
        line("Dry run: no pending migration files.", Tone.DONE)
        draw_changes(changes)
        return Exit.DONE
    refused = (
        None if options.accept_unindexed else next((one for one in estimates if one.refused_cutovers), None)
    )
    if (refusal := first_refusal(estimates)) is not None:
        line(f"A run would be refused. {refusal}", Tone.WARNING)
    elif refused is not None:
        number = counted_indexes(len(refused.refused_cutovers))
        line(
            f"Dry run: a run would stop at {printable(refused.migration.file.migration_id)}, because the cutover would "
            f"be refused for {number}; nothing was written.",
            Tone.WARNING,
        )
    else:
        line(f"Dry run: {counted(len(pending), 'migration file')} would be applied; nothing was written.")
    for one in estimates:
        draw_estimate(line, one)
        draw_failed_values(one)
        if refusal is None:
            _draw_blocked(one, options)
    draw_changes(changes)
    return Exit.DONE


def _draw_blocked(found: FileEstimate, options: ExpansionOptions) -> None:
    """Print which documents would drop out of query results, and what prevents that."""
    draw_blocked(found.blocked, absent=found.created, accept_unindexed=options.accept_unindexed)
    if found.blocked and not found.refused_cutovers:
        line("Correct these documents before the run; otherwise queries will not find them.")
    if found.refused_cutovers and not options.accept_unindexed:
        accept = typed_again("dry_run").adding("--accept-unindexed")
        line(
            Hint(
                "Correct these documents before the run. Or continue without them in query results: ", accept
            )
        )


def _exit(result: FilesResult, changes: Sequence[UndeclaredChange]) -> Exit:
    if result.stopped is not None:
        return EXIT_OF_OUTCOME[result.stopped.result.outcome]
    return Exit.PENDING if any(one.refuses for one in changes) else Exit.DONE


def _draw(result: FilesResult, to_clean_up: Collection[str], resume: Command) -> None:
    """Print the result.

    Args:
        to_clean_up: ids of files with something left to change or remove.
        resume: the command that was typed.
    """
    done = [one for one in result.files if one.result.is_complete]
    if not result.files:
        line("No pending migration files.", Tone.DONE)
    elif result.stopped is None:
        line(f"{counted(len(done), 'migration file')} applied.", Tone.DONE)
    else:
        stopped = result.stopped
        line(f"Stopped at {printable(stopped.migration_id)}: {_reason_of_stop(stopped)}.", Tone.WARNING)
    for one in result.files:
        line(f"  {_summary(one)}")
        written = 0 if one.result.data is None else one.result.data.changed_by_last_pass
        if written:
            line(
                Hint(
                    f"  {counted(written, 'document')} changed in the last pass: an old version of the application is "
                    "still writing. Documents that it writes from now on are changed by: ",
                    CLEAN_UP,
                )
            )
        if one.result.is_complete:
            draw_lacking_results(one.result.indexes)
        if one.result.failures.count:
            draw_failures(one.result.failures)
    if result.stopped is not None:
        _draw_stopped(result.stopped, resume)
    elif any(one.migration_id in to_clean_up for one in done):
        line(
            Hint(
                "When the old version of the application no longer runs, clean up with: ",
                CLEAN_UP,
                ". It changes the documents that the old version has written since, and removes the values that only "
                "the old version needs.",
            )
        )


def _draw_stopped(stopped: AppliedFile, resume: Command) -> None:
    """Print what is left of the file at which a run stopped, and how to continue."""
    result = stopped.result
    draw_results(result.indexes, {}, Plan(()), verbose=False)
    if result.outcome is Outcome.STOPPED:
        if any(move.failures for move in result.moves):
            line(
                "First stop the old version. If a document exists under both its old and its new key, remove one of "
                "the two."
            )
        line(Hint("Resume with: ", resume))
        return
    undo = Command("migrate rollback", stopped.migration_id)
    if result.has_lost_documents:
        lost = "If they were moved, renamed or deleted by mistake, restore them and resume with: "
        line(Hint(lost, resume))
        line(Hint("If they were deleted on purpose, roll back with: ", undo, ", and run again"))
        return
    if result.moves:
        line(
            "If an old version of the application still writes to the old keys, stop it; otherwise correct the "
            "documents listed above."
        )
        line(Hint("Then run again: ", resume))
    else:
        line(Hint("Correct the documents listed above, then run again: ", resume))
        if result.data is not None:
            line("If an old version of the application wrote them, stop it and run again.")
        line(Hint("Or continue without them in query results: ", resume.adding("--accept-unindexed")))
    line(Hint("Or roll back with: ", undo))


def _reason_of_stop(one: AppliedFile) -> str | None:
    """Return why a file is not complete; None if it is."""
    outcome = one.result.outcome
    if outcome is Outcome.DONE:
        return None
    if outcome in (Outcome.STOPPED, Outcome.PROBLEMS_FOUND):
        return one.result.stopped
    what = "an index could not be prepared" if outcome is Outcome.NOT_STARTED else "a cutover was refused"
    return f"{what}, because queries would lose documents"


def _summary(one: AppliedFile) -> str:
    data, indexes = one.result.data, one.result.indexes
    parts = []
    if data is not None:
        parts.append(
            f"{counted(data.documents, 'document')} read, {counted(data.converted, 'value')} changed"
        )
    parts += [f"storage of {counted(change.replaced, 'document')} changed" for change in one.result.storage]
    parts += [f"{counted(move.moved, 'document')} moved to other keys" for move in one.result.moves]
    cut_over = [index for index in indexes if not index.is_refused]
    if cut_over and one.result.is_prepared:
        parts.append(f"{counted_indexes(len(cut_over))} changed")
    changed = "; ".join(parts) or ("recorded" if one.result.is_complete else "nothing changed")
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
                "failed": one.result.failures.count,
                "changed_by_last_pass": one.result.data.changed_by_last_pass if one.result.data else 0,
                "reason": _reason_of_stop(one),
                "indexes": [result_report(index) for index in one.result.indexes],
                "seconds": round(one.seconds, 3),
            }
            for one in result.files
        ],
        "pending": list(result.pending),
    }
