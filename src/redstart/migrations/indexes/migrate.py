"""The operations behind `om migrate`: run, swap-back, cleanup, each under the lease of the indexes."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from redstart.effects import Op
from redstart.migrations.data.preflight import server_facts
from redstart.migrations.holder import Holder, is_gone
from redstart.migrations.indexes.expand import Expansion, IndexResult
from redstart.migrations.indexes.keys import LEASE
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import require_index_memory, require_search, understands_filters
from redstart.migrations.indexes.records import IndexRecord, read_records
from redstart.migrations.indexes.step_back import after_undo, before_undo, drop_unused
from redstart.migrations.indexes.switch import Switched, Waiting
from redstart.migrations.lease import Lease, acquire, under_lease

T = TypeVar("T")


class IndexMigration:
    """Index migrations of one process.

    Args:
        token: unique for this process' work; becomes the fence.
        clock: seconds, monotonic.
        waiting: told what is built and how far.
    """

    def __init__(self, holder: Holder, token: str, clock: Callable[[], float], waiting: Waiting) -> None:
        self._holder = holder
        self._token = token
        self._clock = clock
        self._waiting = waiting

    def run(
        self, planned: Sequence[PlannedIndex], converted: Collection[str], *, accept_unindexed: bool = False
    ) -> Op[list[IndexResult]]:
        """Bring every index as far as the data allows.

        Args:
            converted: key prefixes whose data is converted and verified.

        Raises:
            CapabilityMissing, UnsafeServer: refused before any write.
            LeaseHeld, LeaseLost, MigrationError: see the steps.

        Effects: see redstart.migrations.indexes.expand. Safe to repeat.
        """
        yield from require_search()
        facts = yield from server_facts()
        yield from require_index_memory(facts, planned)
        filters = yield from understands_filters(facts.json)

        def work(lease: Lease) -> Op[list[IndexResult]]:
            expansion = Expansion(
                lease,
                converted,
                understands_filters=filters,
                waiting=self._waiting,
                accept_unindexed=accept_unindexed,
            )
            results = []
            for one in planned:
                results.append((yield from expansion.run(one)))
            return results

        return (yield from self._leased(work))

    def swap_back(self, *, data_undone: bool) -> Op[list[tuple[str, Switched]]]:
        """Let indexes serve that accept the data in both forms; when it is undone, those that served before Redstart.

        Effects: see redstart.migrations.indexes.switch. Safe to repeat.
        """
        yield from require_search()
        facts = yield from server_facts()
        filters = yield from understands_filters(facts.json)

        def work(lease: Lease) -> Op[list[tuple[str, Switched]]]:
            done = []
            for record in (yield from read_records()).values():
                if data_undone:
                    switched = yield from after_undo(lease, record, waiting=self._waiting)
                else:
                    switched = yield from before_undo(
                        lease, record, understands_filters=filters, waiting=self._waiting
                    )
                done.append((record.name, switched))
            return done

        return (yield from self._leased(work))

    def cleanup(self) -> Op[list[str]]:
        """Drop what was built beside and serves no name. The names of the dropped indexes."""
        yield from require_search()

        def work(lease: Lease) -> Op[list[str]]:
            dropped: list[str] = []
            for record in _cut_over((yield from read_records()).values()):
                dropped += yield from drop_unused(lease, record)
            return dropped

        return (yield from self._leased(work))

    def _leased(self, work: Callable[[Lease], Op[T]]) -> Op[T]:
        acquiring = acquire(LEASE, self._token, self._holder, is_gone=is_gone, clock=self._clock)
        return (yield from under_lease(acquiring, work))


def _cut_over(records: Iterable[IndexRecord]) -> list[IndexRecord]:
    return [record for record in records if record.cut_over]
