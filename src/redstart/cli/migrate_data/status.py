"""`om migrate-data status` and `check-schema`: the phase, what is applied and pending, and the next command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME, Exit
from redstart.cli.index_report import draw_absent, indexes_are
from redstart.cli.migrate_data.reports import status_report
from redstart.cli.model_warnings import draw_unmanaged, find_unmanaged, note_unknown_fields, unmanaged_report
from redstart.cli.options import Settings, common, exclude_prefix, without_effect
from redstart.cli.output import ago, counted, line, print_json
from redstart.cli.phase_guidance import draw_phase_guidance
from redstart.cli.redis_om_files import draw_files, look, migrations_dir, module, waits
from redstart.cli.refused_cutover import cutover_is_refused, draw_refused_cutover
from redstart.cli.session import note_assumed_zone, open_session
from redstart.cli.tables import next_step, table
from redstart.cli.value_tables import CHECK_PREFIXES, summary_of
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.status import DataStatus
from redstart.migrations.files.declarations import DATA
from redstart.migrations.outcomes import (
    POSSIBLE_CAUSES,
    RECORD_HERE,
    RESTORE_STATE,
    SEE_FORMAT,
    Outcome,
    RecordedFailures,
    StatusResult,
    recorded_elsewhere,
)
from redstart.migrations.phase import CONVERT, MIGRATE_INDEXES, MigrationPhase
from redstart.migrations.run_results import unmatched_message
from redstart.migrations.schema_check import FieldCheck, FieldFormat, SchemaCheck
from redstart.migrations.state_keys import APPLIED_MIGRATIONS
from redstart.next_steps import Command, Hint

PHASES = {
    MigrationPhase.NOTHING_TO_MIGRATE: "no model has a field of dates to convert",
    MigrationPhase.PENDING: "dates are not converted yet",
    MigrationPhase.EXPANDED: "indexes are ready, documents are not converted yet",
    MigrationPhase.MIGRATING: "a conversion was started and is not complete",
    MigrationPhase.CONVERTED: "all convertible values were converted by the last run",
    MigrationPhase.CUT_OVER: "all documents are converted and the new indexes are active",
    MigrationPhase.CONTRACTED: "all documents are converted and unused indexes are dropped",
    MigrationPhase.ROLLING_BACK: "a rollback was started and is not complete",
}


@click.command()
@click.option(
    "-v",
    "--verbose",
    "--detailed",
    "detailed",
    is_flag=True,
    help="Show each model: key prefix, state, documents.",
)
@click.option("--check", is_flag=True, help="Exit with 3 if work is pending.")
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
    """Show the phase of the migration, models and migration files that are applied or pending, and the next command.

    Writes nothing.
    """
    with open_session(settings) as session:
        migration = session.migration()
        found = session.run(migration.status())
        files = look(session, DATA, migrations_dir, module)
        failed = session.run(migration.failures()) if detailed and not as_json else None
        blocking = session.run(migration.blocking(found.refused)) if detailed and not as_json else None
        rest = find_unmanaged(session)
        note_unknown_fields(session)
    if as_json:
        print_json(status_report(found, files) | {"unmanaged": unmanaged_report(rest)})
    else:
        _draw_status(found, failed)
        draw_unmanaged(rest)
        if found.refused and (found.is_cutover_pending or blocking):
            draw_refused_cutover(found.refused, found.data.failures, blocking)
        else:
            draw_phase_guidance(found)
        draw_files(files)
    outcome = found.outcome
    if outcome is Outcome.DONE and waits(files):
        outcome = Outcome.PENDING
    return Exit.DONE if outcome is Outcome.PENDING and not check else EXIT_OF_OUTCOME[outcome]


def _draw_status(status: StatusResult, failed: RecordedFailures | None) -> None:
    """Print the phase, what is left, and the next step.

    Args:
        failed: given for a detailed status.
    """
    found = status.data
    line(
        f"Phase: {_rewritten(found.rewritten, status)}"
        if _is_rewritten(found)
        else f"Phase: {_phase(status)}"
    )
    if found.pending or found.is_applied:
        line(f"{'pending' if found.pending else 'applied'}: {DATETIME_MIGRATION}")
    if failed is not None:
        line("")
        _draw_models(found, failed)
    if found.record.without_undo_log:
        line(
            f"The undo log was dropped: {found.record.without_undo_log:,} converted values cannot be rolled back."
        )
    for model in found.unnamed:
        state = "pending" if model in found.pending else "applied"
        line(f"{model.name} ({model.key_prefix}) is in the record of a run and not in --models: {state}")
    if found.rewritten and not _is_rewritten(found):
        prefixes = ", ".join(model.key_prefix for model in found.rewritten)
        line(f"Documents in text format were written after the run, under: {prefixes}")
    if found.unmatched:
        line(f"In the run, {unmatched_message(found.unmatched)}")
        line(CHECK_PREFIXES)
    if found.unrestored:
        line(f"The last rollback could not restore all values of {counted(found.unrestored, 'document')}.")
        next_step("List these values with", Command("migrate-data errors"))
    if status.is_recorded_elsewhere:
        for text in (
            recorded_elsewhere(found.migration_id),
            POSSIBLE_CAUSES,
            SEE_FORMAT,
            RESTORE_STATE,
            RECORD_HERE,
        ):
            line(text)
    elif found.recorded_elsewhere:
        line("redis-om recorded this migration as applied, which it does even if nothing was converted.")
        next_step("Check the data with", Command("migrate-data verify"))
    if found.unlisted:
        line(f"redis-om would run this migration again: {APPLIED_MIGRATIONS} does not list it.")
        next_step("Add it to the list with", Command("migrate-data run"))
    for text in _what_next(status):
        line(text)
    draw_absent(status.absent)


def _phase(status: StatusResult) -> str:
    meaning = PHASES[status.phase]
    if status.is_recorded_elsewhere:
        meaning = "whether dates are converted is not recorded"
    if status.absent and status.phase in (MigrationPhase.CUT_OVER, MigrationPhase.CONTRACTED):
        meaning = f"all documents are converted; {indexes_are(len(status.absent), 'absent')}"
    when = "" if status.converted_ms is None else f", {ago(status.converted_ms)}"
    return f"{status.phase.value} ({meaning}{when})"


def _is_rewritten(found: DataStatus) -> bool:
    """Return whether the data was converted, and all that is pending was written in text format since then."""
    return bool(found.rewritten) and all(model in found.rewritten for model in found.pending)


def _rewritten(models: Sequence[PlannedModel], status: StatusResult) -> str:
    prefixes = ", ".join(model.key_prefix for model in models)
    state = "cut over" if status.is_cut_over else "converted"
    return f"{state}, but dates in text format were written since, under {prefixes}"


def _what_next(status: StatusResult) -> tuple[str | Hint, ...]:
    found = status.data
    if status.progress.is_running:
        return (
            f"In progress: {found.lease}",
            Hint("Watch the progress with: ", Command("migrate-data progress")),
        )
    if status.is_recorded_elsewhere:
        return ()
    if status.phase is MigrationPhase.CONVERTED:
        return (Hint("Check documents written since then with: ", Command("migrate-data verify")),)
    following = status.next_command
    if following is not None and following.name == CONVERT.name:
        return (Hint(f"{_how_to_convert(status)}: ", following),)
    # Absent indexes and the other phases name their next command themselves.
    if following == MIGRATE_INDEXES and found.pending and not status.absent:
        return (Hint("Build the new indexes with: ", MIGRATE_INDEXES),)
    return ()


def _how_to_convert(status: StatusResult) -> str:
    found = status.data
    if _is_rewritten(found):
        lost = "Queries do not return these documents. " if status.is_cut_over else ""
        return f"{lost}Stop the old version, then convert with"
    if status.phase is MigrationPhase.MIGRATING:
        return "Resume with"
    if all(model in found.unnamed for model in found.pending):
        return "Name the modules of these models with --models, and convert with"
    return "Convert the rest with" if found.recorded_elsewhere else "Convert with"


def _draw_models(found: DataStatus, failed: RecordedFailures) -> None:
    models = [*found.applied, *found.pending]
    rows = []
    for model in models:
        entry = found.record.applied.get(model.key_prefix)
        state = "pending" if model in found.pending else "applied"
        documents = f"{entry.documents:,}" if entry else "-"
        rows.append([model.name, model.key_prefix, model.storage.value, len(model.paths), state, documents])
    columns = ["model", "key prefix", "storage", "date fields", "state", "documents"]
    # Before the first run no documents are counted.
    shown = len(columns) if found.record.applied else len(columns) - 1
    table("Models", columns[:shown], [row[:shown] for row in rows])
    if failed.count:
        next_step(f"{summary_of(failed)}. List these with", Command("migrate-data errors"))
    if found.record.plan is not None:
        kept = found.record.without_undo_log
        all_but = (
            f", all but {kept:,} values that were converted before the undo log was dropped" if kept else ""
        )
        next_step(f"Roll back{all_but} with", Command("migrate-data rollback", DATETIME_MIGRATION))


STATES = {
    FieldFormat.NUMERIC: "numeric",
    FieldFormat.TEXT: "text",
    FieldFormat.DUAL_FORMAT: "dual-format",
    FieldFormat.MISSING: "not indexed",
    FieldFormat.OTHER: "unexpected",
}


@click.command("check-schema")
@without_effect("--migrations-dir", "--module")
@exclude_prefix
@common
def check_schema(settings: Settings, as_json: bool) -> int:
    """Check that the index of each model has numeric dates and that the data is converted.

    Exits with 3 if work is pending, and names the next command. Writes nothing.
    """
    with open_session(settings) as session:
        note_assumed_zone(session)
        found = session.run(session.migration().check_schema())
    advice = found.next_command
    statuses = [one.status for one in found.indexes if one.is_converted]
    if as_json:
        print_json(_report(found.indexes, advice))
    elif advice == MIGRATE_INDEXES and cutover_is_refused(statuses):
        _draw(found.indexes, None)
        draw_refused_cutover(statuses, found.failures)
    else:
        _draw(found.indexes, advice)
    return EXIT_OF_OUTCOME[found.outcome]


def _draw(found: list[SchemaCheck], advice: Command | None) -> None:
    rows = [
        [one.model, str(field.path), STATES[field.format], _type(field) or "-", field.wanted.kind]
        for one in found
        for field in one.fields
    ]
    mismatches = sum(len(one.mismatches) for one in found)
    unconverted = [one.model for one in found if not one.is_converted]
    if mismatches:
        fields, their = (
            ("1 date field is", "its") if mismatches == 1 else (f"{mismatches:,} date fields are", "their")
        )
        line(f"{fields} not NUMERIC in {their} index.")
    else:
        line("No schema mismatches.")
    if mismatches:
        table("Dates in indexes", ["model", "field", "state", "index accepts", "model requires"], rows)
    if unconverted:
        line(f"Data not converted yet: {', '.join(unconverted)}")
    if advice is not None:
        line(Hint("Next: ", advice))


def _report(found: list[SchemaCheck], advice: Command | None) -> dict[str, Any]:
    mismatches = [
        {
            "model": one.model,
            "field": str(field.path),
            "current_type": _type(field),
            "expected_type": field.wanted.kind.value,
            "index_name": one.status.planned.name,
            "state": field.format.value,
        }
        for one in found
        for field in one.mismatches
    ]
    return {
        "mismatches": mismatches,
        "has_mismatches": bool(mismatches),
        "total_affected_models": sum(bool(one.mismatches) for one in found),
        "unconverted_models": [one.model for one in found if not one.is_converted],
        "recommendation": advice,
    }


def _type(field: FieldCheck) -> str | None:
    return None if field.active is None else field.active.kind.value
