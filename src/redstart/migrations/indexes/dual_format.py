"""Dual-format indexes: they contain every document while its data changes between text and numeric format.

A hash field of type TAG or TEXT accepts both ("1672531200.0" is a tag). In JSON a number in such a field drops the
whole document, as a string in a NUMERIC field does. A path with a filter selects the values of one format and skips the
others: `$.at[?(@>"")]` selects strings only, so the document stays in the index in either case.
"""

from collections.abc import Collection
from dataclasses import replace

from redstart.migrations.indexes.plan import TEXTS
from redstart.search.schema import Index, IndexField
from redstart.search.schema_diff import difference
from redstart.values.types import Storage

STRINGS = '@{}>""'
"""RedisJSON 2.8 applies such a filter to a scalar; other versions may not, so it is probed on a scratch index."""


def accepts_both_formats(index: Index, changing: Collection[str]) -> bool:
    """Return whether documents stay in this index while the changing attributes change between text and numbers."""
    kinds = {field.kind for field in index.fields if field.attribute in changing}
    return not kinds or (index.storage is Storage.HASH and kinds <= TEXTS)


def filtered_index(index: Index, changing: Collection[str]) -> Index:
    """Return the index with changing attributes that index strings and skip everything else."""
    fields = tuple(_strings_only(field) if field.attribute in changing else field for field in index.fields)
    return replace(index, fields=fields, parts=None)


def bridge_index(index: Index, changing: Collection[str]) -> Index:
    """Return the index without the changing attributes, for servers that do not support such paths."""
    return replace(index, fields=tuple(f for f in index.fields if f.attribute not in changing), parts=None)


def dual_format_index(index: Index, changing: Collection[str], *, supports_path_filters: bool) -> Index:
    """Return the dual-format index for an old index: the index itself, if it accepts both formats."""
    if accepts_both_formats(index, changing):
        return index
    return (filtered_index if supports_path_filters else bridge_index)(index, changing)


def is_dual_format(active: Index, legacy: Index, changing: Collection[str]) -> bool:
    """Return whether an index is already a dual-format index."""
    definitions = (filtered_index(legacy, changing), bridge_index(legacy, changing))
    return any(not difference(active, definition).changes for definition in definitions)


def _strings_only(field: IndexField) -> IndexField:
    if "[?(@" in field.identifier:
        return field
    # `$.lines[*].at` filters the items of the list, `$.at` and `$.shipment.at` the value itself.
    head, star, tail = field.identifier.rpartition("[*]")
    if star and tail:
        identifier = f"{head}[?({STRINGS.format(tail)})]{tail}"
    else:
        identifier = (
            f"{head}[?({STRINGS.format('')})]" if star else f"{field.identifier}[?({STRINGS.format('')})]"
        )
    return replace(field, identifier=identifier)
