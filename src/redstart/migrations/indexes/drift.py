"""Update the record of an index: the previous index, the final index, and the progress of its migration."""

from collections.abc import Collection
from dataclasses import replace
from hashlib import sha1

from redstart.effects import Op
from redstart.migrations.indexes.dual_format import accepts_both_formats
from redstart.migrations.indexes.plan import PlannedIndex, changing_attributes, text_date_fields
from redstart.migrations.indexes.state import IndexRecord, is_built_name, read_redis_om_keys
from redstart.migrations.lease import Lease
from redstart.search.index_info import IndexInfo
from redstart.search.schema import Index, create_arguments
from redstart.search.schema_diff import FieldRemoved, difference, same_definition


def is_replaced_externally(record: IndexRecord | None, found: IndexInfo | None) -> bool:
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
    if found is None or is_replaced_externally(record, found):
        return False
    if record is not None and only_adds(record.final, planned.index):
        return True
    if text_date_fields(found.index, planned):  # it may lose documents once their dates are numbers
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
    if record.created or (record.expanded and not accepts_both_formats(record.legacy, record.moving)):
        return None
    return record.legacy


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
    if record is None or found is None or is_replaced_externally(record, found):
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


def keep_planned(
    lease: Lease,
    planned: PlannedIndex,
    known: IndexRecord | None,
    found: IndexInfo | None,
    *,
    aliases: Collection[str],
    converted: bool,
    goes_forward: bool,
) -> Op[IndexRecord]:
    """Record the final index; the first time also the index before Redstart.

    Args:
        known: the record, if there is one.
        found: the active index.
        aliases: other aliases that point to it, in addition to those recorded.
        converted: whether the data is converted.
        goes_forward: whether a started rollback is abandoned.

    Effects: one write if the record changes. Safe to repeat.
    """
    current = None if found is None else found.index
    if known is None or (
        is_replaced_externally(known, found) and not converted and _begins_anew(planned, known, current)
    ):
        record = yield from _first_record(planned, current)
    else:
        same = same_definition(known.final, planned.index)
        record = replace(
            known,
            final=planned.index,
            final_hash=planned.schema_hash,
            final_schema=planned.schema,
            moving=changing_attributes(known.legacy, planned),
            expanded=known.expanded and same,
            cut_over=known.cut_over and same,
            stepping_back=known.stepping_back and not goes_forward,
            superseded=superseded_by(planned.index, known.final, known.superseded),
        )
    record = replace(record, aliases=tuple(sorted({*record.aliases, *aliases} - {record.name})))
    if record != known:
        yield from lease.commit([record.save()])
    return record


def keep_expanded(lease: Lease, record: IndexRecord) -> Op[None]:
    """Record that a dual-format index is active and the final one is built. Safe to repeat."""
    done = replace(record, expanded=True, cut_over=False)
    if done != record:
        yield from lease.commit([done.save()])


def keep_final(lease: Lease, record: IndexRecord) -> Op[None]:
    """Record that the final index is active, also in the keys of redis-om. Safe to repeat."""
    kept = yield from read_redis_om_keys(record.name)
    done = replace(record, cut_over=True)
    if done != record or kept != (record.final_hash, record.final_schema):
        yield from lease.commit([done.save(), *done.keys_of_final()])


def _begins_anew(planned: PlannedIndex, known: IndexRecord, current: Index | None) -> bool:
    """Return whether another tool created an index with dates as tags where none existed.

    Before the data is converted, that index is the one to migrate, and to restore on rollback.
    """
    if current is None:
        return False
    return (known.created or not known.moving) and bool(changing_attributes(current, planned))


def _first_record(planned: PlannedIndex, current: Index | None) -> Op[IndexRecord]:
    kept_hash, kept_schema = yield from read_redis_om_keys(planned.name)
    legacy = current or planned.old
    return IndexRecord(
        name=planned.name,
        key_prefix=planned.key_prefix,
        legacy=legacy,
        legacy_hash=kept_hash,
        legacy_schema=kept_schema,
        final=planned.index,
        final_hash=planned.schema_hash,
        final_schema=planned.schema,
        moving=changing_attributes(legacy, planned),
        created=current is None,
        superseded=superseded_by(planned.index, legacy),
    )
