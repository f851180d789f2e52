"""The rule for a change of type: an index may serve while data changes only if it accepts both forms.

A hash field of type TAG or TEXT accepts both ("1672531200.0" is a tag). In JSON a number under one drops the whole
document, as a string under a NUMERIC does. A path with a filter takes the values of one form and overlooks the
others: `$.at[?(@>"")]` finds strings only, so the document stays whatever form the value has.
"""

from collections.abc import Collection
from dataclasses import replace

from redstart.migrations.indexes.plan import TEXTS
from redstart.search.difference import difference
from redstart.search.fields import IndexField
from redstart.search.index import Index
from redstart.values.kinds import Storage

STRINGS = '@{}>""'
"""RedisJSON 2.8 applies such a filter to a scalar; other versions may not, so it is probed on a scratch index."""


def accepts_both_forms(index: Index, moving: Collection[str]) -> bool:
    """Whether documents stay in this index while the moving attributes change from text to numbers, or back."""
    kinds = {field.kind for field in index.fields if field.attribute in moving}
    return not kinds or (index.storage is Storage.HASH and kinds <= TEXTS)


def tolerant_index(index: Index, moving: Collection[str]) -> Index:
    """The same index, whose moving attributes take strings and overlook everything else."""
    fields = tuple(_strings_only(field) if field.attribute in moving else field for field in index.fields)
    return replace(index, fields=fields, parts=None)


def bridge_index(index: Index, moving: Collection[str]) -> Index:
    """The same index without the moving attributes, for servers that do not understand such paths."""
    return replace(index, fields=tuple(f for f in index.fields if f.attribute not in moving), parts=None)


def stand_in(index: Index, moving: Collection[str], *, understands_filters: bool) -> Index:
    """What may serve in place of an old index while its moving attributes change: itself, if it accepts both forms."""
    if accepts_both_forms(index, moving):
        return index
    return (tolerant_index if understands_filters else bridge_index)(index, moving)


def is_stand_in(serving: Index, legacy: Index, moving: Collection[str]) -> bool:
    """Whether an index is already the tolerant one, or the bridge."""
    stand_ins = (tolerant_index(legacy, moving), bridge_index(legacy, moving))
    return any(not difference(serving, one).changes for one in stand_ins)


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
