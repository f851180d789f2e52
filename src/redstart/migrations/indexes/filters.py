"""Indexes with a FILTER that names a date: it is written for text, and would drop documents with numeric dates."""

import re
from collections.abc import Iterable

from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.indexes.keys import shown
from redstart.migrations.indexes.plan import attribute_of, place_of
from redstart.migrations.unmanaged_indexes import indexes_listed_as, may_hold
from redstart.search.schema import FieldKind, Index


def require_no_filters_on_dates(plan: Plan) -> Op[None]:
    """Raise MigrationError if the FILTER of an index names a date that will be converted.

    No coverage check finds what it drops: the active index loses the documents, too, while they are converted.

    Effects: a read for each index of the server.
    """
    for name in sorted(set((yield from call(ft_list())))):
        for found in (yield from indexes_listed_as(name)):
            expression = filter_of(found.index)
            for model in plan.models if expression is not None else ():
                names = sorted(_dates_named(expression or "", found.index, model))
                if names:
                    raise MigrationError(
                        f"The FILTER of the index {shown(name)} names {', '.join(names)}, a date of "
                        f"{model.name} in text format: {expression}. Conversion could drop documents from the index.",
                        "Create the index again with a FILTER without dates, or accept this with: "
                        "om migrate-data run --accept-unindexed",
                    )


def filter_of(index: Index) -> str | None:
    """Return the expression of the FILTER of an index; None if it has none."""
    if "FILTER" not in index.options:
        return None
    return index.options[index.options.index("FILTER") + 1]


def _dates_named(expression: str, index: Index, model: PlannedModel) -> Iterable[str]:
    """Return the names in an expression that stand for dates which the index does not have as numbers."""
    if index.storage is not model.storage or not may_hold(index, model):
        return
    places = {place_of(path, index.storage) for path in model.paths}
    names = {attribute_of(path) for path in model.paths} | places
    names |= {field.attribute for field in index.fields if field.identifier in places}
    for name in names:
        field = index.field_named(name)
        is_number = field is not None and field.kind is FieldKind.NUMERIC
        if not is_number and re.search(rf"@{re.escape(name)}(?!\w)", expression):
            yield name
