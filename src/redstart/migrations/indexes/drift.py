"""Compare the active index with its record: whether another tool has replaced it, or it is newer than a model.

These are comparisons with what the server has now, not states: nothing is stored.
"""

from dataclasses import replace
from hashlib import sha1

from redstart.migrations.indexes.dual_format import accepts_both_formats
from redstart.migrations.indexes.lifecycle import IndexState
from redstart.migrations.indexes.plan import PlannedIndex, text_attributes
from redstart.migrations.indexes.state import IndexRecord, is_built_name
from redstart.search.index_info import IndexInfo
from redstart.search.schema import Index, create_arguments
from redstart.search.schema_diff import FieldRemoved, difference, same_definition


def is_replaced_externally(record: IndexRecord | None, active: IndexInfo | None) -> bool:
    """Return whether the active index is not the one that Redstart activated.

    Args:
        record: of the name; None before the first `om migrate run`.
        active: the active index; None if there is none.
    """
    if record is None:
        return False
    if active is None:
        return record.state is not IndexState.PLANNED or not record.created
    if is_built_name(record.name, active.name):
        return False
    own = _active_not_built(record)
    return own is None or not same_definition(active.index, own)


def has_more(record: IndexRecord | None, active: IndexInfo | None, planned: PlannedIndex) -> bool:
    """Return whether an index has more than a model requires, for example that of a newer version of the application.

    Args:
        record: of the name; None before the first `om migrate run`.
        active: the active index; None if there is none.
        planned: the index of the model.
    """
    if active is None or is_replaced_externally(record, active):
        return False
    if record is not None and only_adds(record.final, planned.index):
        return True
    if text_attributes(active.index, planned):  # it may lose documents once the values are numbers
        return False
    return (record is None or record.is_cut_over) and only_adds(active.index, planned.index)


def only_adds(index: Index, wanted: Index) -> bool:
    """Return whether an index has all fields of another one, unchanged, and more."""
    changes = difference(index, wanted).changes
    return bool(changes) and all(isinstance(change, FieldRemoved) for change in changes)


def _active_not_built(record: IndexRecord) -> Index | None:
    """Return the definition of the index that may be active and that Redstart did not build; None if there is none."""
    if record.is_cut_over:
        return record.final
    is_replaced = record.state is not IndexState.PLANNED
    if record.created or (is_replaced and not accepts_both_formats(record.legacy, record.changing)):
        return None
    return record.legacy


MAX_SUPERSEDED = 20
"""Limit of recorded definitions of an index; the oldest is removed first."""

_DIGEST_LETTERS = 16


def is_superseded(record: IndexRecord | None, active: IndexInfo | None, planned: PlannedIndex) -> bool:
    """Return whether an index had the definition of a model, and has a later one now.

    Args:
        record: of the name; None before the first `om migrate run`.
        active: the active index; None if there is none.
        planned: the index of the model.
    """
    if record is None or active is None or is_replaced_externally(record, active):
        return False
    return definition_digest(planned.index) in record.superseded


def superseded_by(wanted: Index, previous: Index, superseded: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the replaced definitions after a change; after a return to an earlier definition only those before it.

    Args:
        previous: the definition until now. If it only has more fields, it does not count as replaced.
        superseded: the definitions that `previous` had replaced.
    """
    if same_definition(previous, wanted):
        return superseded
    digest = definition_digest(wanted)
    if digest in superseded:
        return superseded[: superseded.index(digest)]
    if only_adds(previous, wanted):
        return superseded
    return (*superseded, definition_digest(previous))[-MAX_SUPERSEDED:]


def definition_digest(index: Index) -> str:
    """Return a digest that is equal for all indexes with equivalent definitions."""
    reported = index.reported()
    fields = tuple(sorted(reported.fields, key=lambda field: field.attribute))
    ordered = replace(reported, prefixes=tuple(sorted(reported.prefixes)), fields=fields)
    words = "\0".join(create_arguments(ordered)[1:]).encode(errors="surrogateescape")
    return sha1(words, usedforsecurity=False).hexdigest()[:_DIGEST_LETTERS]
