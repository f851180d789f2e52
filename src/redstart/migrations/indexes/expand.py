"""`om migrate run`: all that can precede the data, and the cut-over when the data is done.

A definition that does not change the type of dates is built beside, proven and swapped at once. One that does
is built beside and fills while the data is converted; until then the name leads to an index that accepts both
forms: the old one for hashes, a tolerant one for JSON.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from redstart.effects import Op
from redstart.migrations.indexes.build import build_index, find_index
from redstart.migrations.indexes.keys import built_name
from redstart.migrations.indexes.plan import PlannedIndex, moving_attributes, waits_for_data
from redstart.migrations.indexes.prove import Membership
from redstart.migrations.indexes.records import IndexRecord, read_records, read_redis_om_keys
from redstart.migrations.indexes.switch import Switched, Waiting, same_definition, switch
from redstart.migrations.indexes.taken_over import is_taken_over
from redstart.migrations.indexes.tolerant import accepts_both_forms, bridge_index, tolerant_index
from redstart.migrations.lease import Lease
from redstart.search.index import Index
from redstart.search.info import IndexInfo


class IndexState(StrEnum):
    """Where a name that queries use stands."""

    UP_TO_DATE = "up to date"
    CREATED = "created"
    EXPANDED = "expanded"
    CUT_OVER = "cut over"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What became of one index.

    Attributes:
        membership: of the last proof; None when none was needed.
        mended: whether another tool had replaced the index that Redstart let serve.
    """

    name: str
    model: str
    state: IndexState
    membership: Membership | None = None
    mended: bool = False


class Expansion:
    """Brings indexes as far as the data allows.

    Args:
        converted: key prefixes whose data is converted and verified.
        understands_filters: whether the server takes a filter on a scalar path (see tolerant.py).
        accept_unindexed: cut over even if documents are lost to queries by it.
    """

    def __init__(
        self,
        lease: Lease,
        converted: Collection[str],
        *,
        understands_filters: bool,
        waiting: Waiting,
        accept_unindexed: bool = False,
    ) -> None:
        self._lease = lease
        self._converted = converted
        self._understands_filters = understands_filters
        self._waiting = waiting
        self._accept_unindexed = accept_unindexed

    def run(self, planned: PlannedIndex) -> Op[IndexResult]:
        """One index. Effects: see `switch`; its record is saved before anything is changed."""
        found = yield from find_index(planned.name)
        known = (yield from read_records()).get(planned.name)
        mended = is_taken_over(known, found)
        record = yield from self._record(planned, known, None if found is None else found.index, mended)
        waits = planned.key_prefix not in self._converted and waits_for_data(record.final, record.moving)
        if mended and waits:
            return (yield from self._prepare(planned, record, found, mended))
        if found is None:
            switched = yield from switch(self._lease, record, planned.index, waiting=self._waiting)
            yield from self._keep_final(record)
            return IndexResult(planned.name, planned.model, IndexState.CREATED, switched.membership, mended)
        if not mended and same_definition(found.index, planned.index):
            yield from self._keep_final(record)
            return IndexResult(planned.name, planned.model, IndexState.UP_TO_DATE)
        if waits:
            return (yield from self._prepare(planned, record, found, mended))
        return (yield from self._cut_over(planned, record, mended))

    def _record(
        self, planned: PlannedIndex, known: IndexRecord | None, current: Index | None, mended: bool
    ) -> Op[IndexRecord]:
        """The record, with what served before Redstart the first time it is made."""
        if known is None or (mended and self._begins_anew(planned, known, current)):
            kept_hash, kept_schema = yield from read_redis_om_keys(planned.name)
            moving = () if current is None else moving_attributes(current, planned)
            record = IndexRecord(
                name=planned.name,
                key_prefix=planned.key_prefix,
                legacy=current,
                legacy_hash=kept_hash,
                legacy_schema=kept_schema,
                final=planned.index,
                final_hash=planned.schema_hash,
                final_schema=planned.schema,
                moving=moving,
            )
        else:
            moving = known.moving if known.legacy is None else moving_attributes(known.legacy, planned)
            record = replace(
                known,
                final=planned.index,
                final_hash=planned.schema_hash,
                final_schema=planned.schema,
                moving=moving,
                expanded=known.expanded and same_definition(known.final, planned.index),
                cut_over=known.cut_over and same_definition(known.final, planned.index),
            )
        if record != known:
            yield from self._lease.commit([record.save()])
        return record

    def _begins_anew(self, planned: PlannedIndex, known: IndexRecord, current: Index | None) -> bool:
        """Whether another tool put tags where dates were numbers from the start, and the data is as old as its tags.

        Then its index is the one to go on from, and to come back to.
        """
        if known.moving or current is None or planned.key_prefix in self._converted:
            return False
        return bool(moving_attributes(current, planned))

    def _prepare(
        self, planned: PlannedIndex, record: IndexRecord, found: IndexInfo | None, mended: bool
    ) -> Op[IndexResult]:
        """Build the final index beside; let one serve that accepts both forms."""
        if mended:
            # The old application looks for its hash: with another tool's there, it replaces the index once more.
            yield from self._lease.commit(record.keys_of_legacy())
        serving = record.legacy if mended or found is None else found.index
        if serving is not None:
            switched = yield from switch(
                self._lease, record, self._stand_in(serving, record), waiting=self._waiting
            )
            if not switched.done:
                return IndexResult(
                    planned.name, planned.model, IndexState.REFUSED, switched.membership, mended
                )
        name = built_name(record.name, record.final)
        yield from build_index(self._lease, name, record.final, waiting=lambda p: self._waiting(name, p))
        ready = replace(record, expanded=True, cut_over=False)
        if ready != record:
            yield from self._lease.commit([ready.save()])
        return IndexResult(planned.name, planned.model, IndexState.EXPANDED, None, mended)

    def _cut_over(self, planned: PlannedIndex, record: IndexRecord, mended: bool) -> Op[IndexResult]:
        def attempt(accept_missing: bool) -> Op[Switched]:
            return switch(
                self._lease,
                record,
                record.final,
                waiting=self._waiting,
                accept_missing=accept_missing,
                anew=mended,
            )

        switched = yield from attempt(self._accept_unindexed)
        lost = 0 if switched.membership is None else switched.membership.missing
        if not switched.done and mended and lost <= record.accepted_unindexed:
            switched = yield from attempt(True)  # they were accepted when it took over the first time
        if not switched.done:
            return IndexResult(planned.name, planned.model, IndexState.REFUSED, switched.membership, mended)
        yield from self._keep_final(replace(record, accepted_unindexed=lost))
        return IndexResult(planned.name, planned.model, IndexState.CUT_OVER, switched.membership, mended)

    def _stand_in(self, serving: Index, record: IndexRecord) -> Index:
        """The index that is to serve meanwhile."""
        if accepts_both_forms(serving, record.moving) or _overlooks(serving, record):
            return serving
        make = tolerant_index if self._understands_filters else bridge_index
        return make(serving, record.moving)

    def _keep_final(self, record: IndexRecord) -> Op[None]:
        """Say on the server that the final index serves, also where redis-om looks for it."""
        done = replace(record, cut_over=True)
        yield from self._lease.commit([done.save(), *done.keys_of_final()])


def _overlooks(serving: Index, record: IndexRecord) -> bool:
    """Whether the serving index is already the tolerant one, or the bridge."""
    if record.legacy is None:
        return False
    stand_ins = (tolerant_index(record.legacy, record.moving), bridge_index(record.legacy, record.moving))
    return any(same_definition(serving, one) for one in stand_ins)
