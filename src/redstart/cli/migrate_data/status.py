"""The command that says what is applied: status."""

from dataclasses import replace
from pathlib import Path

import click

from redstart.cli.deployment import draw_order
from redstart.cli.drawing import pairs, table
from redstart.cli.exits import Exit
from redstart.cli.migrate_data.reports import state_of, status_report
from redstart.cli.migrate_data.tables import CHECK_PREFIXES
from redstart.cli.migration_files import draw_files, look, migrations_dir, module, waits
from redstart.cli.model_fit import draw_unclaimed, find_unclaimed, note_unknown_fields, unclaimed_report
from redstart.cli.options import common, exclude_prefix
from redstart.cli.output import as_typed, line, print_json
from redstart.cli.quantities import ago
from redstart.cli.session import open_session
from redstart.cli.settings import Settings
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.running.status import Phase, Status
from redstart.migrations.data.running.status import status as read_status
from redstart.migrations.data.state.keys import APPLIED_MIGRATIONS
from redstart.migrations.files.applied import FilesStatus
from redstart.migrations.files.kinds import DATA
from redstart.migrations.holder import is_gone
from redstart.migrations.outcomes import unmatched_message
from redstart.migrations.phase import (
    cut_over_to_come,
    phase_with_indexes,
    with_indexes_at_work,
    with_rewritten,
)


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
@migrations_dir(DATA)
@module
@exclude_prefix
@common
def status(
    settings: Settings,
    detailed: bool,
    check: bool,
    migrations_dir: Path | None,
    module: str | None,
    as_json: bool,
) -> int:
    """What is applied and what is pending, of the conversion of dates and of migration files. Writes nothing."""
    with open_session(settings) as session:
        session.require_intact()
        files = look(session, DATA, migrations_dir, module)
        found = session.run(read_status(session.keys, session.plan))
        found = session.run(with_rewritten(found, session.naive_timezone))
        found = replace(found, phase=session.run(phase_with_indexes(found)))
        found = session.run(with_indexes_at_work(found, is_gone))
        awaited = session.run(cut_over_to_come(found))
        rest = find_unclaimed(session)
        note_unknown_fields(session)
    if as_json:
        print_json(status_report(found, files) | {"unmanaged": unclaimed_report(rest)})
    else:
        _draw_status(found, files, detailed)
        draw_unclaimed(rest)
        draw_order(found.phase, cut_over_to_come=awaited)
        draw_files(files)
    pending = found.pending or found.unlisted or awaited or waits(files)
    return Exit.PENDING if check and pending else Exit.DONE


def _draw_status(found: Status, files: FilesStatus, detailed: bool) -> None:
    pending, applied = (
        bool(found.pending),
        len(files.applied) + len(files.applied_unreadable) + len(files.without_file),
    )
    line("Data migration status:")
    when = "" if found.verified_ms is None else f" by the run, {ago(found.verified_ms)}"
    pairs(
        [
            ("total migrations", 1 + applied + len(files.pending)),
            ("applied", int(found.is_applied) + applied),
            ("pending", int(pending) + len(files.pending)),
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
    for model in found.unnamed:
        state = "pending" if model in found.pending else "applied"
        line(f"recorded, and not named now: {model.name} ({model.key_prefix}): {state}")
    if found.rewritten:
        prefixes = ", ".join(model.key_prefix for model in found.rewritten)
        line(f"Documents in text format were written after the run, under: {prefixes}")
    if found.unmatched:
        line(f"In the run, {unmatched_message(found.unmatched)}")
        line(CHECK_PREFIXES)
    if found.unrestored:
        line(f"The last rollback could not restore all values of {found.unrestored:,} documents.")
        line(as_typed("List them with: om migrate-data errors"))
    if found.recorded_elsewhere:
        line("redis-om recorded this migration as applied, which it does also where it converted nothing.")
        line(as_typed("See how the data stand with: om migrate-data verify"))
    if found.unlisted:
        line(f"{APPLIED_MIGRATIONS} does not list this migration any more; redis-om would run it again.")
        line(as_typed("Add it again with: om migrate-data run"))
    for text in _what_next(found):
        line(as_typed(text))


def _what_next(found: Status) -> tuple[str, ...]:
    if state_of(found) == "running":
        return (f"At work: {found.lease}", "Watch it with: om migrate-data progress")
    if found.phase is Phase.ROLLING_BACK:
        return ("A rollback began and has not ended.",)
    if found.phase is Phase.VERIFIED:
        return ("What was written since is looked at by: om migrate-data verify",)
    return (_how_to_convert(found),) if found.pending else ()


def _how_to_convert(found: Status) -> str:
    if all(model in found.unnamed for model in found.pending):
        return "Name the modules of these models with --models, and convert with: om migrate-data run"
    if found.recorded_elsewhere:
        return "Convert what is left, and record that all is, with: om migrate-data run"
    return "Convert with: om migrate-data run"


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
    undo = as_typed(f"yes{all_but}: om migrate-data rollback {DATETIME_MIGRATION}")
    pairs(
        [
            ("values that did not convert", found.failures),
            ("can be undone", undo if found.record.plan is not None else "nothing to undo"),
        ]
    )
