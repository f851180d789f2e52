"""Replaced definitions of an index: an older version of the application still requires one."""

from dataclasses import replace
from hashlib import sha1

from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.state import IndexRecord
from redstart.migrations.indexes.taken_over import is_taken_over, only_adds
from redstart.search.index_info import IndexInfo
from redstart.search.schema import Index, create_arguments
from redstart.search.schema_diff import same_definition

MAX_SUPERSEDED = 20
"""Limit of recorded definitions of an index; the oldest is removed first."""

_DIGEST_LETTERS = 16


def is_superseded(record: IndexRecord | None, found: IndexInfo | None, planned: PlannedIndex) -> bool:
    """Return whether an index had the definition of a model, and has a later one now.

    Args:
        record: of the name; None before the first `om migrate run`.
        found: the active index; None if there is none.
        planned: the index of the model.
    """
    if record is None or found is None or is_taken_over(record, found):
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
