"""`om migrate-data rollback`: restore the originals of converted values."""

from dataclasses import replace
from pathlib import Path

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME
from redstart.cli.migrate.apply_files import typed_again
from redstart.cli.migrate_data.event_log import EventLog, event_log, log_file
from redstart.cli.migrate_data.reports import rollback_report
from redstart.cli.migrate_data.rollback_result import draw_rollback
from redstart.cli.options import (
    Settings,
    batch_size,
    common,
    confirm,
    exclude_prefix,
    include_prefixes,
    migration_id,
    verbose,
    will_ask,
    yes,
)
from redstart.cli.output import counted, duration, note, print_json, rounded
from redstart.cli.phase_guidance import BEFORE_ROLLBACK
from redstart.cli.progress import progress_display
from redstart.cli.redis_om_execution import roll_back_file
from redstart.cli.redis_om_files import migrations_dir, module
from redstart.cli.session import Session, note_unused_exclusions, open_session, resume_hint, stop_on_signal
from redstart.migrations.context import Monitor
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.plan import Plan
from redstart.migrations.files.declarations import DATA
from redstart.migrations.options import RollbackOptions
from redstart.migrations.run_results import RollbackResult
from redstart.next_steps import Command


@click.command()
@migration_id
@click.option("--dry-run", is_flag=True, help="Count what would be restored; write nothing.")
@click.option(
    "--reformat-preexisting",
    "reformat_preexisting",
    is_flag=True,
    help="Also rewrite numbers that existed before the run as text. Use this if the new version was already writing "
    "before the migration.",
)
@click.option(
    "--accept-unindexed",
    is_flag=True,
    help="Roll back even if documents drop out of indexes that belong to no model.",
)
@batch_size
@exclude_prefix
@include_prefixes
@log_file
@migrations_dir(DATA)
@module
@verbose
@yes
@common
def rollback(
    settings: Settings,
    migration_id: str,
    dry_run: bool,
    reformat_preexisting: bool,
    accept_unindexed: bool,
    batch_size: int,
    include_prefixes: tuple[str, ...],
    log_file: Path | None,
    migrations_dir: Path | None,
    module: str | None,
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Roll back migration ID.

    A value that has not changed since the run gets its original bytes; a newer value is rewritten as text. Values
    that cannot be restored are listed. Needs no backup and no models.

    A migration file of redis-om is rolled back by its own down().
    """
    if migration_id != DATETIME_MIGRATION:
        with open_session(settings, writes=not dry_run, needs_models=False) as session:
            return roll_back_file(
                session,
                settings,
                DATA,
                migration_id,
                migrations_dir,
                module,
                dry_run=dry_run,
                assume_yes=yes,
                verbose=verbose,
                as_json=as_json,
            )
    resume_command = typed_again("dry_run")
    options = RollbackOptions(reformat_preexisting, batch_size, include_prefixes, accept_unindexed)
    with (
        open_session(settings, writes=not dry_run, needs_models=False) as session,
        event_log(log_file, "rollback", session) as log,
    ):
        recorded = session.run(session.migration().preflight_rollback())
        note_unused_exclusions(session)
        if not dry_run:
            _ask(session, migration_id, recorded, assume_yes=yes)
        found = _roll_back(session, options, resume_command, log, dry_run=dry_run, verbose=verbose)
        report, code = rollback_report(found), EXIT_OF_OUTCOME[found.outcome]
        log.ended(report, code)
    if as_json:
        print_json(report)
    else:
        draw_rollback(found, recorded, session.naive_timezone, command=resume_command, verbose=verbose)
    return code


def _roll_back(
    session: Session,
    options: RollbackOptions,
    resume_command: Command,
    log: EventLog,
    *,
    dry_run: bool,
    verbose: bool,
) -> RollbackResult:
    """Roll back, or preview it, with progress on stderr."""
    with progress_display(every_step=verbose) as show:
        # What a rollback counts as failures are values that stay as they are: the result explains them.
        monitor = log.watching(Monitor(progress=lambda update: show(replace(update, failures=0))))
        migration = session.migration(monitor)
        if dry_run:  # there is no progress to save: Ctrl-C ends it at once
            return session.run(migration.preview_rollback(options))
        with stop_on_signal(monitor), resume_hint(resume_command):
            return session.run(migration.rollback(options))


def _ask(session: Session, migration_id: str, recorded: Plan | None, *, assume_yes: bool) -> None:
    """Ask on a terminal, with the number of documents and an estimate.

    Args:
        recorded: the plan of the runs to roll back, if there are any.
    """
    if not session.run(session.migration().has_rollback_work()):
        return
    if not will_ask(assume_yes=assume_yes):
        return
    note(BEFORE_ROLLBACK)
    question = f"Roll back {migration_id} on {session.where}?"
    if recorded is not None:
        found = session.run(session.migration().estimate_rollback(recorded))
        documents = counted(found.documents, "document")
        if not found.exact:
            documents = f"about {counted(rounded(found.documents), 'document')}"
        question += f" It reads {documents}. Estimated time: {duration(found.seconds)}."
    confirm(question, assume_yes=assume_yes)
