"""Values because of which documents leave an index when all values are converted: its fields, its FILTER."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from redstart.mapping.value_paths import ValuePath, may_select
from redstart.migrations.data.plan import Plan, PlannedModel, with_index_attributes
from redstart.migrations.indexes.plan import TEXTS, path_of
from redstart.migrations.transformation import Transformation
from redstart.search.schema import FieldKind, Index, IndexField
from redstart.values.types import Storage

Rejecting = Mapping[Storage, Set[FieldKind]]
"""Types of attributes that do not accept a value: a document with such a value is not in the index."""

_REJECTING_TEXT: Rejecting = dict.fromkeys(Storage, frozenset({FieldKind.NUMERIC}))
_REJECTING_NUMBERS: Rejecting = {Storage.HASH: frozenset(), Storage.JSON: TEXTS}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of all values of a plan.

    Attributes:
        before, after: which types do not accept a value before the change, and after it, if it changes from text to
            number, or back.
        event: what changes the values.
    """

    before: Rejecting
    after: Rejecting
    event: str


CONVERSION = Change(_REJECTING_TEXT, _REJECTING_NUMBERS, "conversion")
ROLLBACK = Change(_REJECTING_NUMBERS, _REJECTING_TEXT, "the rollback")


@dataclass(frozen=True, slots=True)
class ValuesUsed:
    """Values because of which documents may leave an index.

    Attributes:
        indexed: identifiers of the fields that no longer accept them.
        in_filter: their names in the FILTER, which is `expression`; `model` is the model of these.
    """

    indexed: list[str]
    in_filter: list[str]
    expression: str
    model: str


def values_used(
    index: Index, plan: Plan, transformation: Transformation, change: Change
) -> ValuesUsed | None:
    """Return the values of a plan because of which a change may drop documents from an index; None for none."""
    before, after = change.before[index.storage], change.after[index.storage]
    indexed = {
        field.identifier
        for field in index.fields
        for model in _models_of(index, with_index_attributes(plan, transformation))
        if field.kind in after - before and any(_may_have(field, path, index.storage) for path in model.paths)
    }
    expression = _filter_of(index)
    for model in _models_of(index, plan):
        in_filter = sorted(set(_values_in(expression, index, model, transformation, before)))
        if in_filter:
            return ValuesUsed(sorted(indexed), in_filter, expression, model.name)
    return ValuesUsed(sorted(indexed), [], expression, "") if indexed else None


def _models_of(index: Index, plan: Plan) -> list[PlannedModel]:
    """Return the models with documents under the prefixes of an index."""
    return [
        model
        for model in plan.models
        if model.storage is index.storage
        and any(
            model.key_prefix.startswith(one)
            or (one.startswith(model.key_prefix) and not one.startswith(model.excluded))
            for one in index.prefixes
        )
    ]


def _may_have(field: IndexField, path: ValuePath, storage: Storage) -> bool:
    """Return whether a field of an index may have the values at a path."""
    if storage is Storage.HASH:
        return field.identifier == path_of(path, storage)
    return may_select(field.identifier, path.segments)


def _filter_of(index: Index) -> str:
    """Return the expression of the FILTER of an index; "" if it has none."""
    if "FILTER" not in index.options:
        return ""
    return index.options[index.options.index("FILTER") + 1]


def _values_in(
    expression: str,
    index: Index,
    model: PlannedModel,
    transformation: Transformation,
    rejecting: Set[FieldKind],
) -> Iterator[str]:
    """Return the names in an expression that refer to values of documents in an index.

    Args:
        rejecting: types of attributes that keep documents out of the index, if the value changes its type.
    """
    for path in model.paths:
        names = {path.attribute, path_of(path, index.storage)}
        names |= {field.attribute for field in index.fields if _may_have(field, path, index.storage)}
        changes_type = transformation.index_attribute(path) is not None
        for name in names:
            field = index.field_named(name)
            is_rejected = changes_type and field is not None and field.kind in rejecting
            if not is_rejected and re.search(rf"@{re.escape(name)}(?!\w)", expression):
                yield name
