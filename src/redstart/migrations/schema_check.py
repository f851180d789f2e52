"""Compare the date fields of the active indexes with the models, and name the next command."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from redstart.effects import Op
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.context import DATETIME_MIGRATION
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.plan import Plan, plan_for_indexes
from redstart.migrations.data.record import read_record
from redstart.migrations.indexes.date_fields import DateField, DateIndex, date_indexes
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes
from redstart.migrations.indexes.preflight import require_search
from redstart.migrations.indexes.status import index_statuses
from redstart.migrations.integrity import require_intact
from redstart.migrations.state_keys import StateKeys


def look_at_dates(planned: Iterable[PlannedIndex], plan: Plan) -> Op[list[DateIndex]]:
    """Return the indexes with dates, compared with the models and with the converted data.

    Raises:
        UnsupportedServerError: the server has no search module.

    Effects: a read for each index, and some.
    """
    yield from require_search()
    yield from require_intact(StateKeys(DATETIME_MIGRATION), exempt=LISTS)
    statuses = yield from index_statuses(planned)
    record = yield from read_record(StateKeys(DATETIME_MIGRATION))
    return date_indexes(statuses, plan, record)


def next_command(found: Iterable[DateIndex]) -> str | None:
    """Return the command to run first; None if nothing is pending."""
    commands = {one.next_command for one in found}
    return next((one for one in ("om migrate run", "om migrate-data run") if one in commands), None)


def schema_mismatches(declarations: Sequence[ModelDeclaration]) -> Op[dict[str, Any]]:
    """Return dates whose type in the index differs from the model, in the format of redis-om's detector.

    Effects: see `look_at_dates`.
    """
    found = yield from look_at_dates(planned_indexes(declarations), plan_for_indexes(declarations, "UTC"))
    concerned = [one for one in found if _of_another_type(one)]
    mismatches = [
        {
            "model": one.model.rpartition(".")[2],
            "field": str(field.path),
            "current_type": serving,
            "expected_type": field.wanted.kind.value,
            "index_name": one.status.planned.name,
        }
        for one in concerned
        for field, serving in _of_another_type(one)
    ]
    return {
        "has_mismatches": bool(mismatches),
        "mismatches": mismatches,
        "total_affected_models": len(concerned),
        "recommendation": _recommendation(concerned),
    }


def _of_another_type(index: DateIndex) -> list[tuple[DateField, str]]:
    """Return the dates that the index has as another type, and that type."""
    return [
        (field, field.serving.kind.value)
        for field in index.mismatches
        if field.serving is not None and field.serving.kind is not field.wanted.kind
    ]


def _recommendation(concerned: Collection[DateIndex]) -> str:
    if not concerned:
        return "No schema mismatches."
    names = ", ".join(sorted({one.status.planned.name for one in concerned}))
    return f"Queries on these dates return no or wrong documents. Run: {next_command(concerned)} ({names})"
