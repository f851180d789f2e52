"""Commands that only look: stats, status, progress."""

import click

from redstart.cli.drawing import duration, line, pairs, size, table
from redstart.cli.drawing import progress as drawn_progress
from redstart.cli.exits import Exit
from redstart.cli.migrate_data.options import common, print_json, verbose
from redstart.cli.migrate_data.reports import VALUE_NAMES, progress_report, stats_report, status_report
from redstart.cli.session import Session, open_session
from redstart.cli.settings import Settings
from redstart.migrations.data.context import DATETIME_MIGRATION
from redstart.migrations.data.monitor import Monitor
from redstart.migrations.data.statistics import Statistics, statistics
from redstart.migrations.data.status import Status
from redstart.migrations.data.status import status as read_status


@click.command()
@click.option("--exact", is_flag=True, help="Read every document instead of a sample.")
@verbose
@common
def stats(settings: Settings, exact: bool, verbose: bool, as_json: bool) -> None:
    """Count documents and values by kind, estimate the time a run takes, and show what is worth knowing
    about the server before one. Writes nothing."""
    with open_session(settings) as session, drawn_progress() as show:
        found = session.run(statistics(session.context(Monitor(progress=show)), session.plan, exact=exact))
    if as_json:
        print_json(stats_report(found) | {"unplanned": _unplanned(session)})
        return
    _draw_stats(found, session, verbose)


def _draw_stats(found: Statistics, session: Session, verbose: bool) -> None:
    how = "all read" if found.exact else f"estimated from {found.sampled_documents:,} read; --exact reads all"
    line(f"{found.documents:,} documents with dates on {session.where} ({how})")
    line("")
    rows = [
        [model.model.name, model.model.key_prefix, model.documents, *_totals(model.fields)]
        for model in found.models
    ]
    table("Models", ["model", "keys", "documents", *VALUE_NAMES], rows)
    if verbose:
        fields = [
            [
                model.model.name,
                str(field.path),
                field.path.kind.value,
                *(field.values[o] for o in VALUE_NAMES.values()),
            ]
            for model in found.models
            for field in model.fields
        ]
        table("Fields", ["model", "field", "kind", *VALUE_NAMES], fields)
        for failure in found.survey.failures[:20]:
            line(f"will not convert: {failure}")
        for text in _unplanned(session):
            line(f"left alone: {text['model']} {text['path']}: {text['reason']}")
    estimate, facts = found.estimate, found.facts
    pairs(
        [
            (
                "estimated time",
                f"{duration(estimate.expected)} ({duration(estimate.low)} to {duration(estimate.high)})",
            ),
            (
                "last save",
                f"{duration(facts.last_save_seconds)} ago{', and append-only' if facts.append_only else ''}",
            ),
            ("replicas", facts.replicas),
            ("memory", f"{size(facts.used_bytes)} used, {size(facts.free_bytes)} free"),
            ("maxmemory-policy", facts.policy),
            ("server", facts.version),
        ]
    )
    line("")
    line("See what would be done with: om migrate-data run --dry-run")


def _totals(fields: list) -> list[int]:  # type: ignore[type-arg]
    return [sum(field.values[outcome] for field in fields) for outcome in VALUE_NAMES.values()]


def _unplanned(session: Session) -> list[dict[str, str]]:
    return [
        {"model": declaration.name, "path": unplanned.path, "reason": unplanned.reason}
        for declaration in session.declarations
        for unplanned in declaration.paths.unplanned
    ]


@click.command()
@click.option("--detailed", is_flag=True, help="Each model: its keys, its state, when it was converted.")
@click.option("--check", is_flag=True, help="Exit with 3 when something is pending.")
@common
def status(settings: Settings, detailed: bool, check: bool, as_json: bool) -> int:
    """What is applied and what is pending. Writes nothing."""
    with open_session(settings) as session:
        found = session.run(read_status(session.keys, session.plan))
    if as_json:
        print_json(status_report(found))
    else:
        _draw_status(found, detailed)
    return Exit.PENDING if check and found.pending else Exit.DONE


def _draw_status(found: Status, detailed: bool) -> None:
    pending = bool(found.pending)
    line("Data migration status:")
    pairs(
        [
            ("total migrations", 1),
            ("applied", 0 if pending else 1),
            ("pending", 1 if pending else 0),
            ("phase", found.phase.value),
        ]
    )
    line(f"{'pending' if pending else 'applied'}: {DATETIME_MIGRATION}")
    if detailed:
        line("")
        rows = []
        for model in (*found.applied, *found.pending):
            entry = found.record.applied.get(model.key_prefix)
            rows.append(
                [
                    model.name,
                    model.key_prefix,
                    model.storage.value,
                    len(model.paths),
                    "pending" if model in found.pending else "applied",
                    f"{entry.documents:,}" if entry else "-",
                ]
            )
        table("Models", ["model", "keys", "storage", "fields", "state", "documents"], rows)
        undo = f"om migrate-data rollback {DATETIME_MIGRATION}"
        pairs(
            [
                ("values that did not convert", found.failures),
                (
                    "can be undone",
                    f"yes, with: {undo}" if found.record.plan is not None else "nothing to undo",
                ),
            ]
        )
    if found.recorded_elsewhere:
        line(
            "redis-om recorded this migration as applied; Redstart did not do it. Look with: om migrate-data verify"
        )
    if pending:
        line("Convert with: om migrate-data run")


@click.command()
@common
def progress(settings: Settings, as_json: bool) -> None:
    """How far a running migration is, or where an interrupted one will go on. Writes nothing."""
    with open_session(settings, needs_models=False) as session:
        found = session.run(read_status(session.keys, session.plan))
    report = progress_report(found)
    if as_json:
        print_json(report)
        return
    if report["state"] == "none":
        line("Nothing is running, and no progress is saved.")
        return
    pairs([(name.replace("_", " "), value) for name, value in report.items()])
    if report["state"] == "interrupted":
        undoes = found.checkpoint is not None and found.checkpoint.stage.undoes
        go_on = f"om migrate-data rollback {DATETIME_MIGRATION}" if undoes else "om migrate-data run"
        line(f"Go on where it stopped with: {go_on}")
