"""Compare the changing attributes of the active indexes with the models, and name the next command."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from redstart.effects import Op
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.plan import Plan, plan_for_indexes, with_index_attributes
from redstart.migrations.data.record import Record
from redstart.migrations.indexes.plan import PlannedIndex, filtered_path, path_of, planned_indexes
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus, index_statuses
from redstart.migrations.integrity import require_intact
from redstart.migrations.phase import MigrationPhase, migration_status, next_command
from redstart.migrations.server_checks import require_search
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command
from redstart.search.schema import FieldAdded, FieldChanged, FieldKind, IndexField
from redstart.values.types import Storage


class FieldFormat(StrEnum):
    """What a field of an index accepts: numbers, text, only values that are text (dual-format); missing, or other."""

    NUMERIC = "numeric"
    TEXT = "text"
    DUAL_FORMAT = "dual-format"
    MISSING = "missing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """One changing attribute of one index.

    Attributes:
        path: of its values.
        wanted: the field of the index according to the model.
        active: the field of the active index; None if there is none.
        format: what that field accepts.
    """

    path: ValuePath
    wanted: IndexField
    active: IndexField | None
    format: FieldFormat


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """The index of one model, with its changing attributes.

    Attributes:
        is_converted: whether the data of the model is recorded as converted.
    """

    model: str
    status: IndexStatus
    fields: tuple[FieldCheck, ...]
    is_converted: bool

    @property
    def mismatches(self) -> list[FieldCheck]:
        """Return the attributes whose field in the index differs from the model."""
        return [field for field in self.fields if field.format is not FieldFormat.NUMERIC]

    @property
    def is_pending(self) -> bool:
        """Return whether the index differs from the model, or the data is not converted."""
        return bool(self.mismatches) or not self.is_converted


@dataclass(frozen=True, slots=True)
class SchemaComparison:
    """The indexes with changing attributes, compared with the models and with the converted data.

    Attributes:
        resume_command: the command that resumes interrupted work.
        phase: of the whole migration.
        indexes: in the order of the models.
        failures: number of recorded failed values.
    """

    resume_command: Command
    phase: MigrationPhase
    indexes: list[SchemaCheck]
    failures: int

    @property
    def next_command(self) -> Command | None:
        """The command to run first; None if nothing is pending."""
        if not self.indexes:
            return None
        pending = {check.status.planned.key_prefix for check in self.indexes if not check.is_converted}
        return next_command(self.resume_command, self.phase, mismatching(self.indexes), pending)


def mismatching(checks: Iterable[SchemaCheck]) -> list[IndexStatus]:
    """Return the indexes with changing attributes that differ from the model."""
    return [check.status for check in checks if check.mismatches]


def compare(statuses: Iterable[IndexStatus], plan: Plan, record: Record) -> list[SchemaCheck]:
    """Return the checks of the indexes with changing attributes, in the order of the statuses.

    Args:
        plan: the part of the plan that changes index attributes.
    """
    models = {model.key_prefix: model for model in plan.models}
    checks = []
    for status in statuses:
        model = models.get(status.planned.key_prefix)
        paths = () if model is None else model.paths
        fields = tuple(field for path in paths for field in _fields_at(path, status))
        if model is not None and fields:
            checks.append(SchemaCheck(model.name, status, fields, record.is_applied(model)))
    return checks


def _fields_at(path: ValuePath, status: IndexStatus) -> list[FieldCheck]:
    index = status.planned.index
    identifier = path_of(path, index.storage)
    return [_compared(path, wanted, status) for wanted in index.fields if wanted.identifier == identifier]


def _compared(path: ValuePath, wanted: IndexField, status: IndexStatus) -> FieldCheck:
    if status.pending is None:
        return FieldCheck(path, wanted, None, FieldFormat.MISSING)
    for change in status.pending.changes:
        if isinstance(change, FieldAdded) and change.field.attribute == wanted.attribute:
            return FieldCheck(path, wanted, None, FieldFormat.MISSING)
        if isinstance(change, FieldChanged) and change.after.attribute == wanted.attribute:
            return FieldCheck(path, wanted, change.before, _format(change.before, wanted, status))
    return FieldCheck(path, wanted, wanted, FieldFormat.NUMERIC)


def _format(active: IndexField, wanted: IndexField, status: IndexStatus) -> FieldFormat:
    has_same_path = active.identifier == wanted.identifier
    if active.kind is wanted.kind and has_same_path:
        return FieldFormat.NUMERIC  # they differ in SORTABLE, which the data does not concern
    if active.kind is not FieldKind.TAG:
        return FieldFormat.OTHER
    if active.identifier == filtered_path(wanted.identifier, FieldKind.TAG):
        return FieldFormat.DUAL_FORMAT
    if not has_same_path:
        return FieldFormat.OTHER
    # In a hash, a TAG accepts both formats; it is meant to from the expansion to the cutover.
    is_expanded = status.active is ActiveIndex.EXPANDED and status.planned.index.storage is Storage.HASH
    return FieldFormat.DUAL_FORMAT if is_expanded else FieldFormat.TEXT


def check_schema(
    planned: Iterable[PlannedIndex], plan: Plan, transformation: Transformation
) -> Op[SchemaComparison]:
    """Compare the indexes with changing attributes with the models and with the converted data.

    Raises:
        UnsupportedServerError: the server has no search module.

    Effects: a read for each index, and some.
    """
    yield from require_search()
    yield from require_intact(StateKeys(transformation.migration_id), exempt=LISTS)
    statuses = yield from index_statuses(planned)
    state = yield from migration_status(transformation, plan, exempt=LISTS)
    checks = compare(statuses, with_index_attributes(plan, transformation), state.data.record)
    return SchemaComparison(state.resume_command, state.phase, checks, state.data.failures)


def schema_mismatches(
    declarations: Sequence[ModelDeclaration], transformation: Transformation
) -> Op[dict[str, Any]]:
    """Return attributes whose type in the index differs from the model, in the format of redis-om's detector.

    Effects: see `check_schema`.
    """
    plan = plan_for_indexes(declarations, transformation)
    found = yield from check_schema(planned_indexes(declarations), plan, transformation)
    concerned = [check for check in found.indexes if _of_another_type(check)]
    mismatches = [
        {
            "model": check.model.rpartition(".")[2],
            "field": str(field.path),
            "current_type": kind,
            "expected_type": field.wanted.kind.value,
            "index_name": check.status.planned.name,
        }
        for check in concerned
        for field, kind in _of_another_type(check)
    ]
    return {
        "has_mismatches": bool(mismatches),
        "mismatches": mismatches,
        "total_affected_models": len(concerned),
        "recommendation": _recommendation(replace(found, indexes=concerned), transformation.texts.values),
    }


def _of_another_type(index: SchemaCheck) -> list[tuple[FieldCheck, str]]:
    """Return the attributes that the index has as another type, and that type."""
    return [
        (field, field.active.kind.value)
        for field in index.mismatches
        if field.active is not None and field.active.kind is not field.wanted.kind
    ]


def _recommendation(concerned: SchemaComparison, values: str) -> str:
    if not concerned.indexes:
        return "No schema mismatches."
    names = ", ".join(sorted({check.status.planned.name for check in concerned.indexes}))
    return (
        f"Queries on these {values} return no or wrong documents. Run: {concerned.next_command!s} ({names})"
    )
