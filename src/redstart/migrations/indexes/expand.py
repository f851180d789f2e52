"""Migrate one index as far as the data allows.

If no attribute changes with the data, the new index is built, checked and cut over at once. Otherwise it is built and
fills while the data is converted; until then a dual-format index is active: for hashes the existing one, for JSON one
that indexes text and skips numbers.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from redstart.effects import Op, pause
from redstart.migrations.indexes.build import (
    POLL_SECONDS,
    build_beside,
    building,
    find_built,
    find_index,
    with_hidden_options,
)
from redstart.migrations.indexes.coverage import Coverage, check_coverage
from redstart.migrations.indexes.plan import (
    PlannedIndex,
    accepts_both_formats,
    changing_attributes,
    dual_format_index,
    is_dual_format,
    pending_attributes,
    with_options_of,
)
from redstart.migrations.indexes.record_writer import (
    has_more,
    is_replaced_externally,
    is_superseded,
    lacked_before,
    record_active_final,
    record_cutover,
    record_expansion,
    record_plan,
    write_record,
)
from redstart.migrations.indexes.state import IndexRecord, previous_index, read_records
from redstart.migrations.indexes.swap import CutoverResult, cut_over, drop, drop_unused, swap
from redstart.migrations.lease import Lease
from redstart.search.index_info import IndexInfo
from redstart.search.schema import Index, same_definition


class IndexOutcome(StrEnum):
    """What a run did with an index. The state that follows is in its record."""

    UP_TO_DATE = "up to date"
    CREATED = "created"
    EXPANDED = "expanded"
    CUT_OVER = "cut over"
    REBUILT = "rebuilt"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class IndexResult:
    """The result for one index.

    Attributes:
        coverage: the last coverage check; None if none was needed.
        repaired: whether another tool had replaced the active index, and this run repaired it.
    """

    name: str
    model: str
    outcome: IndexOutcome
    coverage: Coverage | None = None
    repaired: bool = False

    @property
    def is_refused(self) -> bool:
        """Return whether the cutover was refused."""
        return self.outcome is IndexOutcome.REFUSED

    @property
    def is_incomplete(self) -> bool:
        """Return whether the index is new and documents are missing from it."""
        return (
            self.outcome is IndexOutcome.CREATED and self.coverage is not None and self.coverage.missing > 0
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
        rebuild: replace also an active index that matches its model, by a new one of the same definition.
        aliases: other aliases, which follow when their index is replaced.
        is_rollback: an index of an earlier definition may lack as many documents as it did.
    """

    accept_unindexed: bool = False
    keep_old_index: bool = False
    data_follows: bool = False
    keep_newer: bool = False
    one_by_one: bool = False
    rebuild: bool = False
    aliases: tuple[str, ...] = ()
    is_rollback: bool = False


def is_expanded(planned: PlannedIndex) -> Op[bool]:
    """Return whether the data of an index can be converted: a dual-format or the final index is active. Reads."""
    active = yield from find_index(planned.name)
    record = (yield from read_records()).get(planned.name)
    planned = with_options_of(planned, previous_index(record, active))
    if active is None or record is None or is_replaced_externally(record, active):
        return False
    if same_definition(active.index, planned.index):
        return True
    _, built = yield from find_built(planned.name, planned.index)
    if built is None:
        return False
    return accepts_both_formats(active.index, changing_attributes(active.index, planned)) or is_dual_format(
        active.index, record.legacy, record.changing
    )


