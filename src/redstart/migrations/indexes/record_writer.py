"""Write the record of an index: its definitions, and its state after an event. Nothing else writes records.

The active index is compared with its record first: another tool may have replaced it, or it is newer than a model.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha1

from redstart.effects import Argument, Op
from redstart.migrations.indexes.plan import (
    PlannedIndex,
    accepts_both_formats,
    changing_attributes,
    text_attributes,
)
from redstart.migrations.indexes.state import (
    IndexEvent,
    IndexRecord,
    IndexState,
    is_built_name,
    next_state,
    read_redis_om_keys,
)
from redstart.migrations.lease import Lease
from redstart.search.index_info import IndexInfo
from redstart.search.schema import FieldRemoved, Index, create_arguments, difference, same_definition


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


def write_record(
    lease: Lease,
    record: IndexRecord,
    *events: IndexEvent,
    stored: IndexRecord | None,
    commands: Sequence[list[Argument]] = (),
) -> Op[IndexRecord]:
    """Write a record in the state after some events.

    Args:
        record: with all changes but that of the state.
        stored: what the server has; None if it has no record.
        commands: other writes to the keys of this index, in the same step.

    Raises:
        MigrationError: an event is not possible in the state of the stored record; nothing was written.

    Effects: one script, or none if nothing changes. Safe to repeat.
    """
    state = None if stored is None else stored.state
    for event in events:
        state = next_state(record.name, state, event)
    if state is None:
        raise AssertionError("an event that removes the record is for remove_record")
    changed = replace(record, state=state)
    if changed != stored or commands:
        yield from lease.commit([changed.save(), *commands])
    return changed


def remove_record(lease: Lease, record: IndexRecord, event: IndexEvent) -> Op[None]:
    """Remove a record, and restore the keys of redis-om.

    Raises:
        MigrationError: the event is not possible in the state of the record; nothing was written.

    Effects: one script. Safe to repeat.
    """
    if next_state(record.name, record.state, event) is not None:
        raise AssertionError("an event that keeps the record is for write_record")
    yield from lease.commit([*record.keys_of_legacy(), record.remove()])


def record_plan(
    lease: Lease,
    planned: PlannedIndex,
    known: IndexRecord | None,
    active: IndexInfo | None,
    *,
    aliases: Collection[str],
    converted: bool,
    goes_forward: bool,
) -> Op[IndexRecord]:
    """Record the final index; the first time also the index before Redstart.

    Args:
        known: the record, if there is one.
        active: the active index.
        aliases: other aliases that point to it, in addition to those recorded.
        converted: whether the data is converted.
        goes_forward: whether a started rollback is abandoned.

    Effects: one write if the record changes. Safe to repeat.
    """
    current = None if active is None else active.index
    events: list[IndexEvent] = []
    if known is None or (
        is_replaced_externally(known, active) and not converted and _begins_anew(planned, known, current)
    ):
        record = yield from _first_record(planned, current)
        events.append(IndexEvent.PLAN)
    else:
        if known.state is IndexState.ROLLING_BACK and goes_forward:
            events.append(IndexEvent.ABANDON_ROLLBACK)
        if not same_definition(known.final, planned.index):
            events.append(IndexEvent.REDEFINE)
        elif known.state is IndexState.CONTRACTED and (
            current is None
            or is_replaced_externally(known, active)
            or not same_definition(current, planned.index)
        ):
            events.append(IndexEvent.REOPEN)
        record = replace(
            known,
            final=planned.index,
            final_hash=planned.schema_hash,
            final_schema=planned.schema,
            changing=changing_attributes(known.legacy, planned),
            superseded=superseded_by(planned.index, known.final, known.superseded),
        )
    record = replace(record, aliases=tuple(sorted({*record.aliases, *aliases} - {record.name})))
    return (yield from write_record(lease, record, *events, stored=known))


def record_expansion(lease: Lease, record: IndexRecord) -> Op[None]:
    """Record that a dual-format index is active and the final one is built. Safe to repeat.

    Effects: one script, or none if the record has it.
    """
    _ = yield from write_record(lease, record, IndexEvent.EXPAND, stored=record)


def record_cutover(
    lease: Lease, record: IndexRecord, *, accepted_unindexed: int, missing: int | None
) -> Op[None]:
    """Record that the alias was moved to the final index, also in the keys of redis-om. Safe to repeat.

    Args:
        accepted_unindexed: number of documents that are missing from it, but not from the index before it.
        missing: number of all that are missing from it; None if it is not known.

    Effects: three reads, and one script, or none if the record has it.
    """
    changed = replace(with_lacking(record, missing), accepted_unindexed=accepted_unindexed)
    yield from _record_final(lease, changed, IndexEvent.CUT_OVER, stored=record)


def record_active_final(lease: Lease, record: IndexRecord, *, missing: int | None = None) -> Op[None]:
    """Record that the final index is active, unless the record and the keys of redis-om have it. Safe to repeat.

    Args:
        missing: number of documents that are missing from it; None if it is not known.

    Effects: three reads, and one script, or none if the record has it.
    """
    events = () if record.is_cut_over else (IndexEvent.CUT_OVER,)
    yield from _record_final(lease, with_lacking(record, missing), *events, stored=record)


def with_lacking(record: IndexRecord, missing: int | None) -> IndexRecord:
    """Return a record with the number of documents that are missing from its final index; None if it is not known."""
    if missing is None:
        return record
    digest = definition_digest(record.final)
    others = tuple(one for one in record.lacking if one[0] != digest)
    return replace(record, lacking=(*others, *([(digest, missing)] if missing else []))[-MAX_SUPERSEDED:])


def lacked_before(record: IndexRecord, index: Index) -> int:
    """Return how many documents were missing from the index of an earlier definition while it was active."""
    first = record.missing_before or 0 if same_definition(index, record.legacy) else 0
    return max(first, dict(record.lacking).get(definition_digest(index), 0))


def record_kept(lease: Lease, record: IndexRecord) -> Op[None]:
    """Record that an index that did not exist before Redstart is kept after a rollback. Safe to repeat.

    Effects: three reads, and one script, or none if the record has it.
    """
    yield from _record_final(lease, record, IndexEvent.KEEP_CREATED, stored=record)


def _record_final(lease: Lease, record: IndexRecord, *events: IndexEvent, stored: IndexRecord) -> Op[None]:
    kept = yield from read_redis_om_keys(record.name)
    is_known = kept == (record.final_hash, record.final_schema)
    commands = [] if is_known else record.keys_of_final()
    _ = yield from write_record(lease, record, *events, stored=stored, commands=commands)


def _begins_anew(planned: PlannedIndex, known: IndexRecord, current: Index | None) -> bool:
    """Return whether another tool created an index with changing attributes as tags where none existed.

    Before the data is converted, that index is the one to migrate, and to restore on rollback.
    """
    if current is None:
        return False
    return (known.created or not known.changing) and bool(changing_attributes(current, planned))


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
        changing=changing_attributes(legacy, planned),
        created=current is None,
        superseded=superseded_by(planned.index, legacy),
    )
