"""`om migrate-data run`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME, Exit
from redstart.cli.index_report import forecast_line, note_superseded
from redstart.cli.migrate_data.dry_run import dry_run as run_dry
from redstart.cli.migrate_data.dry_run import run_command
from redstart.cli.migrate_data.event_log import EventLog, event_log, log_file
from redstart.cli.migrate_data.reports import not_run_report, run_report
from redstart.cli.migrate_data.run_result import draw_result
from redstart.cli.model_warnings import find_unclaimed, note_unclaimed, note_unreadable
from redstart.cli.options import (
    Settings,
    accept_unindexed,
    aliases,
    batch_size,
    common,
    confirm,
    exclude_prefix,
    include_prefixes,
    keep_old_index,
    verbose,
    will_ask,
    yes,
)
from redstart.cli.output import counted, duration, line, note, print_json, rounded, warn, with_server
from redstart.cli.phase_guidance import STOP_BEFORE
from redstart.cli.progress import progress_display
from redstart.cli.redis_om_execution import draw_executed, exit_with_files, open_files
from redstart.cli.redis_om_files import migrations_dir, module
from redstart.cli.session import (
    Session,
    note_assumed_zone,
    note_unused_exclusions,
    open_session,
    resume_hint,
    stop_on_signal,
)
from redstart.migrations.context import Monitor
from redstart.migrations.data.backup import back_up
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.failure import Failure
from redstart.migrations.files.declarations import DATA
from redstart.migrations.files.redis_om_execution import Executed
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.options import MigrationOptions
from redstart.migrations.outcomes import POSSIBLE_CAUSES, RESTORE_STATE, SEE_FORMAT, recorded_elsewhere
from redstart.migrations.run_results import MigrationResult, Preflight
from redstart.next_steps import Command, Hint

backup = click.option(
    "--backup", is_flag=True, help="Save the data of the server first (BGSAVE), and wait for the save."
)


def backup_before_run(session: Session, log: EventLog) -> None:
    """Let the server save its data, and print when it did. Raises what `back_up` does."""
    with progress_display() as show:
        saved_at = session.run(back_up(log.watching(Monitor(progress=show))))
    log.write("saved", {"saved_ms": saved_at * 1_000})
    note(f"The server saved its data at {datetime.fromtimestamp(saved_at, UTC):%Y-%m-%d %H:%M:%S} UTC.")
    note("The dump is a file on the machine of the server. Find it with:")
    for setting in ("dir", "dbfilename"):
        note(with_server(f"  redis-cli CONFIG GET {setting}"))
    note("Copy it to another place: the next save replaces it.")


def note_skipped(*, backup: bool) -> None:
    """Print that a dry run makes no backup, if one was asked for."""
    if backup:
        note("--backup has no effect on a dry run: no backup was made.")


@click.command()
@click.option(
    "--failure-mode",
    type=click.Choice([mode.value for mode in FailureMode]),
    default=FailureMode.LOG_AND_SKIP.value,
    show_default=True,
    help="What to do with values that cannot be converted: skip, log_and_skip (skip and report), fail (stop), "
    "default (store 0.0), quarantine (move to <field>__invalid).",
)
@batch_size
@click.option(
    "--max-errors",
    type=click.IntRange(1),
    metavar="N",
    help="Stop at the Nth failed value.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    metavar="N",
    help="Run at most N migration files, after the conversion of dates. 0 runs nothing, not even the conversion.",
)
@click.option(
    "--limit-documents", type=click.IntRange(1), metavar="N", help="Stop after N documents are changed."
)
@backup
@click.option("--dry-run", is_flag=True, help="Report what a run would do; write nothing.")
@log_file
@click.option("--no-expand", is_flag=True, help="Fail if an index is not ready instead of building it.")
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
    """Convert all dates of the models to numbers.

    Resumes an interrupted run; `om migrate-data rollback` undoes it. Documents stay readable, writable and
    searchable: indexes with dates are prepared first and cut over at the end. Pending data migration files of redis-om
    run afterwards, in the order of their dependencies. They are outside the undo log.
    """
    options = MigrationOptions(
        failure_mode=FailureMode(failure_mode),
        batch_size=batch_size,
        max_errors=max_errors,
        limit_documents=limit_documents,
        accept_unindexed=accept_unindexed,
        keep_old_index=keep_old_index,
        aliases=aliases,
        include_prefixes=include_prefixes,
        expand=not no_expand,
    )
    with open_session(settings, writes=not dry_run) as session, event_log(log_file, "run", session) as log:
        preflight = session.run(session.migration().preflight(options))
        files = open_files(session, settings, DATA, migrations_dir, module, verbose=verbose)
        _note_findings(session, preflight)
        _ = files.announce(limit)
        if dry_run:
            note_skipped(backup=backup)
            return run_dry(session, options, preflight, files.ids(), log, verbose=verbose, as_json=as_json)
        if limit == 0:
            return _run_nothing(files.ids(), log, as_json=as_json)
        _ask(session, preflight.indexes, no_expand=no_expand, assume_yes=yes)
        if backup:
            backup_before_run(session, log)
        resume_command = run_command(omit=("backup", "yes"))  # a second backup would replace a better one
        found = _run(session, options, resume_command, verbose, log)
        code = EXIT_OF_OUTCOME[found.outcome]
        executed = files.run(limit) if code is Exit.DONE else Executed()
        report = run_report(found, files.ids(), executed.done)
        code = exit_with_files(code, executed, DATA)
        log.ended(report, code if executed.error is None else Exit.FAILED)
    if not as_json:
        draw_result(found, session.plan, resume_command=resume_command, verbose=verbose)
        draw_executed(executed)
    if executed.error is not None:
        raise executed.error
    if as_json:
        print_json(report)
    return code


def _note_findings(session: Session, preflight: Preflight) -> None:
    """Print warnings."""
    note_assumed_zone(session)
    note_unused_exclusions(session)
    if preflight.is_recorded_elsewhere:
        warn(
            Hint(
                f"{recorded_elsewhere(session.keys.migration_id)} {POSSIBLE_CAUSES} ",
                SEE_FORMAT,
                f". {RESTORE_STATE}",
            )
        )
    note_unclaimed(find_unclaimed(session))
    note_superseded(preflight.superseded)


def _run_nothing(files: Sequence[str], log: EventLog, *, as_json: bool) -> Exit:
    """Report that --limit 0 runs nothing."""
    report = not_run_report(files)
    log.ended(report, Exit.DONE)
    if as_json:
        print_json(report)
    else:
        line("Nothing was run, because --limit is 0.")
    return Exit.DONE


def _ask(session: Session, estimates: Sequence[IndexEstimate], *, no_expand: bool, assume_yes: bool) -> None:
    """Print what a run does with indexes, and ask on a terminal, with the number of documents and an estimate."""
    # With --no-expand, an index that is still to be built is an error.
    indexes = [estimate for estimate in estimates if not (no_expand and estimate.to_build)]
    for estimate in indexes:
        if estimate.to_build:
            note(forecast_line(estimate))
    if indexes:
        note(STOP_BEFORE)
    if not will_ask(assume_yes=assume_yes):
        return
    found = session.run(session.migration().estimate_run())
    documents = counted(found.documents, "document")
    if not found.exact:
        documents = f"about {counted(rounded(found.documents), 'document')}"
    seconds = duration(found.estimate.expected)
    confirm(
        f"Convert the dates of {documents} on {session.where}? Estimated time: {seconds}.",
        assume_yes=assume_yes,
    )


def _run(
    session: Session, options: MigrationOptions, resume_command: Command, verbose: bool, log: EventLog
) -> MigrationResult:
    def note_failure(failure: Failure) -> None:
        if verbose:
            note(f"failed: {failure}")

    with progress_display(every_step=verbose) as show:
        monitor = log.watching(Monitor(progress=show, failure=note_failure))
        with stop_on_signal(monitor), resume_hint(resume_command):
            found = session.run(session.migration(monitor).run(options))
    note_unreadable(session)
    return found
