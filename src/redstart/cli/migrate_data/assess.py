"""Commands that only look: stats, status, progress."""

from dataclasses import replace
from random import Random

import click

from redstart.cli.deployment import draw_order
from redstart.cli.drawing import ago, duration, pairs, size, table
from redstart.cli.drawing import progress as drawn_progress
from redstart.cli.exits import Exit
from redstart.cli.migrate_data.reports import (
    progress_report,
    state_of,
    stats_report,
    status_report,
    unplanned_fields,
)
from redstart.cli.migrate_data.tables import (
    draw_failures,
    draw_fields,
    draw_models,
    draw_nothing_found,
    draw_refusal,
)
from redstart.cli.options import common, verbose
from redstart.cli.output import line, print_json
from redstart.cli.session import Session, open_session
from redstart.cli.settings import Settings
from redstart.migrations.data.checkpoint import Checkpoint, Stage, load_checkpoint
from redstart.migrations.data.context import DATETIME_MIGRATION
from redstart.migrations.data.monitor import Monitor
from redstart.migrations.data.statistics import Statistics, statistics
from redstart.migrations.data.status import Phase, Status
from redstart.migrations.data.status import status as read_status
from redstart.migrations.phase import cut_over_to_come, phase_with_indexes

FAILURES_SAID = 20


@click.command()
@click.option("--exact", is_flag=True, help="Read every document instead of a sample.")
@verbose
@common
def stats(settings: Settings, exact: bool, verbose: bool, as_json: bool) -> None:
    """Count documents and values by kind, estimate the time a run takes, and show what is worth knowing
    about the server before one. Writes nothing."""
    with open_session(settings) as session, drawn_progress() as show:
        chance = None if exact else Random()
        found = session.run(statistics(session.context(Monitor(progress=show)), session.plan, chance=chance))
        unfinished = session.run(load_checkpoint(session.keys)) is not None
    if as_json:
        print_json(stats_report(found, session.declarations))
        return
    _draw_stats(found, session, verbose)
    if unfinished and not found.exact and not found.spread:
        line("A run was interrupted, and a sample looks where it began: see what is left with --exact.")


def _draw_stats(found: Statistics, session: Session, verbose: bool) -> None:
    how = "all read" if found.exact else f"estimated from {found.sampled_documents:,} read; --exact reads all"
    line(f"{found.documents:,} documents with dates on {session.where} ({how})")
    line("")
    if not found.documents:
        draw_nothing_found([model.model for model in found.models])
        line("")
    draw_models(found)
    for model in found.models if found.documents else ():
        if not model.documents:
            line(f"No key was found under {model.model.key_prefix} for {model.model.name}: unless Meta sets")
            line(
                "model_key_prefix, a prefix holds the module's name, as it was when the documents were written."
            )
            line("")
    if verbose:
        for model in found.models:
            draw_fields(model)
        draw_failures(found.survey.failures, len(found.survey.failures), FAILURES_SAID)
        for text in unplanned_fields(session.declarations):
            line(f"left alone: {text['model']} {text['path']}: {text['reason']}")
    _draw_server(found, session.naive_timezone.name.partition(":")[0])
    line("")
    line("See what would be done with: om migrate-data run --dry-run")


def _draw_server(found: Statistics, naive_timezone: str) -> None:
    estimate, facts = found.estimate, found.facts
    bound = f"({duration(estimate.low)} to {duration(estimate.high)})"
    saved = "none since the server started"
    if facts.last_save_seconds is not None:
        saved = f"{duration(facts.last_save_seconds)} ago"
    also = " (and append-only)" if facts.append_only else ""
    pairs(
        [
            ("estimated time", f"{duration(estimate.expected)} {bound}"),
            ("a datetime without an offset is", naive_timezone),
            ("keys of another type, left alone", found.foreign),
            ("last save", f"{saved}{also}"),
            ("replicas", facts.replicas),
            ("memory", f"{size(facts.used_bytes)} used, {size(facts.free_bytes)} free"),
            ("maxmemory-policy", facts.policy),
            ("server", facts.version),
        ]
    )
    draw_refusal(facts)


@click.command()
@click.option(
    "-v",
    "--verbose",
    "--detailed",
    "detailed",
    is_flag=True,
    help="Each model: its keys, its state, when it was converted.",
)
@click.option("--check", is_flag=True, help="Exit with 3 when something is pending.")
@common
def status(settings: Settings, detailed: bool, check: bool, as_json: bool) -> int:
    """What is applied and what is pending. Writes nothing."""
    with open_session(settings) as session:
        found = session.run(read_status(session.keys, session.plan))
        found = replace(found, phase=session.run(phase_with_indexes(found)))
        awaited = session.run(cut_over_to_come(found))
    if as_json:
        print_json(status_report(found))
    else:
        _draw_status(found, detailed)
        draw_order(found.phase, cut_over_to_come=awaited)
    return Exit.PENDING if check and (found.pending or awaited) else Exit.DONE


