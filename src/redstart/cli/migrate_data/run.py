"""The command that converts: run."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from redstart.cli.deployment import STOP_BEFORE, draw_order
from redstart.cli.drawing import duration, pairs
from redstart.cli.drawing import progress as drawn_progress
from redstart.cli.exits import Exit
from redstart.cli.indexes import draw_results, forecast_line, index_migration
from redstart.cli.migrate_data.backup import backup, save_first, say_not_saved
from redstart.cli.migrate_data.log_file import EventLog, event_log, log_file
from redstart.cli.migrate_data.options import (
    accept_unindexed,
    batch_size,
    common,
    confirm,
    keep_old,
    verbose,
    yes,
)
from redstart.cli.migrate_data.reports import dry_run_report, forward_report, not_run_report, rate_of
from redstart.cli.migrate_data.tables import draw_failures, draw_fields, draw_nothing_found, draw_refusal
from redstart.cli.output import line, note, print_json
from redstart.cli.session import Session, open_session, resumed_by, stop_on_signal
from redstart.cli.settings import Settings
from redstart.effects import Op
from redstart.migrations.data.context import DATETIME_MIGRATION, Context
from redstart.migrations.data.convert import Outcome
from redstart.migrations.data.failures import Failure
from redstart.migrations.data.monitor import Monitor
from redstart.migrations.data.runner import RunOptions, RunResult
from redstart.migrations.data.statistics import Statistics, statistics
from redstart.migrations.data.status import Phase
from redstart.migrations.data.transform import FailureMode
from redstart.migrations.forward import Forward, forecast_with_dates, migrate_forward
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.forecast import IndexForecast
from redstart.migrations.indexes.plan import planned_indexes

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
@backup
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@log_file
@click.option(
    "--no-expand", is_flag=True, help="Refuse, where indexes are not ready, instead of making them so."
)
@accept_unindexed
@keep_old
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
    backup: bool,
    dry_run: bool,
    log_file: Path | None,
    no_expand: bool,
    accept_unindexed: bool,
    keep_old: bool,
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Convert every date of the models to a timestamp. Resumes what was interrupted; can be undone with
    `om migrate-data rollback`. Documents stay readable, writable and found by queries meanwhile: indexes with dates are
    made ready first, and cut over at the end."""
    with open_session(settings) as session, event_log(log_file, "run", session) as log:
        planned = planned_indexes(session.declarations)
        indexes = session.run(forecast_with_dates(planned, keep_old=keep_old))
        if dry_run:
            if backup:
                say_not_saved()
            return _dry_run(session, indexes, batch_size, verbose, as_json, log)
        if limit == 0:
            log.ended(not_run_report(), Exit.DONE)
            print_json(not_run_report()) if as_json else line("Nothing was run: --limit is 0.")
            return Exit.DONE
        for one in indexes:
            if not (no_expand and one.to_build):  # what is not built already is refused
                note(forecast_line(one))
        if indexes:
            note(STOP_BEFORE)
        confirm(f"Convert the dates of {len(session.plan.models)} models on {session.where}?", assume_yes=yes)
        if backup:
            save_first(session, log)
        options = RunOptions(FailureMode(failure_mode), batch_size, max_errors, limit_documents)
        chosen = ExpansionOptions(accept_unindexed=accept_unindexed, keep_old=keep_old)

        def migrate(context: Context) -> Op[Forward]:
            return migrate_forward(
                context, session.plan, options, planned, index_migration(), chosen, expand=not no_expand
            )

        found = _run(session, migrate, verbose, log)
        log.ended(forward_report(found), _exit_of(found))
    if as_json:
        print_json(forward_report(found))
    else:
        _draw(found, FailureMode(failure_mode), verbose)
        if found.data is not None and not found.data.documents and found.data.stopped is None:
            draw_nothing_found(session.plan.models)
    return _exit_of(found)


def _exit_of(found: Forward) -> Exit:
    if found.data is None:
        return Exit.FOUND
    if found.data.stopped is not None:
        return Exit.STOPPED
    return Exit.PENDING if found.refused else Exit.DONE


def _run(
    session: Session, migrate: Callable[[Context], Op[Forward]], verbose: bool, log: EventLog
) -> Forward:
    said = 0

    def say(failure: Failure) -> None:
        nonlocal said
        said += 1
        if verbose or said <= FAILURES_SAID:
            note(f"not converted: {failure}")
        elif said == FAILURES_SAID + 1:
            note("... more of them: om migrate-data errors lists all, --verbose says them here")

    with drawn_progress(every_step=verbose) as show:
        monitor = log.watching(Monitor(progress=show, failure=say))
        with stop_on_signal(monitor), resumed_by("om migrate-data run"):
            return session.run(migrate(session.context(monitor)))


def _draw(found: Forward, failure_mode: FailureMode, verbose: bool) -> None:
    if found.data is None:
        line("Nothing was converted: an index that takes dates in both forms would lose documents.")
    else:
        _draw_data(found.data, failure_mode)
    draw_results(found.indexes, found.blocking, verbose=verbose)
    if found.data is None or found.data.stopped is not None:
        return
    draw_order(Phase.CUT_OVER if found.indexes else Phase.VERIFIED, cut_over_to_come=found.refused)
    line("Check it with: om migrate-data verify --check-data")
    _draw_way_back(found.data)


def _draw_way_back(result: RunResult) -> None:
    if result.forgotten:
        line(
            f"{result.forgotten:,} values were converted before the undo log was dropped: they stay as they are."
        )
    if result.undoable:
        what = "what came after" if result.forgotten else "it"
        line(f"Undo {what} with: om migrate-data rollback {DATETIME_MIGRATION}")


def _draw_data(result: RunResult, failure_mode: FailureMode) -> None:
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
        line(f"The progress is saved. Go on with: om migrate-data run{_to_repeat(failure_mode)}")
        return
    if result.errors:
        line("See what did not convert with: om migrate-data errors")


def _to_repeat(failure_mode: FailureMode) -> str:
    """The option without which the rest would be treated otherwise than what is done; fail would stop again."""
    return (
        ""
        if failure_mode in (FailureMode.LOG_AND_SKIP, FailureMode.FAIL)
        else f" --failure-mode {failure_mode}"
    )


def _dry_run(
    session: Session,
    indexes: Sequence[IndexForecast],
    batch_size: int,
    verbose: bool,
    as_json: bool,
    log: EventLog,
) -> int:
    began = time.monotonic()
    with drawn_progress(every_step=verbose) as show:
        context = session.context(log.watching(Monitor(progress=show)))
        found = session.run(statistics(context, session.plan, chance=None, batch_documents=batch_size))
    report = dry_run_report(found, indexes, time.monotonic() - began)
    log.ended(report, Exit.DONE)
    if as_json:
        print_json(report)
    else:
        _draw_dry_run(found, indexes, verbose)
    return Exit.DONE


def _draw_dry_run(found: Statistics, indexes: Sequence[IndexForecast], verbose: bool) -> None:
    line(f"Dry run: {found.documents:,} documents were read, nothing was written.")
    line("")
    if not found.documents:
        draw_nothing_found([model.model for model in found.models])
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
    for one in indexes:
        line(forecast_line(one))
    draw_refusal(found.facts)
    line("Do it with: om migrate-data run")
