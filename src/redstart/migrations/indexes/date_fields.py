"""Compare the date fields of the active indexes with the models and with the converted data. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from redstart.mapping.value_paths import TemporalPath
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.record import Record
from redstart.migrations.indexes.dual_format import tolerant_index
from redstart.migrations.indexes.plan import place_of
from redstart.migrations.indexes.status import IndexStatus, Standing
from redstart.search.schema import FieldKind, IndexField
from redstart.search.schema_diff import FieldAdded, FieldChanged


class Form(StrEnum):
    """The state of a date field: numeric, text, text only if the value is text (dual-format), missing, or other."""

    NEW = "numeric"
    OLD = "text"
    TOLERANT = "dual-format"
    MISSING = "missing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DateField:
    """One date in one index: `serving` is the field of the active index, None if there is none."""

    path: TemporalPath
    wanted: IndexField
    serving: IndexField | None
    form: Form


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
        return [field for field in self.fields if field.form is not Form.NEW]

    @property
    def next_command(self) -> str | None:
        """Return the next command for index or data; None if there is nothing to do."""
        if self.mismatches and (self.converted or self.status.standing is not Standing.EXPANDED):
            return "om migrate run"
        return None if self.converted else "om migrate-data run"


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


def _fields_at(path: TemporalPath, status: IndexStatus) -> list[DateField]:
    index = status.planned.index
    place = place_of(path, index.storage)
    return [_compared(path, wanted, status) for wanted in index.fields if wanted.identifier == place]


def _compared(path: TemporalPath, wanted: IndexField, status: IndexStatus) -> DateField:
    if status.pending is None:
        return DateField(path, wanted, None, Form.MISSING)
    for change in status.pending.changes:
        if isinstance(change, FieldAdded) and change.field.attribute == wanted.attribute:
            return DateField(path, wanted, None, Form.MISSING)
        if isinstance(change, FieldChanged) and change.after.attribute == wanted.attribute:
            return DateField(path, wanted, change.before, _form(change.before, wanted, status))
    return DateField(path, wanted, wanted, Form.NEW)


def _form(serving: IndexField, wanted: IndexField, status: IndexStatus) -> Form:
    same_place = serving.identifier == wanted.identifier
    if serving.kind is wanted.kind and same_place:
        return Form.NEW  # it is sortable or not: no matter of the data
    if serving.kind is not FieldKind.TAG:
        return Form.OTHER
    tolerant = tolerant_index(status.planned.index, (wanted.attribute,)).field_named(wanted.attribute)
    if tolerant is not None and serving.identifier == tolerant.identifier:
        return Form.TOLERANT
    return Form.OLD if same_place else Form.OTHER
