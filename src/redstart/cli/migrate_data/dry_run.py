"""`run --dry-run`: every value is read and judged, and nothing is written."""

import time
from collections.abc import Sequence
from functools import partial

from redstart.cli.exits import Exit
from redstart.cli.indexes import draw_unnamed_aliases, forecast_line
from redstart.cli.migrate_data.log_file import EventLog
from redstart.cli.migrate_data.run_report import dry_run_report
from redstart.cli.migrate_data.tables import draw_failures, draw_fields, draw_nothing_found
from redstart.cli.output import as_typed, draw_refusal, line, print_json, refusal_by
from redstart.cli.progress import progress_display
from redstart.cli.session import Session
from redstart.migrations.data.converting.beginning import require_room_aside
from redstart.migrations.data.counting.statistics import Statistics, statistics
from redstart.migrations.data.judging.convert import Outcome
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.running.preflight import require_safe_undo
from redstart.migrations.forward import require_possible_run
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.forecast import IndexForecast

FAILURES_SAID = 10
"""Lines about single values; --verbose says them all."""


def say_what_would_be_done(
    session: Session,
    indexes: Sequence[IndexForecast],
    pending_files: Sequence[str],
    batch_size: int,
    verbose: bool,
    as_json: bool,
    log: EventLog,
    *,
    options: ExpansionOptions,
    failure_mode: FailureMode,
    include_prefixes: tuple[str, ...],
) -> int:
    """Read everything, and say what a run would make of it. The exit code."""
    began = time.monotonic()
    with progress_display(every_step=verbose) as show:
        context = session.context(log.watching(Monitor(progress=show)))
        found = session.run(statistics(context, session.plan, chance=None, batch_documents=batch_size))
    refusal = refusal_by(partial(require_room_aside, session.plan, failure_mode))
    if refusal is None:
        refusal = refusal_by(partial(require_safe_undo, found.facts))
    if refusal is None:
        possible = require_possible_run(
            session.plan, session.planned_indexes(), options, include_prefixes=include_prefixes
        )
        refusal = refusal_by(lambda: session.run(possible))
    report = dry_run_report(found, indexes, time.monotonic() - began, pending_files, refusal)
    log.ended(report, Exit.DONE)
    if as_json:
        print_json(report)
    else:
        _draw(found, indexes, options.aliases, verbose, refusal)
    return Exit.DONE


def _draw(
    found: Statistics,
    indexes: Sequence[IndexForecast],
    aliases: Sequence[str],
    verbose: bool,
    refusal: str | None,
) -> None:
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
    draw_unnamed_aliases(indexes, aliases)
    draw_refusal(refusal)
    line(as_typed("Do it with: om migrate-data run"))
