"""Detect that another tool replaced the active index.

redis-om's Migrator does this: if `<index>:hash` is not the hash of its models, it drops the index of this name, also
through an alias, and creates a real index of that name.
"""

from redstart.migrations.indexes.dual_format import accepts_both_forms
from redstart.migrations.indexes.keys import is_built_name
from redstart.migrations.indexes.plan import PlannedIndex, dates_as_text
from redstart.migrations.indexes.state import IndexRecord
from redstart.search.index_info import IndexInfo
from redstart.search.schema import Index
from redstart.search.schema_diff import FieldRemoved, difference, same_definition


def is_taken_over(record: IndexRecord | None, found: IndexInfo | None) -> bool:
    """Return whether the active index is not the one that Redstart activated.

    Args:
        record: of the name; None before the first `om migrate run`.
        found: the active index; None if there is none.
    """
    if record is None:
        return False
    if found is None:
        return record.cut_over or record.expanded or not record.created
    if is_built_name(record.name, found.name):
        return False
    left = _left_serving(record)
    return left is None or not same_definition(found.index, left)


def has_more(record: IndexRecord | None, found: IndexInfo | None, planned: PlannedIndex) -> bool:
    """Return whether an index has more than a model requires, for example that of a newer version of the application.

    Args:
        record: of the name; None before the first `om migrate run`.
        found: the active index; None if there is none.
        planned: the index of the model.
    """
    if found is None or is_taken_over(record, found):
        return False
    if record is not None and only_adds(record.final, planned.index):
        return True
    if dates_as_text(found.index, planned):  # it may lose documents once their dates are numbers
        return False
    return (record is None or record.cut_over) and only_adds(found.index, planned.index)


def only_adds(index: Index, wanted: Index) -> bool:
    """Return whether an index has all fields of another one, unchanged, and more."""
    changes = difference(index, wanted).changes
    return bool(changes) and all(isinstance(change, FieldRemoved) for change in changes)


def _left_serving(record: IndexRecord) -> Index | None:
    """Return the definition of an active index that Redstart did not build; None if there is none."""
    if record.cut_over:
        return record.final
    if record.created or (record.expanded and not accepts_both_forms(record.legacy, record.moving)):
        return None
    return record.legacy
