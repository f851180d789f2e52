"""`run --dry-run`: read and classify every value, and write nothing."""

from collections.abc import Sequence

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME
from redstart.cli.failure_tables import draw_all_failures, draw_failures
from redstart.cli.index_report import counted_indexes, draw_unnamed_aliases, forecast_line
from redstart.cli.migrate_data.event_log import EventLog
from redstart.cli.migrate_data.reports import dry_run_report, refusal_text
from redstart.cli.model_warnings import note_unreadable
from redstart.cli.options import chosen_options
from redstart.cli.output import Tone, counted, draw_refusal, line, note, print_json
from redstart.cli.phase_guidance import STOP_BEFORE
from redstart.cli.progress import progress_display
from redstart.cli.refused_cutover import DROP_OUT, draw_prediction
from redstart.cli.session import Session
from redstart.cli.tables import next_step, pairs
from redstart.cli.value_tables import count_rows, draw_fields, draw_nothing_found
from redstart.migrations.context import Monitor
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.statistics import ModelStatistics, Statistics
from redstart.migrations.options import MigrationOptions
from redstart.migrations.run_results import DryRun, Preflight
from redstart.migrations.transformation import Outcome
from redstart.next_steps import Command


def dry_run(
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
        pairs([("values to convert", data.total(Outcome.CONVERTIBLE)), *_rows(data)])
    else:
        draw_nothing_found([model.model for model in data.models])
    line("")
    for model in data.models:
        if model.documents:
            draw_fields(data, model)
            _draw_samples(data, model, limit=None if verbose else 1)
    _draw_failures(data, failure_mode, verbose=verbose)
    for one in indexes:
        line(forecast_line(one))
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
        rounded=found.total(Outcome.LOSSY),
        numeric=found.total(Outcome.ALREADY),
        null=found.total(Outcome.NULL),
        failed=found.total(Outcome.UNCONVERTIBLE),
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
