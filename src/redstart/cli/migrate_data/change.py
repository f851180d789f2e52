"""Commands that change documents: run and rollback."""

import time

import click

from redstart.cli.drawing import duration, pairs
from redstart.cli.drawing import progress as drawn_progress
from redstart.cli.exits import Exit
from redstart.cli.migrate_data.options import batch_size, common, confirm, migration_id, verbose, yes
from redstart.cli.migrate_data.reports import (
    dry_run_report,
    not_run_report,
    rate_of,
    rollback_report,
    run_report,
)
from redstart.cli.migrate_data.tables import draw_failures, draw_fields
from redstart.cli.output import line, note, print_json
from redstart.cli.session import Session, open_session, stop_on_signal
from redstart.cli.settings import Settings
from redstart.migrations.data.context import DATETIME_MIGRATION
from redstart.migrations.data.convert import Outcome
from redstart.migrations.data.failures import Failure
from redstart.migrations.data.monitor import Monitor
from redstart.migrations.data.rollback import RollbackResult
from redstart.migrations.data.rollback import rollback as undo_everything
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.runner import RunOptions, RunResult
from redstart.migrations.data.runner import run as convert_everything
from redstart.migrations.data.statistics import Statistics, statistics
from redstart.migrations.data.transform import FailureMode

FAILURES_SAID = 10
"""Lines about single values; --verbose says them all."""


