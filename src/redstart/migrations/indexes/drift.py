"""Update the record of an index: the previous index, the final index, and the progress of its migration."""

from collections.abc import Collection
from dataclasses import replace

from redstart.effects import Op
from redstart.migrations.indexes.plan import PlannedIndex, moving_attributes
from redstart.migrations.indexes.state import IndexRecord, read_redis_om_keys
from redstart.migrations.indexes.superseded import superseded_by
from redstart.migrations.indexes.taken_over import is_taken_over
from redstart.migrations.lease import Lease
from redstart.search.index_info import IndexInfo
from redstart.search.schema import Index
from redstart.search.schema_diff import same_definition


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
        is_taken_over(known, found) and not converted and _begins_anew(planned, known, current)
    ):
        record = yield from _first_record(planned, current)
    else:
        same = same_definition(known.final, planned.index)
        record = replace(
            known,
            final=planned.index,
            final_hash=planned.schema_hash,
            final_schema=planned.schema,
            moving=moving_attributes(known.legacy, planned),
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
    return (known.created or not known.moving) and bool(moving_attributes(current, planned))


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
        moving=moving_attributes(legacy, planned),
        created=current is None,
        superseded=superseded_by(planned.index, legacy),
    )
