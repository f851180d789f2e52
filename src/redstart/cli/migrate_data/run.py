"""`om migrate-data run`, and `run --dry-run`, which reads and classifies every value and writes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME, Exit
from redstart.cli.index_report import (
    counted_indexes,
    draw_unnamed_aliases,
    index_estimate_line,
    note_superseded,
)
from redstart.cli.migrate_data.event_log import EventLog, event_log, log_file
from redstart.cli.migrate_data.reports import dry_run_report, not_run_report, refusal_text, run_report
from redstart.cli.migrate_data.run_result import draw_result
from redstart.cli.model_warnings import find_unmanaged, note_unmanaged, note_unreadable
from redstart.cli.options import (
    Settings,
    accept_unindexed,
    aliases,
    batch_size,
    chosen_options,
    common,
    confirm,
    exclude_prefix,
    include_prefixes,
    keep_old_index,
    verbose,
    will_ask,
    yes,
)
from redstart.cli.output import (
    Tone,
    counted,
    draw_refusal,
    duration,
    line,
    note,
    print_json,
    rounded,
    warn,
    with_server,
)
from redstart.cli.phase_guidance import STOP_BEFORE
from redstart.cli.progress import progress_display
from redstart.cli.redis_om_execution import draw_executed, exit_with_files, open_files
from redstart.cli.redis_om_files import migrations_dir, module
from redstart.cli.refused_cutover import DROP_OUT, draw_prediction
from redstart.cli.session import (
    Session,
    note_assumed_zone,
    note_unused_exclusions,
    open_session,
    resume_hint,
    stop_on_signal,
)
from redstart.cli.tables import next_step, pairs
from redstart.cli.value_tables import (
    count_rows,
    draw_all_failures,
    draw_failures,
    draw_fields,
    draw_nothing_found,
)
from redstart.migrations.context import Monitor
from redstart.migrations.data.backup import back_up
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.statistics import ModelStatistics, Statistics
from redstart.migrations.failure import Failure
from redstart.migrations.files.declarations import DATA
from redstart.migrations.files.redis_om_execution import Executed
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.options import MigrationOptions
from redstart.migrations.outcomes import POSSIBLE_CAUSES, RESTORE_STATE, SEE_FORMAT, recorded_elsewhere
from redstart.migrations.run_results import DryRun, MigrationResult, Preflight
from redstart.migrations.transformation import Classification
from redstart.next_steps import Command, Hint


def run_dry(
    session: Session,
    options: MigrationOptions,
    preflight: Preflight,
    pending_files: Sequence[str],
    log: EventLog,
    *,
    verbose: bool,
    as_json: bool,
) -> int:
    """Read every document and report what a run would do. Return the exit code."""
    with progress_display(every_step=verbose) as show:
        monitor = log.watching(Monitor(progress=show))
        found = session.run(session.migration(monitor).dry_run(options, preflight))
    for error in found.unchecked:
        note(f"Not everything was checked. {error.message}")
    report = dry_run_report(found, pending_files)
    code = EXIT_OF_OUTCOME[found.outcome]
    log.ended(report, code)
    if as_json:
        print_json(report)
    else:
        _draw(found, session.plan, options, verbose)
    note_unreadable(session)
    return code


def run_command(*, omit: Sequence[str]) -> Command:
    """Return the command of a run with the options of this one."""
    return Command("migrate-data run", *chosen_options(click.get_current_context(), omit=omit))


def _draw(found: DryRun, plan: Plan, options: MigrationOptions, verbose: bool) -> None:
    data, indexes, failure_mode = found.data, found.preflight.indexes, options.failure_mode
    refusal = refusal_text(found.refusal)
    outcome = _outcome(found, options)
    line(
        f"Dry run complete{outcome}. {data.documents:,} documents were read, nothing was written.",
        Tone.WARNING if outcome else Tone.DONE,
    )
    if data.documents:
        pairs([("values to convert", data.total(Classification.CONVERTIBLE)), *_rows(data)])
    else:
        draw_nothing_found([model.model for model in data.models])
    line("")
    for model in data.models:
        if model.documents:
            draw_fields(data, model)
            _draw_samples(data, model, limit=None if verbose else 1)
    _draw_failures(data, failure_mode, verbose=verbose)
    for one in indexes:
        line(index_estimate_line(one))
    draw_unnamed_aliases(indexes, options.aliases)
    if indexes:
        line(STOP_BEFORE)
    if found.blocked and refusal is None:
        line("")
        draw_prediction(
            found.blocked,
            plan,
            run_command(omit=("dry_run", "verbose")),
            failure_mode=failure_mode,
            accept_unindexed=options.accept_unindexed,
            verbose=verbose,
        )
    draw_refusal(refusal)
    if refusal is None and data.documents:
        verb = "Resume" if found.preflight.is_interrupted else "Convert"
        is_refused = found.blocked and not options.accept_unindexed
        what = f"Or {verb.lower()} now and cut over later with" if is_refused else f"{verb} with"
        next_step(what, run_command(omit=("dry_run", "verbose")))


def _outcome(found: DryRun, options: MigrationOptions) -> str:
    """Return what a run would not do, to be appended to a sentence; empty if it would succeed."""
    if found.refusal is not None:
        return "; a run would be refused"
    if not found.blocked:
        return ""
    if options.accept_unindexed:
        documents = counted(sum(one.count for one in found.blocked.values()), "document")
        return f"; {documents} {DROP_OUT}"
    return f"; the cutover would be refused for {counted_indexes(len(found.blocked))}"


def _rows(found: Statistics) -> list[tuple[str, int]]:
    return count_rows(
        rounded=found.total(Classification.LOSSY),
        numeric=found.total(Classification.ALREADY),
        null=found.total(Classification.NULL),
        failed=found.total(Classification.UNCONVERTIBLE),
        failures=found.survey.failures,
    )


def _draw_samples(found: Statistics, model: ModelStatistics, *, limit: int | None) -> None:
    samples = [
        f"  {field.path}: {sample.before} -> {sample.after}  {sample.key}"
        for field in model.fields
        for sample in found.survey.samples.get((model.model.key_prefix, str(field.path)), [])[:limit]
    ]
    if not samples:
        return
    line("Examples")
    for text in samples:
        line(text)
    line("")


def _draw_failures(found: Statistics, failure_mode: FailureMode, *, verbose: bool) -> None:
    failures = found.survey.failures
    if not failures.count:
        return
    if failure_mode is FailureMode.FAIL:
        line("A run stops at the first failed value (--failure-mode fail).")
    draw_failures(failures, would=True, with_examples=not verbose)
    if verbose:
        draw_all_failures(failures)


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
    note_unmanaged(find_unmanaged(session))
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
            note(index_estimate_line(estimate))
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
        monitor = log.watching(Monitor(progress=show, failure=note_failure, resumed_by=resume_command))
        with stop_on_signal(monitor), resume_hint(resume_command):
            found = session.run(session.migration(monitor).run(options))
    note_unreadable(session)
    return found
