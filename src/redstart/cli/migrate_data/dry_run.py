"""`run --dry-run`: read and classify every value, and write nothing."""

import time
from collections.abc import Sequence
from functools import partial

from redstart.cli.exit_codes import Exit
from redstart.cli.index_report import draw_unnamed_aliases, forecast_line
from redstart.cli.migrate_data.event_log import EventLog
from redstart.cli.migrate_data.reports import dry_run_report
from redstart.cli.migrate_data.tables import (
    count_rows,
    draw_all_failures,
    draw_failures,
    draw_fields,
    draw_nothing_found,
)
from redstart.cli.output import Tone, draw_refusal, line, print_json, refusal_by
from redstart.cli.phase_guidance import STOP_BEFORE
from redstart.cli.progress import progress_display
from redstart.cli.session import Session
from redstart.cli.tables import next_step, pairs
from redstart.migrations.context import Monitor
from redstart.migrations.coordinator import require_possible_run
from redstart.migrations.data.edit_builder import CLEARING_MODES, FailureMode
from redstart.migrations.data.page_converter import expected_failures
from redstart.migrations.data.run import require_recorded_plan, require_room_aside
from redstart.migrations.data.statistics import ModelStatistics, Statistics, statistics
from redstart.migrations.failure import Fate
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.preflight import IndexEstimate
from redstart.migrations.server_checks import require_safe_undo
from redstart.migrations.transformation import Outcome


def dry_run(
    session: Session,
    indexes: Sequence[IndexEstimate],
    pending_files: Sequence[str],
    batch_size: int,
    verbose: bool,
    as_json: bool,
    log: EventLog,
    *,
    options: ExpansionOptions,
    failure_mode: FailureMode,
    include_prefixes: tuple[str, ...],
    run_command: str,
) -> int:
    """Read every document and report what a run would do. Return the exit code.

    Args:
        run_command: the command of that run.
    """
    began = time.monotonic()
    with progress_display(every_step=verbose) as show:
        context = session.context(log.watching(Monitor(progress=show)))
        looking = statistics(
            context,
            session.plan,
            rng=None,
            batch_documents=batch_size,
            find_failures=partial(
                expected_failures, mode=failure_mode, transformation=context.transformation
            ),
        )
        found = session.run(looking)
    possible = require_possible_run(
        session.plan, session.planned_indexes(), options, include_prefixes=include_prefixes
    )
    checks = (
        partial(require_room_aside, session.plan, failure_mode),
        partial(require_safe_undo, found.facts),
        lambda: session.run(require_recorded_plan(context, session.plan)),
        lambda: session.run(possible),
    )
    refusal = next((text for check in checks if (text := refusal_by(check)) is not None), None)
    report = dry_run_report(found, indexes, time.monotonic() - began, pending_files, refusal)
    log.ended(report, Exit.DONE)
    if as_json:
        print_json(report)
    else:
        _draw(found, indexes, options, verbose, refusal, failure_mode, run_command)
    return Exit.DONE


def _draw(
    found: Statistics,
    indexes: Sequence[IndexEstimate],
    options: ExpansionOptions,
    verbose: bool,
    refusal: str | None,
    failure_mode: FailureMode,
    run_command: str,
) -> None:
    outcome = "Dry run complete" if refusal is None else "Dry run complete; a run would be refused"
    line(
        f"{outcome}. {found.documents:,} documents were read, nothing was written.",
        Tone.DONE if refusal is None else Tone.WARNING,
    )
    if found.documents:
        pairs([("values to convert", found.total(Outcome.CONVERTIBLE)), *_rows(found)])
    else:
        draw_nothing_found([model.model for model in found.models])
    line("")
    for model in found.models:
        if model.documents:
            draw_fields(found, model)
            _draw_samples(found, model, limit=None if verbose else 1)
    _draw_failures(found, failure_mode, verbose=verbose)
    for one in indexes:
        line(forecast_line(one))
    draw_unnamed_aliases(indexes, options.aliases)
    if indexes:
        line(STOP_BEFORE)
    failures = found.survey.failures
    if (
        indexes
        and failures.fates[Fate.UNCHANGED]
        and failure_mode not in CLEARING_MODES
        and not options.accept_unindexed
    ):
        line(
            "The cutover of an index is refused while documents have failed values in fields of that index. "
            "--failure-mode quarantine or default changes these values."
        )
    draw_refusal(refusal)
    if refusal is None and found.documents:
        next_step("Convert with", run_command)


def _rows(found: Statistics) -> list[tuple[str, int]]:
    return count_rows(
        rounded=found.total(Outcome.LOSSY),
        numeric=found.total(Outcome.ALREADY),
        null=found.total(Outcome.NULL),
        failed=found.total(Outcome.UNCONVERTIBLE),
        failures=found.survey.failures,
    )


def _draw_samples(found: Statistics, model: ModelStatistics, *, limit: int | None) -> None:
    drawn = False
    for field in model.fields:
        for sample in found.survey.samples.get((model.model.key_prefix, str(field.path)), [])[:limit]:
            text = f"{field.path}: {sample.before} -> {sample.after}  {sample.key}"
            line(f"  {text}")
            drawn = True
    if drawn:
        line("")


def _draw_failures(found: Statistics, failure_mode: FailureMode, *, verbose: bool) -> None:
    failures = found.survey.failures
    if not failures.count:
        return
    if failure_mode is FailureMode.FAIL:
        line("A run stops at the first failed value (--failure-mode fail).")
    draw_failures(failures, would=True)
    if verbose:
        draw_all_failures(failures)
