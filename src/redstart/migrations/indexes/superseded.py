"""Definitions that an index had and that were replaced: an older version of the application still asks for one."""

from dataclasses import replace
from hashlib import sha1

from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.records import IndexRecord
from redstart.migrations.indexes.taken_over import is_taken_over, only_adds
from redstart.search.difference import same_definition
from redstart.search.index import Index, create_arguments
from redstart.search.info import IndexInfo

MAX_SUPERSEDED = 20
"""Definitions that are remembered of an index; the oldest is forgotten first."""

_DIGEST_LETTERS = 16


def is_superseded(record: IndexRecord | None, found: IndexInfo | None, planned: PlannedIndex) -> bool:
    """Return whether an index has had the definition that a model needs, and has a later one now.

    Args:
        record: what is remembered of the name; None before the first `om migrate run`.
        found: what the name leads to now; None for nothing.
        planned: the index that the model needs.
    """
    if record is None or found is None or is_taken_over(record, found):
        return False
    return definition_digest(planned.index) in record.superseded


def superseded_by(wanted: Index, previous: Index, superseded: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the definitions that are replaced once another one is wanted; after a step back only those before it.

    Args:
        previous: the definition until now. If it only has more fields it is not replaced for good: it serves both.
        superseded: what that one has replaced.
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
    """Return the same text for all indexes that answer queries alike."""
    reported = index.reported()
    fields = tuple(sorted(reported.fields, key=lambda field: field.attribute))
    ordered = replace(reported, prefixes=tuple(sorted(reported.prefixes)), fields=fields)
    words = "\0".join(create_arguments(ordered)[1:]).encode(errors="surrogateescape")
    return sha1(words, usedforsecurity=False).hexdigest()[:_DIGEST_LETTERS]