def _draw_status(found: Status, detailed: bool) -> None:
    pending = bool(found.pending)
    line("Data migration status:")
    when = "" if found.verified_ms is None else f" by the run, {ago(found.verified_ms)}"
    pairs(
        [
            ("total migrations", 1),
            ("applied", int(found.is_applied)),
            ("pending", int(pending)),
            ("phase", f"{found.phase.value}{when}"),
        ]
    )
    if pending or found.is_applied:
        line(f"{'pending' if pending else 'applied'}: {DATETIME_MIGRATION}")
    else:
        line("No model has a field with dates that are stored as numbers: there is nothing to migrate.")
    if detailed:
        line("")
        _draw_models(found)
    if found.recorded_elsewhere:
        line("redis-om recorded this migration as applied; Redstart did not do it.")
        line("See how the data stand with: om migrate-data verify")
    if state_of(found) == "running":
        line(f"At work: {found.lease}")
        line("Watch it with: om migrate-data progress")
    elif found.phase is Phase.ROLLING_BACK:
        line("A rollback began and has not ended.")
    elif found.phase is Phase.VERIFIED:
        line("What was written since is looked at by: om migrate-data verify")
    elif pending:
        line("Convert with: om migrate-data run")


def _draw_models(found: Status) -> None:
    models = [*found.applied, *found.pending]
    rows = []
    for model in models:
        entry = found.record.applied.get(model.key_prefix)
        state = "pending" if model in found.pending else "applied"
        documents = f"{entry.documents:,}" if entry else "-"
        rows.append([model.name, model.key_prefix, model.storage.value, len(model.paths), state, documents])
    table("Models", ["model", "keys", "storage", "fields", "state", "documents"], rows)
    all_but = f", all but {found.record.forgotten:,} values" if found.record.forgotten else ""
    undo = f"yes{all_but}: om migrate-data rollback {DATETIME_MIGRATION}"
    pairs(
        [
            ("values that did not convert", found.failures),
            ("can be undone", undo if found.record.plan is not None else "nothing to undo"),
        ]
    )


@click.command()
@verbose
@common
def progress(settings: Settings, verbose: bool, as_json: bool) -> None:
    """How far a running migration is, or where an interrupted one will go on. Writes nothing."""
    with open_session(settings, needs_models=False) as session:
        found = session.run(read_status(session.keys, session.plan))
    if as_json:
        print_json(progress_report(found))
        return
    state = state_of(found)
    if state == "none":
        line("Nothing is running, and no progress is saved.")
        return
    _draw_progress(found, state, verbose)
    if state == "interrupted":
        undoes = found.checkpoint is not None and found.checkpoint.stage.undoes
        go_on = f"om migrate-data rollback {DATETIME_MIGRATION}" if undoes else "om migrate-data run"
        line(f"Go on where it stopped with: {go_on}")


STAGES = {
    Stage.CENSUS: "census: counting, no document is changed yet",
    Stage.CONVERT: "convert",
    Stage.REPLAY: "rollback: undoing what the log holds, newest first",
    Stage.SWEEP: "rollback: giving newer values the old form",
}


def _stage(checkpoint: Checkpoint) -> str:
    passes = checkpoint.stage in (Stage.CONVERT, Stage.SWEEP)
    return f"{STAGES[checkpoint.stage]}, pass {checkpoint.number}" if passes else STAGES[checkpoint.stage]


def _done(checkpoint: Checkpoint) -> str:
    if checkpoint.stage is Stage.CENSUS:
        return "not counted"
    return f"{checkpoint.met:,} of {checkpoint.total:,}" if checkpoint.total else f"{checkpoint.met:,}"


def _draw_progress(found: Status, state: str, verbose: bool) -> None:
    rows: list[tuple[str, object]] = [("state", state)]
    checkpoint = found.checkpoint
    if found.lease is not None:
        rows.append(("by", found.lease))
    if checkpoint is not None:
        rows += [
            ("stage", _stage(checkpoint)),
            ("undo log entries" if checkpoint.stage is Stage.REPLAY else "documents", _done(checkpoint)),
            ("values that did not convert", found.failures),
            ("started", ago(checkpoint.started_ms)),
            ("saved", ago(checkpoint.saved_ms or checkpoint.started_ms)),
        ]
        if verbose:
            rows += [("run number", checkpoint.generation), ("changed in this pass", checkpoint.changed)]
            rows += [(name.replace("_", " "), count) for name, count in sorted(checkpoint.counts.items())]
    pairs(rows)
