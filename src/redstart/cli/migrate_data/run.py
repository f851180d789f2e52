"""The command that converts: run."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from redstart.cli.assumed_zone import note_assumed_zone
from redstart.cli.deployment import STOP_BEFORE
from redstart.cli.exits import Exit
from redstart.cli.indexes import forecast_line, index_migration, note_superseded
from redstart.cli.migrate_data.backup import backup, save_first, say_not_saved
from redstart.cli.migrate_data.dry_run import FAILURES_SAID, say_what_would_be_done
from redstart.cli.migrate_data.log_file import EventLog, event_log, log_file
from redstart.cli.migrate_data.run_report import forward_report, not_run_report
from redstart.cli.migrate_data.run_result import draw_forward
from redstart.cli.migration_files import exit_with_files, migrations_dir, module, pending_files
from redstart.cli.model_fit import find_unclaimed, note_unclaimed, note_unreadable
from redstart.cli.options import (
    accept_unindexed,
    aliases,
    batch_size,
    common,
    confirm,
    exclude_prefix,
    include_prefixes,
    keep_old_index,
    verbose,
    yes,
)
from redstart.cli.output import as_typed, line, note, print_json
from redstart.cli.progress import progress_display
from redstart.cli.session import Session, open_session, resumed_by, stop_on_signal
from redstart.cli.settings import Settings
from redstart.effects import Op
from redstart.migrations.data.converting.runner import RunOptions
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.running.context import Context
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.state.failures import Failure
from redstart.migrations.files.kinds import DATA
from redstart.migrations.forward import Forward, forecast_with_dates, migrate_forward
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.forecast import IndexForecast
from redstart.migrations.indexes.preflight import require_aliases
from redstart.migrations.indexes.status import index_statuses


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
@migrations_dir(DATA)
@module
@accept_unindexed
@keep_old_index
@aliases
@exclude_prefix
@include_prefixes
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
    migrations_dir: Path | None,
    module: str | None,
    accept_unindexed: bool,
    keep_old_index: bool,
    aliases: tuple[str, ...],
    include_prefixes: tuple[str, ...],
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Convert every date of the models to a timestamp. Resumes what was interrupted; can be undone with
    `om migrate-data rollback`. Documents stay readable, writable and found by queries meanwhile: indexes with dates are
    made ready first, and cut over at the end. Migration files are not run; pending ones are said, with exit code 3."""
    with open_session(settings, writes=not dry_run) as session, event_log(log_file, "run", session) as log:
        session.require_intact(exempt=("failures",))
        note_assumed_zone(session)
        files = pending_files(session, DATA, migrations_dir, module)
        planned = session.planned_indexes()
        note_unclaimed(find_unclaimed(session))
        if aliases:
            session.run(require_aliases(aliases, planned))
        indexes = session.run(forecast_with_dates(planned, keep_old_index=keep_old_index))
        if indexes:
            note_superseded(session.run(index_statuses(planned)))
        chosen = ExpansionOptions(
            accept_unindexed=accept_unindexed, keep_old_index=keep_old_index, aliases=aliases
        )
        if dry_run:
            if backup:
                say_not_saved()
            code = say_what_would_be_done(
                session,
                indexes,
                files,
                batch_size,
                verbose,
                as_json,
                log,
                options=chosen,
                failure_mode=FailureMode(failure_mode),
                include_prefixes=include_prefixes,
            )
            note_unreadable(session)
            return code
        if limit == 0:
            log.ended(not_run_report(files), Exit.DONE)
            print_json(not_run_report(files)) if as_json else line("Nothing was run: --limit is 0.")
            return Exit.DONE
        # What is not built already is refused under --no-expand.
        _ask(session, [one for one in indexes if not (no_expand and one.to_build)], assume_yes=yes)
        if backup:
            save_first(session, log)
        options = RunOptions(FailureMode(failure_mode), batch_size, max_errors, limit_documents)

        def migrate(context: Context) -> Op[Forward]:
            return migrate_forward(
                context,
                session.plan,
                options,
                planned,
                index_migration(context.monitor),
                chosen,
                expand=not no_expand,
                include_prefixes=include_prefixes,
            )

        found = _run(session, migrate, verbose, log)
        note_unreadable(session)
        report = forward_report(found, files)
        code = exit_with_files(_exit_of(found), files, DATA)
        log.ended(report, code)
    if as_json:
        print_json(report)
    else:
        draw_forward(found, session.plan, options.failure_mode, verbose=verbose)
    return code


def _ask(session: Session, indexes: Sequence[IndexForecast], *, assume_yes: bool) -> None:
    """Say what a run does to indexes, and ask on a terminal."""
    for one in indexes:
        note(forecast_line(one))
    if indexes:
        note(STOP_BEFORE)
    confirm(
        f"Convert the dates of {len(session.plan.models)} models on {session.where}?", assume_yes=assume_yes
    )


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
            note(as_typed("... more of them: om migrate-data errors lists all, --verbose says them here"))

    with progress_display(every_step=verbose) as show:
        monitor = log.watching(Monitor(progress=show, failure=say))
        with stop_on_signal(monitor), resumed_by("om migrate-data run"):
            return session.run(migrate(session.context(monitor)))
