"""Dates because of which documents leave an index when the format of all dates changes: its fields, its FILTER."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from redstart.mapping.value_paths import may_select
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.indexes.plan import TEXTS, path_of
from redstart.search.schema import FieldKind, Index, IndexField
from redstart.values.types import Storage

Rejecting = Mapping[Storage, Set[FieldKind]]
"""Types of attributes that do not accept a date: a document with such a date is not in the index."""

_REJECTING_TEXT: Rejecting = dict.fromkeys(Storage, frozenset({FieldKind.NUMERIC}))
_REJECTING_NUMBERS: Rejecting = {Storage.HASH: frozenset(), Storage.JSON: TEXTS}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the format of all dates.

    Attributes:
        before, after: which types do not accept a date in the format before the change, and after it.
        event: what changes the format.
    """

    before: Rejecting
    after: Rejecting
    event: str


CONVERSION = Change(_REJECTING_TEXT, _REJECTING_NUMBERS, "conversion")
ROLLBACK = Change(_REJECTING_NUMBERS, _REJECTING_TEXT, "the rollback")


@dataclass(frozen=True, slots=True)
class DatesUsed:
    """Dates because of which documents may leave an index.

    Attributes:
        indexed: identifiers of the fields that no longer accept them.
        in_filter: their names in the FILTER, which is `expression`; `model` is the model of these.
    """

    indexed: list[str]
    in_filter: list[str]
    expression: str
    model: str


def dates_used(index: Index, plan: Plan, change: Change) -> DatesUsed | None:
    """Return the dates of a plan because of which a change may drop documents from an index; None if there are none."""
    before, after = change.before[index.storage], change.after[index.storage]
    models = [model for model in plan.models if model.storage is index.storage and _may_hold(index, model)]
    indexed = {
        field.identifier
        for field in index.fields
        for model in models
        if field.kind in after - before and _may_hold_date(field, model)
    }
    expression = _filter_of(index)
    for model in models:
        in_filter = sorted(_dates_in(expression, index, model, before))
        if in_filter:
            return DatesUsed(sorted(indexed), in_filter, expression, model.name)
    return DatesUsed(sorted(indexed), [], expression, "") if indexed else None


def _may_hold_date(field: IndexField, model: PlannedModel) -> bool:
    """Return whether a field of an index may have dates of a model as its values."""
    if model.storage is Storage.HASH:
        return any(field.identifier == path_of(path, Storage.HASH) for path in model.paths)
    return any(may_select(field.identifier, path.segments) for path in model.paths)


def _may_hold(index: Index, model: PlannedModel) -> bool:
    """Return whether documents of a model are under the prefixes of an index."""
    return any(
        model.key_prefix.startswith(one)
        or (one.startswith(model.key_prefix) and not one.startswith(model.excluded))
        for one in index.prefixes
    )


def _filter_of(index: Index) -> str:
    """Return the expression of the FILTER of an index; "" if it has none."""
    if "FILTER" not in index.options:
        return ""
    return index.options[index.options.index("FILTER") + 1]


def _dates_in(expression: str, index: Index, model: PlannedModel, rejecting: Set[FieldKind]) -> Iterator[str]:
    """Return the names in an expression that stand for dates of documents in an index.

    Args:
        rejecting: types of attributes that keep documents with dates out of the index.
    """
    names = {path.attribute for path in model.paths} | {path_of(path, index.storage) for path in model.paths}
    names |= {field.attribute for field in index.fields if _may_hold_date(field, model)}
    for name in names:
        field = index.field_named(name)
        is_rejected = field is not None and field.kind in rejecting
        if not is_rejected and re.search(rf"@{re.escape(name)}(?!\w)", expression):
            yield name
