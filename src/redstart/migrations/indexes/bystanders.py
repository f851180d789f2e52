"""Indexes that no model names, over documents whose dates become numbers: those over JSON may lose them."""

from collections.abc import Iterable, Sequence

from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.migrations.data.planned.plan import Plan
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.keys import is_built_name
from redstart.migrations.indexes.plan import TEXTS, PlannedIndex, place_of
from redstart.migrations.indexes.records import read_records
from redstart.search.index import Index
from redstart.values.kinds import Storage


def require_no_losses(plan: Plan, planned: Sequence[PlannedIndex]) -> Op[None]:
    """Raises MigrationError for an index that a run over the data would take documents from, and nobody brings along.

    Effects: a read for each index of the server.
    """
    # Only what serves under a model's name is brought along, and what served before the first `om migrate run`.
    records = (yield from read_records()).values()
    names = {one.name for one in planned} | {record.name for record in records}
    brought_along = names | {record.legacy.name for record in records}
    for name in sorted(names):
        found = yield from find_index(name)
        brought_along |= set() if found is None else {found.name}
    for name in sorted(set((yield from call(ft_list()))) - brought_along):
        if any(is_built_name(one, name) for one in names):
            continue
        found = yield from find_index(name)
        lost = [] if found is None or not found.documents else list(_text_places(plan, found.index))
        if found is not None and lost:
            raise MigrationError(
                f"The index {name} takes {', '.join(lost)} as text, and no model has its name: each of its "
                f"{found.documents:,} documents would leave it once such a date is a number.",
                "Drop it, and create it with NUMERIC afterwards; "
                "or let it lose them: om migrate-data run --accept-unindexed",
            )


def _text_places(plan: Plan, index: Index) -> Iterable[str]:
    """The paths of dates that an index over JSON takes as text."""
    if index.storage is not Storage.JSON:
        return
    texts = {field.identifier for field in index.fields if field.kind in TEXTS}
    for model in plan.models:
        if model.storage is Storage.JSON and _may_hold(index, model.key_prefix):
            yield from sorted(texts & {place_of(path, Storage.JSON) for path in model.paths})


def _may_hold(index: Index, key_prefix: str) -> bool:
    return any(one.startswith(key_prefix) or key_prefix.startswith(one) for one in index.prefixes)
