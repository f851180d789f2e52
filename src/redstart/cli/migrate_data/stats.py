"""Read-only commands: stats and progress."""

from math import ceil, sqrt

import click

from redstart.cli.migrate.project_files import draw_progress_of_file
from redstart.cli.migrate_data.reports import (
    file_progress_report,
    progress_report,
    refusal_text,
    stats_report,
    unplanned_fields,
)
from redstart.cli.options import Settings, batch_size, common, exclude_prefix, verbose, without_effect
from redstart.cli.output import (
    ago,
    counted,
    draw_refusal,
    duration,
    line,
    print_json,
    rounded,
    size,
    warn,
)
from redstart.cli.progress import progress_display
from redstart.cli.session import Session, note_assumed_zone, open_session
from redstart.cli.tables import next_step, pairs
from redstart.cli.value_tables import (
    draw_all_failures,
    draw_failures,
    draw_fields,
    draw_models,
    draw_nothing_found,
)
from redstart.commands.server_info import info
from redstart.effects import call
from redstart.migrations.context import Monitor
from redstart.migrations.data.checkpoint import Checkpoint, RunStage
from redstart.migrations.data.statistics import Statistics
from redstart.migrations.data.status import DataStatus
from redstart.migrations.lease_state import is_gone
from redstart.migrations.outcomes import StatisticsResult
from redstart.migrations.run_progress import RunProgress, RunState, file_progress
from redstart.migrations.transformation import Classification
from redstart.next_steps import Command


@click.command()
@click.option("--exact", is_flag=True, help="Read every document instead of a sample.")
@batch_size
@verbose
@exclude_prefix
@common
def stats(settings: Settings, exact: bool, batch_size: int, verbose: bool, as_json: bool) -> None:
    """Count documents and values by kind, estimate the duration of a run, and show the relevant settings of the server.

    Writes nothing.
    """
    with open_session(settings) as session, progress_display() as show:
        migration = session.migration(Monitor(progress=show))
        result = session.run(migration.stats(exact=exact, batch_size=batch_size))
        note_assumed_zone(session)
    found = result.data
    if as_json:
        print_json(stats_report(found, session.declarations))
        return
    _draw_stats(result, session, verbose)
    if result.is_interrupted and not found.exact and not found.spread:
        warn("a run was interrupted. The sample mostly contains converted documents. Count all with --exact.")


def _draw_documents(found: Statistics, session: Session) -> None:
    if found.exact:
        line(f"{counted(found.documents, 'document')} with dates on {session.where}")
    else:
        line(f"About {rounded(found.documents):,} documents with dates on {session.where}")
        line(
            f"Estimated from a sample of {found.sampled_documents:,} documents: their total number may differ by "
            f"{_bound_percent(found)}%, and rare values may be missing. Count all with --exact."
        )


def _draw_stats(result: StatisticsResult, session: Session, verbose: bool) -> None:
    found = result.data
    _draw_documents(found, session)
    line("")
    if not found.documents:
        draw_nothing_found([model.model for model in found.models])
        line("")
    else:
        draw_models(found)
    for model in found.models if found.documents else ():
        if not model.documents:
            line(
                f"No keys match prefix {model.model.key_prefix} (model {model.model.name}). Without "
                "Meta.model_key_prefix the prefix contains the module name; was the module renamed?"
            )
            line("")
    if verbose:
        for model in found.models:
            if model.documents:
                draw_fields(found, model)
        _draw_failures(found)
        unplanned = unplanned_fields(session.declarations)
        for text in unplanned:
            line(f"not converted: {text['model']} {text['path']}: {text['reason']}")
        if unplanned:
            line("")
    _draw_server(found, session.naive_timezone.name.partition(":")[0])
    draw_refusal(refusal_text(result.refusal))
    if found.documents:
        line("")
        _draw_next_step(found)


def _draw_next_step(found: Statistics) -> None:
    if _has_work(found):
        next_step("Preview a run with", Command("migrate-data run", "--dry-run"))
    elif found.exact:
        line("Nothing is left to convert.")
    else:
        next_step(
            "The sample has nothing to convert. Read all documents with", Command("migrate-data verify")
        )


def _has_work(found: Statistics) -> bool:
    """Return whether a run would convert a value of those that were read."""
    return bool(found.total(Classification.CONVERTIBLE) or found.total(Classification.LOSSY))


def _bound_percent(found: Statistics) -> int:
    """Return the bound of the estimated number of documents, in percent: two standard deviations of such a sample."""
    share = min(1.0, found.survey.share)
    return max(1, ceil(200 * sqrt((1.0 - share) / max(1, found.sampled_documents))))


def _draw_failures(found: Statistics) -> None:
    failures = found.survey.failures
    if not failures.count:
        return
    if not found.exact:
        line(f"Of the {found.sampled_documents:,} documents of the sample:")
    draw_failures(failures, would=True, with_examples=False)
    draw_all_failures(failures)


