"""Migrate one index as far as the data allows.

If dates keep their type, the new index is built, checked and cut over at once. If they change, it is built and fills
while the data is converted; until then a dual-format index is active: for hashes the existing one, for JSON one that
indexes text dates and skips numeric ones.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from redstart.effects import Op, pause
from redstart.migrations.indexes.build import POLL_SECONDS, build_beside, building, find_built, find_index
from redstart.migrations.indexes.coverage import Coverage, check_coverage
from redstart.migrations.indexes.drift import (
    has_more,
    is_replaced_externally,
    is_superseded,
    keep_expanded,
    keep_final,
    keep_planned,
)
from redstart.migrations.indexes.dual_format import accepts_both_formats, is_stand_in, stand_in
from redstart.migrations.indexes.hidden_options import with_hidden_options
from redstart.migrations.indexes.plan import (
    PlannedIndex,
    changing_attributes,
    pending_attributes,
    with_options_of,
)
from redstart.migrations.indexes.state import IndexRecord, previous_index, read_records
from redstart.migrations.indexes.swap import CutoverResult, cut_over, swap
from redstart.migrations.lease import Lease
from redstart.search.index_info import IndexInfo
from redstart.search.schema import Index
from redstart.search.schema_diff import same_definition


class IndexState(StrEnum):
    """The result of an index migration."""

    UP_TO_DATE = "up to date"
    CREATED = "created"
    EXPANDED = "expanded"
    CUT_OVER = "cut over"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class IndexResult:
    """The result for one index.

    Attributes:
        membership: the last coverage check; None if none was needed.
        repaired: whether another tool had replaced the active index, and this run repaired it.
    """

    name: str
    model: str
    state: IndexState
    membership: Coverage | None = None
    repaired: bool = False

    @property
    def is_refused(self) -> bool:
        """Return whether the cutover was refused."""
        return self.state is IndexState.REFUSED

    @property
    def is_incomplete(self) -> bool:
        """Return whether the index is new and documents are missing from it."""
        return (
            self.state is IndexState.CREATED and self.membership is not None and self.membership.missing > 0
        )


@dataclass(frozen=True, slots=True)
class ExpansionOptions:
    """Options of an index migration.

    Attributes:
        accept_unindexed: cut over even if documents drop out of query results.
        keep_old_index: keep a copy of an index whose name becomes an alias.
        data_follows: the data is converted next. Without it, a started rollback is not abandoned.
        keep_newer: keep an index that has more than its model requires, or a later definition.
        one_by_one: an index that is refused does not stop the others.
        aliases: other aliases, which follow when their index is replaced.
    """

    accept_unindexed: bool = False
    keep_old_index: bool = False
    data_follows: bool = False
    keep_newer: bool = False
    one_by_one: bool = False
    aliases: tuple[str, ...] = ()


def is_expanded(planned: PlannedIndex) -> Op[bool]:
    """Return whether the data of an index can be converted: a dual-format or the final index is active. Reads."""
    found = yield from find_index(planned.name)
    record = (yield from read_records()).get(planned.name)
    planned = with_options_of(planned, previous_index(record, found))
    if found is None or record is None or is_replaced_externally(record, found):
        return False
    if same_definition(found.index, planned.index):
        return True
    _, built = yield from find_built(planned.name, planned.index)
    if built is None:
        return False
    return accepts_both_formats(found.index, changing_attributes(found.index, planned)) or is_stand_in(
        found.index, record.legacy, record.moving
    )


class Expansion:
    """Index migrations under one lease, as far as the data allows.

    Args:
        converted: key prefixes whose data is converted.
        understands_filters: whether the server supports a filter on a scalar path.
    """

    def __init__(
        self,
        lease: Lease,
        converted: Collection[str],
        options: ExpansionOptions,
        *,
        supports_path_filters: bool,
    ) -> None:
        self._lease = lease
        self._converted = converted
        self._options = options
        self._understands_filters = supports_path_filters

    def run(self, planned: PlannedIndex) -> Op[IndexResult]:
        """Migrate one index. Effects: see `switch`; its record is saved before anything is changed."""
        found = yield from find_index(planned.name)
        if found is not None:
            found = yield from with_hidden_options(found)
        known = (yield from read_records()).get(planned.name)
        planned = with_options_of(planned, previous_index(known, found))
        is_newer = has_more(known, found, planned) or is_superseded(known, found, planned)
        if self._options.keep_newer and is_newer:
            return IndexResult(planned.name, planned.model, IndexState.UP_TO_DATE)
        repaired = is_replaced_externally(known, found)
        converted = planned.key_prefix in self._converted
        aliases = yield from self._aliases_of(found)
        record = yield from keep_planned(
            self._lease,
            planned,
            known,
            found,
            aliases=aliases,
            converted=converted,
            goes_forward=converted or self._options.data_follows,
        )
        if not repaired:
            record = yield from self._count_unserved(record, found)
        # Judged by what serves: after a first cut-over the dates of then are numbers already.
        serving = record.legacy if repaired or found is None else found.index
        awaited = not converted and pending_attributes(record.final, changing_attributes(serving, planned))
        if found is None:
            result = yield from self._create(planned, record)
        elif not repaired and same_definition(found.index, planned.index):
            yield from keep_final(self._lease, record)
            return IndexResult(planned.name, planned.model, IndexState.UP_TO_DATE)
        elif awaited and (repaired or any(map(record.legacy.field_named, awaited))):
            result = yield from self._prepare(planned, record, found, repaired)
        else:
            result = yield from self._cut_over(planned, record, found, repaired, early=bool(awaited))
            if awaited and result.state is IndexState.REFUSED:
                result = yield from self._prepare(planned, record, found, repaired)
        return replace(result, repaired=repaired)

    def _aliases_of(self, found: IndexInfo | None) -> Op[set[str]]:
        """Return the given aliases that point to an index. A read for each."""
        aliases = set()
        for alias in self._options.aliases:
            leads_to = yield from find_index(alias)
            if found is not None and leads_to is not None and leads_to.name == found.name:
                aliases.add(alias)
        return aliases

    def _create(self, planned: PlannedIndex, record: IndexRecord) -> Op[IndexResult]:
        """Create the index of a new name: the final one if it contains every document, else a dual-format index."""
        built = yield from self._build(record, record.final)
        membership = yield from check_coverage(self._lease.keep, built, None, record)
        final_may_serve = membership.complete or self._options.accept_unindexed or not record.moving
        if final_may_serve or planned.key_prefix in self._converted:
            yield from swap(self._lease, record.name, built, now=None)
            yield from keep_final(self._lease, record)
            return IndexResult(planned.name, planned.model, IndexState.CREATED, membership)
        wanted = stand_in(record.legacy, record.moving, supports_path_filters=self._understands_filters)
        yield from cut_over(self._lease, record, wanted)
        yield from keep_expanded(self._lease, record)
        return IndexResult(planned.name, planned.model, IndexState.EXPANDED)

    def _prepare(
        self, planned: PlannedIndex, record: IndexRecord, found: IndexInfo, repaired: bool
    ) -> Op[IndexResult]:
        """Build the final index, and activate a dual-format one."""
        if repaired:
            # The old application looks for its hash: with another tool's there, it replaces the index once more.
            yield from self._lease.commit(record.keys_of_legacy())
        serving = record.legacy if repaired else found.index
        if repaired or not is_stand_in(serving, record.legacy, record.moving):
            moving = changing_attributes(serving, planned)
            wanted = stand_in(serving, moving, supports_path_filters=self._understands_filters)
            if wanted != serving and not repaired:
                yield from self._keep_old(record, found)
            switched = yield from cut_over(self._lease, record, wanted)
            if not switched.done:
                return IndexResult(planned.name, planned.model, IndexState.REFUSED, switched.membership)
        _ = yield from self._build(record, record.final)
        yield from keep_expanded(self._lease, record)
        return IndexResult(planned.name, planned.model, IndexState.EXPANDED)

    def _cut_over(
        self, planned: PlannedIndex, record: IndexRecord, found: IndexInfo, repaired: bool, *, early: bool
    ) -> Op[IndexResult]:
        """Cut over to the final index.

        Args:
            early: whether the data is not converted yet. Then cut over only if no document is lost: there may be no
                document with a newly indexed date.
        """
        if not repaired:
            yield from self._keep_old(record, found)
        # What was accepted when it took over the first time does not stop the mending.
        accepted: float = record.accepted_unindexed if repaired else 0
        if self._options.accept_unindexed:
            accepted = math.inf
        switched: CutoverResult = yield from cut_over(
            self._lease,
            record,
            record.final,
            max_missing=0 if early else accepted,
            rebuild=repaired,
        )
        if not switched.done:
            return IndexResult(planned.name, planned.model, IndexState.REFUSED, switched.membership)
        missing = 0 if switched.membership is None else switched.membership.missing
        yield from keep_final(self._lease, replace(record, accepted_unindexed=missing, contracted=False))
        return IndexResult(planned.name, planned.model, IndexState.CUT_OVER, switched.membership)

    def _build(self, record: IndexRecord, index: Index) -> Op[str]:
        return build_beside(self._lease, record.name, index)

    def _count_unserved(self, record: IndexRecord, found: IndexInfo | None) -> Op[IndexRecord]:
        """Count, before the first change, the documents missing from the old index: a rollback may lose them again."""
        if found is None or record.unserved is not None or not same_definition(found.index, record.legacy):
            return record
        if same_definition(found.index, record.final):
            return record
        while found is not None and found.indexing:
            yield from self._lease.keep(building(record.name, found.percent))
            yield from pause(POLL_SECONDS)
            found = yield from find_index(record.name)
        unserved = (yield from check_coverage(self._lease.keep, record.name, None, record)).missing
        noted = replace(record, unserved=unserved)
        yield from self._lease.commit([noted.save()])
        return noted

    def _keep_old(self, record: IndexRecord, found: IndexInfo) -> Op[None]:
        """Build a copy of the index whose name becomes an alias, for a fast rollback."""
        if self._options.keep_old_index and found.name == record.name:
            _ = yield from self._build(record, found.index)
