"""Unmanaged indexes of documents whose dates become numeric: those of JSON documents may lose them."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from itertools import islice, product

from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.mapping.value_paths import may_select
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import TEXTS, PlannedIndex, path_of
from redstart.migrations.indexes.state import is_built_name, read_records, shown
from redstart.next_steps import Command, Hint
from redstart.search.index_info import IndexInfo
from redstart.search.schema import FieldKind, Index, IndexField
from redstart.values.types import Storage

_MAX_SPELLINGS = 64


def require_unmanaged_indexes_unaffected(plan: Plan, planned: Sequence[PlannedIndex]) -> Op[None]:
    """Raise MigrationError if an unmanaged index would lose documents when the data is converted.

    Effects: a read for each index of the server.
    """
    accept = Command("migrate-data run", "--accept-unindexed")
    for name, found in (yield from _unmanaged({one.name for one in planned}, accept)):
        lost = _indexed_dates(plan, found.index, TEXTS) if found.index.storage is Storage.JSON else []
        if lost:
            raise MigrationError(
                f"Index {shown(name)} indexes {', '.join(lost)} as text but belongs to no model. Its "
                f"{found.documents:,} documents would no longer be indexed after conversion.",
                Hint("Drop it and recreate it with NUMERIC, or accept this with: ", accept),
            )


def require_unmanaged_indexes_unaffected_by_rollback(plan: Plan, command: Command) -> Op[None]:
    """Raise MigrationError if an unmanaged index would lose documents when dates become text again.

    Args:
        plan: that of the runs.
        command: the rollback.

    Effects: a read for each index of the server.
    """
    accept = command.adding("--accept-unindexed")
    for name, found in (yield from _unmanaged(set(), accept)):
        # A hash with text in a numeric field is not indexed, either.
        lost = _indexed_dates(plan, found.index, {FieldKind.NUMERIC})
        if lost:
            raise MigrationError(
                f"Index {shown(name)} indexes {', '.join(lost)} as a number but belongs to no model. Its "
                f"{found.documents:,} documents would no longer be indexed after the rollback.",
                Hint("Drop it, or accept this with: ", accept),
            )


def _unmanaged(names: Set[str], accept: Command) -> Op[list[tuple[str, IndexInfo]]]:
    """Return the indexes of the server with documents that Redstart does not migrate, each with its listed name.

    Args:
        names: of the indexes of models, besides those that are recorded.
        accept: the command that accepts the loss of documents.
    """
    # Only what serves under a model's name is brought along, and what served before the first `om migrate run`.
    records = (yield from read_records()).values()
    names = names | {record.name for record in records}
    brought_along = names | {record.legacy.name for record in records}
    for name in sorted(names):
        found = yield from find_index(name)
        brought_along |= set() if found is None else {found.name}
    unmanaged: list[tuple[str, IndexInfo]] = []
    for name, count in sorted(Counter((yield from call(ft_list()))).items()):
        is_ours = name in brought_along or any(is_built_name(one, name) for one in names)
        if is_ours and count == 1:
            continue
        for info in (yield from _listed_as(name, count, accept)):
            if info.documents or info.indexing:
                unmanaged.append((name, info))
    return unmanaged


def _listed_as(name: str, count: int, accept: Command) -> Op[list[IndexInfo]]:
    """Return the indexes that the server lists under a name; it lists line breaks as escapes.

    Raises:
        MigrationError: an index cannot be inspected, because its name is not listed as it is.
    """
    found = yield from indexes_listed_as(name)
    if len(found) < count <= (yield from call(ft_list())).count(name):
        raise MigrationError(
            f"The index that the server lists as {shown(name)} cannot be inspected: its name contains a character that "
            "the server does not list. It may lose documents when dates change their type.",
            Hint("Drop the index, or accept this with: ", accept),
        )
    return found


def indexes_listed_as(name: str) -> Op[list[IndexInfo]]:
    """Return the indexes that the server may list under a name. A read for each of its spellings."""
    found = []
    for one in islice(_spellings(name), _MAX_SPELLINGS):
        info = yield from find_index(one)
        found += [] if info is None else [info]
    return found


def _spellings(name: str) -> Iterator[str]:
    """Return the names that a server lists like this one."""
    parts = re.split(r"(\\[nr])", name)
    breaks = {r"\n": "\n", r"\r": "\r"}
    return map("".join, product(*((part, breaks[part]) if part in breaks else (part,) for part in parts)))


def _indexed_dates(plan: Plan, index: Index, kinds: Collection[FieldKind]) -> list[str]:
    """Return the identifiers of the fields of these kinds in an index that may hold dates of a plan."""
    models = [model for model in plan.models if model.storage is index.storage and may_hold(index, model)]
    return sorted(
        {
            field.identifier
            for field in index.fields
            for model in models
            if field.kind in kinds and _may_hold_date(field, model)
        }
    )


def _may_hold_date(field: IndexField, model: PlannedModel) -> bool:
    """Return whether a field of an index may have dates of a model as its values."""
    if model.storage is Storage.HASH:
        return any(field.identifier == path_of(path, Storage.HASH) for path in model.paths)
    return any(may_select(field.identifier, path.segments) for path in model.paths)


def may_hold(index: Index, model: PlannedModel) -> bool:
    """Return whether documents of a model are under the prefixes of an index."""
    return any(
        model.key_prefix.startswith(one)
        or (one.startswith(model.key_prefix) and not one.startswith(model.excluded))
        for one in index.prefixes
    )


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
                        Hint(
                            "Create the index again with a FILTER without dates, or accept this with: ",
                            Command("migrate-data run", "--accept-unindexed"),
                        ),
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
    places = {path_of(path, index.storage) for path in model.paths}
    names = {path.attribute for path in model.paths} | places
    names |= {field.attribute for field in index.fields if _may_hold_date(field, model)}
    for name in names:
        field = index.field_named(name)
        is_number = field is not None and field.kind is FieldKind.NUMERIC
        if not is_number and re.search(rf"@{re.escape(name)}(?!\w)", expression):
            yield name