def _draw_server(found: Statistics, naive_timezone: str) -> None:
    estimate, facts = found.estimate, found.facts
    bound = f"({duration(estimate.low)} to {duration(estimate.high)})"
    saved = "none since the server started"
    if facts.last_save_seconds is not None:
        saved = f"{duration(facts.last_save_seconds)} ago"
    also = " (and append-only)" if facts.append_only else ""
    pairs(
        [
            *(
                [("estimated time of a run", f"{duration(estimate.expected)} {bound}")]
                if _has_work(found)
                else []
            ),
            ("datetimes without an offset are in", naive_timezone),
            *([("keys of another type, not read", f"{found.foreign:,}")] if found.foreign else []),
            ("last save", f"{saved}{also}"),
            ("replicas", str(facts.replicas)),
            ("memory", f"{size(facts.used_bytes)} used, {size(facts.free_bytes)} free"),
            ("maxmemory-policy", facts.policy),
            ("server", facts.version),
        ]
    )


@click.command()
@without_effect("--migrations-dir", "--module")
@verbose
@common
def progress(settings: Settings, verbose: bool, as_json: bool) -> None:
    """Show the progress of a running or interrupted migration, of dates or of a migration file. Writes nothing."""
    with open_session(settings, needs_models=False) as session:
        found = session.run(session.migration().progress())
        file = session.run(file_progress(is_gone)) if found.state is RunState.NONE else None
        saving = session.run(call(info("persistence"))).get("rdb_bgsave_in_progress") == "1"
    if as_json:
        print_json(progress_report(found.status) if file is None else file_progress_report(file))
        return
    if file is not None:
        draw_progress_of_file(file)
        _draw_progress(file.progress, verbose, state=file.state)
        return
    if found.state is RunState.NONE:
        line("Nothing is running, and no progress is saved.")
        if saving:
            line("The server is saving its data. A run with --backup starts after that.")
        return
    _draw_progress(found, verbose)
    if found.state is RunState.INTERRUPTED:
        next_step("Resume with", found.resume_command)


STAGES = {
    RunStage.CENSUS: "initial scan; no document is changed yet",
    RunStage.CONVERT: "conversion",
    RunStage.REPLAY: "rollback: restoring the originals, newest first",
    RunStage.SWEEP: "rollback: rewriting newer values as text",
}


def _stage(checkpoint: Checkpoint) -> str:
    passes = checkpoint.stage in (RunStage.CONVERT, RunStage.SWEEP)
    return f"{STAGES[checkpoint.stage]}, pass {checkpoint.number}" if passes else STAGES[checkpoint.stage]


def _done(found: RunProgress) -> str:
    if not found.done and not found.total:
        return "not counted"
    return f"{found.done:,} of {found.total:,}" if found.total else f"{found.done:,}"


def _stage_of_indexes(found: DataStatus) -> str:
    activity = found.lease.activity if found.lease is not None else None
    return "indexes" if activity is None else f"indexes: {activity}"


_COUNTS = {
    "documents": "documents changed",
    "values": "values changed",
    "retried": "conflicts retried",
    "already": "already numeric",
    "null": "null",
    "converted_before": "converted by earlier runs",
    "lossy_before": "rounded by earlier runs",
    "to_sweep": "documents to scan for newer values",
}
"""The counts of a checkpoint."""


def _draw_progress(progress: RunProgress, verbose: bool, *, state: RunState | None = None) -> None:
    """Print the progress.

    Args:
        state: whether it is running; by default as its lease says.
    """
    status = progress.status
    rows: list[tuple[str, str]] = [("state", (state or progress.state).value)]
    checkpoint = status.checkpoint
    if status.lease is not None:
        rows.append(("lease holder", str(status.lease)))
    if progress.is_running and status.lease_is_of_indexes:
        rows.append(("stage", _stage_of_indexes(status)))
    elif checkpoint is not None:
        unit = "undo log entries" if checkpoint.stage is RunStage.REPLAY else "documents"
        rows += [("stage", _stage(checkpoint)), (unit, _done(progress))]
    if checkpoint is not None:
        rows += [
            *([("failed values", f"{status.failures:,}")] if status.failures else []),
            ("started", ago(checkpoint.started_ms)),
            ("saved", ago(checkpoint.saved_ms or checkpoint.started_ms)),
        ]
        if verbose:
            rows += [
                ("generation", f"{checkpoint.generation:,}"),
                ("documents changed in this pass", f"{checkpoint.changed:,}"),
            ]
            rows += [
                (label, f"{checkpoint.counts[name]:,}")
                for name, label in _COUNTS.items()
                if checkpoint.counts.get(name)
            ]
    pairs(rows)
