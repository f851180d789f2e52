"""Index migrations of one process: forward, back and clean up, each under the lease of the indexes."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from redstart.effects import Op
from redstart.migrations.data.preflight import server_facts
from redstart.migrations.holder import Holder, is_gone
from redstart.migrations.indexes.expand import Expansion, ExpansionOptions, IndexResult
from redstart.migrations.indexes.keys import LEASE
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import (
    require_index_memory,
    require_own_names,
    require_search,
    understands_filters,
)
from redstart.migrations.indexes.records import IndexRecord, read_records
from redstart.migrations.indexes.step_back import after_undo, before_undo, drop_unused, remove_created
from redstart.migrations.indexes.switch import Switched, Waiting
from redstart.migrations.lease import Lease, acquire, under_lease

T = TypeVar("T")

Step = Callable[[Lease, IndexRecord], Op[Switched]]

Converted = Callable[[], Op[set[str]]]
"""Reads which key prefixes hold data that is converted and verified."""


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
        self,
        planned: Sequence[PlannedIndex],
        converted: Converted,
        options: ExpansionOptions,
    ) -> Op[list[IndexResult]]:
        """Bring every index as far as the data allows.

        Args:
            converted: asked under the lease: a rollback that began before is seen, one that begins later waits for
                the lease, so no index takes over whose data is being undone.

        Raises:
            CapabilityMissing, UnsafeServer, MigrationError: refused before any write.
            LeaseHeld, LeaseLost, MigrationError: see the steps.

        Effects: see redstart.migrations.indexes.expand. Safe to repeat.
        """
        yield from require_search()
        yield from require_own_names(planned)
        facts = yield from server_facts()
        yield from require_index_memory(facts, planned, keep_old=options.keep_old)
        filters = yield from understands_filters(facts.json)

        def work(lease: Lease) -> Op[list[IndexResult]]:
            prefixes = yield from converted()
            expansion = Expansion(
                lease, prefixes, options, understands_filters=filters, waiting=self._waiting
            )
            results = []
            for one in planned:
                results.append((yield from expansion.run(one)))
            return results

        return (yield from self._leased(work))

    def before_undo(self, records: Collection[str]) -> Op[list[tuple[str, Switched]]]:
        """Let indexes serve that accept the data in both forms.

        Args:
            records: names of the indexes.

        Returns:
            For each its name and what became of it.

        Effects: see redstart.migrations.indexes.switch. Safe to repeat.
        """
        yield from require_search()
        step = yield from self._step_before(needed=bool(records))
        return (yield from self._leased(lambda lease: _each(lease, step, records)))

    def after_undo(self, records: Collection[str]) -> Op[list[tuple[str, Switched]]]:
        """Let indexes of the definitions serve again that did before Redstart.

        Args:
            records: names of the indexes.

        Effects: see redstart.migrations.indexes.switch. Safe to repeat.
        """
        yield from require_search()
        step = self._step_after(unconditionally=False)
        return (yield from self._leased(lambda lease: _each(lease, step, records)))

    def swap_back(self, undone: Callable[[], Op[bool]]) -> Op[tuple[bool, list[tuple[str, Switched]]]]:
        """For every index `before_undo`; or where the data is undone `after_undo`, even if documents are lost by it.
        Then those go that Redstart was the first to make.

        Args:
            undone: asked under the lease: a run that begins later looks at its indexes again, before it writes.

        Returns:
            Whether the data is undone, and for each index its name and what became of it.

        Effects: see redstart.migrations.indexes.switch. Safe to repeat.
        """
        yield from require_search()
        before = yield from self._step_before(needed=True)

        def work(lease: Lease) -> Op[tuple[bool, list[tuple[str, Switched]]]]:
            after = yield from undone()
            step = self._step_after(unconditionally=True) if after else before
            return after, (yield from _each(lease, step, (yield from read_records())))

        return (yield from self._leased(work))

    def cleanup(self) -> Op[list[str]]:
        """Drop what was built beside and serves no name. The names of the dropped indexes."""
        yield from require_search()

        def work(lease: Lease) -> Op[list[str]]:
            dropped: list[str] = []
            for record in (yield from read_records()).values():
                if record.cut_over:
                    dropped += yield from drop_unused(lease, record)
                    yield from lease.commit([replace(record, contracted=True).save()])
            return dropped

        return (yield from self._leased(work))

    def _step_before(self, *, needed: bool) -> Op[Step]:
        facts = yield from server_facts()
        filters = needed and (yield from understands_filters(facts.json))

        def step(lease: Lease, record: IndexRecord) -> Op[Switched]:
            return before_undo(lease, record, understands_filters=filters, waiting=self._waiting)

        return step

    def _step_after(self, *, unconditionally: bool) -> Step:
        def step(lease: Lease, record: IndexRecord) -> Op[Switched]:
            if record.created and unconditionally:
                return remove_created(lease, record)
            most = math.inf if unconditionally else record.unserved
            return after_undo(lease, record, waiting=self._waiting, most_missing=most)

        return step

    def _leased(self, work: Callable[[Lease], Op[T]]) -> Op[T]:
        acquiring = acquire(LEASE, self._token, self._holder, is_gone=is_gone, clock=self._clock)
        return (yield from under_lease(acquiring, work))


def _each(lease: Lease, step: Step, names: Collection[str]) -> Op[list[tuple[str, Switched]]]:
    done = []
    for record in (yield from read_records()).values():
        if record.name in names:
            done.append((record.name, (yield from step(lease, record))))
    return done