@click.command()
@click.option(
    "--failure-mode",
    type=click.Choice([mode.value for mode in FailureMode]),
    default=FailureMode.LOG_AND_SKIP.value,
    show_default=True,
    help="A value that will not convert: leave it (skip; log_and_skip says so), stop (fail), "
    "write 0.0 (default), or move it to <field>__invalid (quarantine).",
)
@batch_size
@click.option(
    "--max-errors", type=click.IntRange(1), metavar="N", help="Stop at the Nth value that will not convert."
)
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Run at most N migrations.")
@click.option(
    "--limit-documents", type=click.IntRange(1), metavar="N", help="Stop after N documents were changed."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@verbose
@yes
@common
def run(
    settings: Settings,
    failure_mode: str,
    batch_size: int,
    max_errors: int | None,
    limit: int | None,
    limit_documents: int | None,
    dry_run: bool,
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Convert every date of the models to a timestamp. Resumes what was interrupted; can be undone with
    `om migrate-data rollback`. Documents stay readable and writable meanwhile."""
    with open_session(settings) as session:
        if dry_run:
            return _dry_run(session, batch_size, verbose, as_json)
        if limit == 0:
            print_json(not_run_report()) if as_json else line("Nothing was run: --limit is 0.")
            return Exit.DONE
        confirm(f"Convert the dates of {len(session.plan.models)} models on {session.where}?", assume_yes=yes)
        options = RunOptions(FailureMode(failure_mode), batch_size, max_errors, limit_documents)
        result = _run(session, options, verbose)
    if as_json:
        print_json(run_report(result))
    else:
        _draw_run(result)
    return Exit.DONE if result.stopped is None else Exit.STOPPED


def _run(session: Session, options: RunOptions, verbose: bool) -> RunResult:
    said = 0

    def say(failure: Failure) -> None:
        nonlocal said
        said += 1
        if verbose or said <= FAILURES_SAID:
            note(f"not converted: {failure}")
        elif said == FAILURES_SAID + 1:
            note("... more of them: om migrate-data errors lists all, --verbose says them here")

    with drawn_progress(every_step=verbose) as show:
        monitor = Monitor(progress=show, failure=say)
        with stop_on_signal(monitor):
            return session.run(convert_everything(session.context(monitor), session.plan, options))


def _draw_run(result: RunResult) -> None:
    rate = rate_of(result)
    line("Completed." if result.stopped is None else f"Stopped: {result.stopped}.")
    of_all = "" if result.stopped is None else " (of all, by the census)"
    pairs(
        [
            (
                "documents" if result.stopped is None else f"documents met in pass {result.passes}",
                result.documents,
            ),
            ("values converted", result.converted),
            (f"already numbers{of_all}", result.already_converted),
            (f"null{of_all}", result.null),
            ("lossy", result.lossy),
            ("not converted", result.errors),
            ("conflicts retried", result.conflicts_retried),
            ("time", duration(result.seconds) + ("" if rate is None else f", {rate:,.0f} documents/s")),
        ]
    )
    if result.stopped is not None:
        line("The progress is saved. Go on with: om migrate-data run")
        return
    if result.errors:
        line("See what did not convert with: om migrate-data errors")
    line("Check it with: om migrate-data verify --check-data")
    if result.forgotten:
        line(
            f"{result.forgotten:,} values were converted before the undo log was dropped: they stay as they are."
        )
    if result.undoable:
        what = "what came after" if result.forgotten else "it"
        line(f"Undo {what} with: om migrate-data rollback {DATETIME_MIGRATION}")


def _dry_run(session: Session, batch_size: int, verbose: bool, as_json: bool) -> int:
    began = time.monotonic()
    with drawn_progress(every_step=verbose) as show:
        context = session.context(Monitor(progress=show))
        found = session.run(statistics(context, session.plan, chance=None, batch_documents=batch_size))
    if as_json:
        print_json(dry_run_report(found, time.monotonic() - began))
    else:
        _draw_dry_run(found, verbose)
    return Exit.DONE


def _draw_dry_run(found: Statistics, verbose: bool) -> None:
    line(f"Dry run: {found.documents:,} documents were read, nothing was written.")
    line("")
    for model in found.models:
        draw_fields(model)
        samples = {
            str(field.path): found.survey.samples.get((model.model.key_prefix, str(field.path)), [])
            for field in model.fields
        }
        width = max((len(path) for path, some in samples.items() if some), default=0)
        for path, some in samples.items():
            for sample in some:
                line(f"  {path:<{width}}  {sample.before} -> {sample.after}  {sample.key}")
        if width:
            line("")
    draw_failures(
        found.survey.failures,
        found.total(Outcome.UNCONVERTIBLE),
        len(found.survey.failures) if verbose else FAILURES_SAID,
    )
    line("Do it with: om migrate-data run")


@click.command()
@migration_id
@click.option("--dry-run", is_flag=True, help="Count what would be restored; write nothing.")
@verbose
@yes
@common
def rollback(
    settings: Settings, migration_id: str, dry_run: bool, verbose: bool, yes: bool, as_json: bool
) -> int:
    """Undo migration ID: every value that is still as it was written gets its original bytes back; what was
    changed or created since gets the old form. Needs no backup and no models."""
    with open_session(settings, needs_models=False) as session:
        if not dry_run:
            confirm(f"Undo {migration_id} on {session.where}?", assume_yes=yes)
        with drawn_progress(every_step=verbose) as show:
            context = session.context(Monitor(progress=show))
            if dry_run:  # nothing to keep: Ctrl-C ends it at once
                result = session.run(preview_rollback(context))
            else:
                with stop_on_signal(context.monitor):
                    result = session.run(undo_everything(context))
    if as_json:
        print_json(rollback_report(result, dry_run=dry_run))
    else:
        _draw_rollback(result, dry_run, verbose)
    if result.stopped is not None:
        return Exit.STOPPED
    return Exit.FOUND if result.kept and not dry_run else Exit.DONE


def _draw_rollback(result: RollbackResult, dry_run: bool, verbose: bool) -> None:
    if result.nothing_to_do:
        line("There is nothing to undo.")
        return
    if result.stopped is not None:
        line(f"Stopped: {result.stopped}. Go on with: om migrate-data rollback {DATETIME_MIGRATION}")
    else:
        line("Dry run: nothing was written. A rollback would do this:" if dry_run else "Rolled back.")
    pairs(
        [
            ("documents", result.documents),
            ("values restored exactly", result.restored_exactly),
            ("newer values given the old form", result.reformatted),
            ("values kept, having no old form", result.kept),
            ("time", duration(result.seconds)),
        ]
    )
    for failure in result.examples if verbose else result.examples[:FAILURES_SAID]:
        line(f"kept: {failure}")
