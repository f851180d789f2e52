"""Compare the date fields of the active indexes with the models, and name the next command."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redstart.effects import Op
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import Plan, plan_for_indexes
from redstart.migrations.data.record import Record, read_record
from redstart.migrations.indexes.dual_format import filtered_index
from redstart.migrations.indexes.plan import PlannedIndex, path_of, planned_indexes
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus, index_statuses
from redstart.migrations.integrity import require_intact
from redstart.migrations.server_checks import require_search
from redstart.migrations.state_keys import DATETIME_MIGRATION, StateKeys
from redstart.next_steps import Command
from redstart.search.schema import FieldKind, IndexField
from redstart.search.schema_diff import FieldAdded, FieldChanged

MIGRATE_INDEXES = Command("migrate run")
CONVERT = Command("migrate-data run")


class DateFormat(StrEnum):
    """The state of a date field: numeric, text, text only if the value is text (dual-format), missing, or other."""

    NEW = "numeric"
    OLD = "text"
    TOLERANT = "dual-format"
    MISSING = "missing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DateField:
    """One date in one index: `active` is the field of the active index, None if there is none."""

    path: ValuePath
    wanted: IndexField
    active: IndexField | None
    form: DateFormat


@dataclass(frozen=True, slots=True)
class DateIndex:
    """The index of one model that indexes dates.

    Attributes:
        converted: whether the data of the model is recorded as converted.
    """

    model: str
    status: IndexStatus
    fields: tuple[DateField, ...]
    converted: bool

    @property
    def mismatches(self) -> list[DateField]:
        """Return the dates whose field in the index differs from the model."""
        return [field for field in self.fields if field.form is not DateFormat.NEW]

    @property
    def next_command(self) -> Command | None:
        """Return the next command for index or data; None if there is nothing to do."""
        if self.mismatches and (self.converted or self.status.active is not ActiveIndex.EXPANDED):
            return MIGRATE_INDEXES
        return None if self.converted else CONVERT


def date_indexes(statuses: Iterable[IndexStatus], plan: Plan, record: Record) -> list[DateIndex]:
    """Return the indexes with dates, in the order of the statuses."""
    models = {model.key_prefix: model for model in plan.models}
    found = []
    for status in statuses:
        model = models.get(status.planned.key_prefix)
        paths = () if model is None else model.paths
        fields = tuple(field for path in paths for field in _fields_at(path, status))
        if model is not None and fields:
            found.append(DateIndex(model.name, status, fields, record.is_applied(model)))
    return found


def _fields_at(path: ValuePath, status: IndexStatus) -> list[DateField]:
    index = status.planned.index
    place = path_of(path, index.storage)
    return [_compared(path, wanted, status) for wanted in index.fields if wanted.identifier == place]


def _compared(path: ValuePath, wanted: IndexField, status: IndexStatus) -> DateField:
    if status.pending is None:
        return DateField(path, wanted, None, DateFormat.MISSING)
    for change in status.pending.changes:
        if isinstance(change, FieldAdded) and change.field.attribute == wanted.attribute:
            return DateField(path, wanted, None, DateFormat.MISSING)
        if isinstance(change, FieldChanged) and change.after.attribute == wanted.attribute:
            return DateField(path, wanted, change.before, _form(change.before, wanted, status))
    return DateField(path, wanted, wanted, DateFormat.NEW)


def _form(active: IndexField, wanted: IndexField, status: IndexStatus) -> DateFormat:
    same_place = active.identifier == wanted.identifier
    if active.kind is wanted.kind and same_place:
        return DateFormat.NEW  # it is sortable or not: no matter of the data
    if active.kind is not FieldKind.TAG:
        return DateFormat.OTHER
    dual = filtered_index(status.planned.index, (wanted.attribute,)).field_named(wanted.attribute)
    if dual is not None and active.identifier == dual.identifier:
        return DateFormat.TOLERANT
    return DateFormat.OLD if same_place else DateFormat.OTHER


def inspect_dates(planned: Iterable[PlannedIndex], plan: Plan) -> Op[list[DateIndex]]:
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


def next_command(found: Iterable[DateIndex]) -> Command | None:
    """Return the command to run first; None if nothing is pending."""
    commands = {one.next_command for one in found}
    return next((one for one in (MIGRATE_INDEXES, CONVERT) if one in commands), None)


def schema_mismatches(declarations: Sequence[ModelDeclaration]) -> Op[dict[str, Any]]:
    """Return dates whose type in the index differs from the model, in the format of redis-om's detector.

    Effects: see `inspect_dates`.
    """
    found = yield from inspect_dates(
        planned_indexes(declarations), plan_for_indexes(declarations, DatetimeConversion.of_zone("UTC"))
    )
    concerned = [one for one in found if _of_another_type(one)]
    mismatches = [
        {
            "model": one.model.rpartition(".")[2],
            "field": str(field.path),
            "current_type": kind,
            "expected_type": field.wanted.kind.value,
            "index_name": one.status.planned.name,
        }
        for one in concerned
        for field, kind in _of_another_type(one)
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
        (field, field.active.kind.value)
        for field in index.mismatches
        if field.active is not None and field.active.kind is not field.wanted.kind
    ]


def _recommendation(concerned: Collection[DateIndex]) -> str:
    if not concerned:
        return "No schema mismatches."
    names = ", ".join(sorted({one.status.planned.name for one in concerned}))
    return f"Queries on these dates return no or wrong documents. Run: {next_command(concerned)!s} ({names})"
