"""`om migrate-data check-schema`: compare the field types of dates in the indexes with the models."""

from typing import Any

import click

from redstart.cli.assumed_zone import note_assumed_zone
from redstart.cli.exit_codes import Exit
from redstart.cli.options import common, exclude_prefix
from redstart.cli.output import as_typed, line, print_json
from redstart.cli.session import open_session
from redstart.cli.settings import Settings
from redstart.cli.tables import table
from redstart.migrations.schema_check import DateField, DateIndex, Form, look_at_dates, next_command

STATES = {
    Form.NEW: "numeric",
    Form.OLD: "text",
    Form.TOLERANT: "dual-format",
    Form.MISSING: "not indexed",
    Form.OTHER: "unexpected",
}


@click.command("check-schema")
@exclude_prefix
@common
def check_schema(settings: Settings, as_json: bool) -> int:
    """Check that the index of each model has numeric dates and that the data is converted. Exits with 3 if work is
    pending, and names the next command. Writes nothing."""
    with open_session(settings) as session:
        note_assumed_zone(session)
        found = session.run(look_at_dates(session.planned_indexes(), session.plan))
    advice = next_command(found)
    advice = None if advice is None else as_typed(advice)
    if as_json:
        print_json(_report(found, advice))
    else:
        _draw(found, advice)
    return Exit.DONE if advice is None else Exit.PENDING


def _draw(found: list[DateIndex], advice: str | None) -> None:
    rows = [
        [one.model, str(field.path), STATES[field.form], _type(field) or "-", field.wanted.kind]
        for one in found
        for field in one.fields
    ]
    mismatches = sum(len(one.mismatches) for one in found)
    unconverted = [one.model for one in found if not one.converted]
    if mismatches:
        line(f"{mismatches:,} date field{'s do' if mismatches > 1 else ' does'} not match the models.")
    else:
        line("No schema mismatches.")
    if mismatches:
        table("Dates in indexes", ["model", "field", "state", "type in index", "type in model"], rows)
    if unconverted:
        line(f"Data not converted yet: {', '.join(unconverted)}")
    if advice is not None:
        line(f"Next: {advice}")


def _report(found: list[DateIndex], advice: str | None) -> dict[str, Any]:
    mismatches = [
        {
            "model": one.model,
            "field": str(field.path),
            "current_type": _type(field),
            "expected_type": field.wanted.kind.value,
            "index_name": one.status.planned.name,
            "state": field.form.value,
        }
        for one in found
        for field in one.mismatches
    ]
    return {
        "mismatches": mismatches,
        "has_mismatches": bool(mismatches),
        "total_affected_models": sum(bool(one.mismatches) for one in found),
        "unconverted_models": [one.model for one in found if not one.converted],
        "recommendation": advice,
    }


def _type(field: DateField) -> str | None:
    return None if field.serving is None else field.serving.kind.value