class Expansion:
    """Index migrations under one lease, as far as the data allows.

    Args:
        converted: key prefixes whose data is converted.
        supports_path_filters: whether the server supports a filter on a scalar path.
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
        self._supports_path_filters = supports_path_filters

    def run(self, planned: PlannedIndex) -> Op[IndexResult]:
        """Migrate one index. Effects: see `switch`; its record is saved before anything is changed."""
        active = yield from find_index(planned.name)
        if active is not None:
            active = yield from with_hidden_options(active)
        known = (yield from read_records()).get(planned.name)
        planned = with_options_of(planned, previous_index(known, active))
        is_newer = has_more(known, active, planned) or is_superseded(known, active, planned)
        if self._options.keep_newer and is_newer:
            return IndexResult(planned.name, planned.model, IndexOutcome.UP_TO_DATE)
        repaired = is_replaced_externally(known, active)
        converted = planned.key_prefix in self._converted
        aliases = yield from self._aliases_of(active)
        record = yield from record_plan(
            self._lease,
            planned,
            known,
            active,
            aliases=aliases,
            converted=converted,
            goes_forward=converted or self._options.data_follows,
        )
        is_first = known is None or (record.legacy, record.created) != (known.legacy, known.created)
        if is_first or not repaired:
            record = yield from self._count_missing_before(record, active)
        # By the active index, not by the previous one: after a first cutover, earlier values are numbers already.
        current = record.legacy if repaired or active is None else active.index
        pending = not converted and pending_attributes(record.final, changing_attributes(current, planned))
        if active is None:
            result = yield from self._create(planned, record)
        elif not repaired and same_definition(active.index, planned.index):
            yield from record_active_final(self._lease, record)
            if not self._options.rebuild:
                return IndexResult(planned.name, planned.model, IndexOutcome.UP_TO_DATE)
            result = yield from self._rebuild(planned, record, active)
        elif pending and (repaired or any(map(record.legacy.field_named, pending))):
            result = yield from self._prepare(planned, record, active, repaired)
        else:
            result = yield from self._cut_over(planned, record, active, repaired, early=bool(pending))
            if pending and result.outcome is IndexOutcome.REFUSED:
                result = yield from self._prepare(planned, record, active, repaired)
        return replace(result, repaired=repaired)

    def _aliases_of(self, active: IndexInfo | None) -> Op[set[str]]:
        """Return the given aliases that point to an index. A read for each."""
        aliases = set()
        for alias in self._options.aliases:
            target = yield from find_index(alias)
            if active is not None and target is not None and target.name == active.name:
                aliases.add(alias)
        return aliases

    def _create(self, planned: PlannedIndex, record: IndexRecord) -> Op[IndexResult]:
        """Create the index of a new name: the final one if it contains every document, else a dual-format index."""
        built = yield from self._build(record, record.final)
        coverage = yield from check_coverage(self._lease.keep, built, None, record)
        final_may_serve = coverage.complete or self._options.accept_unindexed or not record.changing
        if final_may_serve or planned.key_prefix in self._converted:
            yield from swap(self._lease, record.name, built, now=None)
            yield from record_active_final(self._lease, record, missing=coverage.missing)
            return IndexResult(planned.name, planned.model, IndexOutcome.CREATED, coverage)
        wanted = dual_format_index(
            record.legacy, record.changing, supports_path_filters=self._supports_path_filters
        )
        yield from cut_over(self._lease, record, wanted)
        yield from record_expansion(self._lease, record)
        return IndexResult(planned.name, planned.model, IndexOutcome.EXPANDED)

    def _prepare(
        self, planned: PlannedIndex, record: IndexRecord, active: IndexInfo, repaired: bool
    ) -> Op[IndexResult]:
        """Build the final index, and activate a dual-format one."""
        if repaired:
            # The old version compares redis-om's hash: with that of another tool, it would replace the index again.
            yield from self._lease.commit(record.keys_of_legacy())
        current = record.legacy if repaired else active.index
        if repaired or not is_dual_format(current, record.legacy, record.changing):
            changing = changing_attributes(current, planned)
            wanted = dual_format_index(current, changing, supports_path_filters=self._supports_path_filters)
            if wanted != current and not repaired:
                yield from self._keep_old(record, active)
            cutover = yield from cut_over(self._lease, record, wanted)
            if not cutover.done:
                return IndexResult(planned.name, planned.model, IndexOutcome.REFUSED, cutover.coverage)
        _ = yield from self._build(record, record.final)
        yield from record_expansion(self._lease, record)
        return IndexResult(planned.name, planned.model, IndexOutcome.EXPANDED)

    def _cut_over(
        self, planned: PlannedIndex, record: IndexRecord, active: IndexInfo, repaired: bool, *, early: bool
    ) -> Op[IndexResult]:
        """Cut over to the final index.

        Args:
            early: whether the data is not converted yet. Then cut over only if no document is lost: there may be no
                document with a newly indexed value.
        """
        if not repaired:
            yield from self._keep_old(record, active)
        # Documents that were accepted as missing at the first cutover do not stop the repair.
        accepted: float = record.accepted_unindexed if repaired else 0
        if self._options.is_rollback:  # it may lack again what it lacked before
            accepted = max(accepted, lacked_before(record, planned.index))
        # Of these, those that the active index lacks as well are in no result now: others must not take their place.
        lacked_by_both = (
            lacked_before(record, active.index) if self._options.is_rollback and not repaired else 0
        )
        if self._options.accept_unindexed:
            accepted = math.inf
        cutover: CutoverResult = yield from cut_over(
            self._lease,
            record,
            record.final,
            max_missing=0 if early else accepted,
            known_from_both=lacked_by_both,
            rebuild=repaired,
        )
        if not cutover.done:
            return IndexResult(planned.name, planned.model, IndexOutcome.REFUSED, cutover.coverage)
        found = cutover.coverage
        accepted_now = 0 if found is None else found.missing
        missing = None if found is None else found.missing + found.missing_from_both
        yield from record_cutover(self._lease, record, accepted_unindexed=accepted_now, missing=missing)
        return IndexResult(planned.name, planned.model, IndexOutcome.CUT_OVER, cutover.coverage)

    def _rebuild(self, planned: PlannedIndex, record: IndexRecord, active: IndexInfo) -> Op[IndexResult]:
        """Replace the active index by a new one of the same definition, and drop it.

        Indexes that an earlier rebuild left are dropped first: they would be taken for the new one.
        """
        _ = yield from drop_unused(self._lease, record)
        cutover = yield from cut_over(
            self._lease,
            record,
            record.final,
            max_missing=math.inf if self._options.accept_unindexed else 0,
            rebuild=True,
        )
        if not cutover.done:
            return IndexResult(planned.name, planned.model, IndexOutcome.REFUSED, cutover.coverage)
        _ = yield from drop(self._lease, active.name, (record.name,))
        return IndexResult(planned.name, planned.model, IndexOutcome.REBUILT, cutover.coverage)

    def _build(self, record: IndexRecord, index: Index) -> Op[str]:
        return build_beside(self._lease, record.name, index)

    def _count_missing_before(self, record: IndexRecord, active: IndexInfo | None) -> Op[IndexRecord]:
        """Count, before the first change, the documents missing from the old index: a rollback may lose them again."""
        if (
            active is None
            or record.missing_before is not None
            or not same_definition(active.index, record.legacy)
        ):
            return record
        if same_definition(active.index, record.final):
            return record
        while active is not None and active.indexing:
            yield from self._lease.keep(building(record.name, active.percent))
            yield from pause(POLL_SECONDS)
            active = yield from find_index(record.name)
        missing = (yield from check_coverage(self._lease.keep, record.name, None, record)).missing
        counted = replace(record, missing_before=missing)
        return (yield from write_record(self._lease, counted, stored=record))

    def _keep_old(self, record: IndexRecord, active: IndexInfo) -> Op[None]:
        """Build a copy of the index whose name becomes an alias, for a fast rollback."""
        if self._options.keep_old_index and active.name == record.name:
            _ = yield from self._build(record, active.index)
