"""Index migrations of one process: create, forward, back and clean up, each under the lease of the indexes."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from redstart.effects import Op
from redstart.migrations.data.running.preflight import server_facts
from redstart.migrations.holder import Holder, is_gone
from redstart.migrations.indexes.build import Waiting
from redstart.migrations.indexes.create import create_index
from redstart.migrations.indexes.expand import Expansion, ExpansionOptions, IndexResult
from redstart.migrations.indexes.keys import LEASE
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import (
    require_possible,
    require_search,
    understands_filters,
)
from redstart.migrations.indexes.records import IndexRecord, read_records
from redstart.migrations.indexes.step_back import after_undo, before_undo, drop_unused, remove_created
from redstart.migrations.indexes.switch import Switched
from redstart.migrations.lease import Lease, acquire, under_lease
from redstart.migrations.server_role import require_server

T = TypeVar("T")

Step = Callable[[Lease, IndexRecord], Op[Switched]]

Converted = Callable[[], Op[Collection[str]]]
"""Reads the key prefixes whose data is converted and verified."""


def none_converted() -> Op[Collection[str]]:
    """For work that comes before the data."""
    yield from ()
    return ()


def _require_fit() -> Op[None]:
    """Refuse a server that takes no writes of ours, or can have no index. Before the probes, which write too."""
    yield from require_server(writes=True)
    yield from require_search()


class IndexMigration:
    """Index migrations of one process.

    Args:
        token: unique for this process' work; becomes the fence.
        clock: seconds, monotonic.
        waiting: told what is built and how far.
        waiting_for_lease: told whose lease is waited for.
    """

    def __init__(
        self,
        holder: Holder,
        token: str,
        clock: Callable[[], float],
        waiting: Waiting,
        waiting_for_lease: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._holder = holder
        self._token = token
        self._clock = clock
        self._waiting = waiting
        self._waiting_for_lease = waiting_for_lease

    def run(
        self,
        planned: Sequence[PlannedIndex],
        converted: Converted,
        options: ExpansionOptions,
    ) -> Op[list[IndexResult]]:
        """Bring every index as far as the data allows.

        Args:
            converted: asked when nobody else changes indexes any more: a rollback that begins says first that nothing
                is converted, and steps back then. What was read before the lease was taken may be over.

        Raises:
            CapabilityMissing, UnsafeServer, MigrationError: refused before any write.
            LeaseHeld, LeaseLost, MigrationError: see the steps.

        Effects: see redstart.migrations.indexes.expand. Safe to repeat.
        """
        yield from _require_fit()
        facts = yield from require_possible(planned, keep_old=options.keep_old)
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

    def create(self, name: str, schema: str, schema_hash: str) -> Op[None]:
        """Create one index from its schema. See redstart.migrations.indexes.create."""
        yield from _require_fit()
        yield from self._leased(lambda lease: create_index(lease, name, schema, schema_hash))

    def before_undo(self, records: Collection[str]) -> Op[list[tuple[str, Switched]]]:
        """Let indexes serve that accept the data in both forms.

        Args:
            records: names of the indexes.

        Returns:
            For each its name and what became of it.

        Effects: see redstart.migrations.indexes.switch. Safe to repeat.
        """
        yield from _require_fit()
        facts = yield from server_facts()
        filters = bool(records) and (yield from understands_filters(facts.json))

        def step(lease: Lease, record: IndexRecord) -> Op[Switched]:
            return before_undo(lease, record, understands_filters=filters, waiting=self._waiting)

        return (yield from self._each(records, step))

    def after_undo(self, records: Collection[str]) -> Op[list[tuple[str, Switched]]]:
        """Let indexes of the definitions serve again that did before Redstart, unless they lack documents that they did
        not lack before.

        Args:
            records: names of the indexes.

        Effects: see redstart.migrations.indexes.switch. Safe to repeat.
        """
        yield from _require_fit()

        def step(lease: Lease, record: IndexRecord) -> Op[Switched]:
            return after_undo(lease, record, waiting=self._waiting, most_missing=record.unserved)

        return (yield from self._each(records, step))

    def swap_back(
        self, is_undone: Callable[[], Op[bool]], *, accept_unindexed: bool
    ) -> Op[tuple[bool, list[tuple[str, Switched]]]]:
        """Step all indexes back by hand: as far as the data allows.

        Args:
            is_undone: asked when nobody else changes indexes any more. If so, the definitions of before Redstart
                serve, and what it was the first to make goes; if not, those that accept both forms.
            accept_unindexed: also where documents that are found now would not be found.

        Returns:
            What was answered, and for each index its name and what became of it.

        Effects: see redstart.migrations.indexes.switch. Safe to repeat.
        """
        yield from _require_fit()
        facts = yield from server_facts()
        filters = yield from understands_filters(facts.json)

        def work(lease: Lease) -> Op[tuple[bool, list[tuple[str, Switched]]]]:
            undone = yield from is_undone()
            done = []
            for record in (yield from read_records()).values():
                if not undone:
                    stepping = before_undo(
                        lease,
                        record,
                        understands_filters=filters,
                        waiting=self._waiting,
                        most_missing=math.inf if accept_unindexed else 0,
                    )
                elif record.created:
                    stepping = remove_created(lease, record)
                else:
                    most_missing = math.inf if accept_unindexed else record.unserved
                    stepping = after_undo(lease, record, waiting=self._waiting, most_missing=most_missing)
                done.append((record.name, (yield from stepping)))
            return undone, done

        return (yield from self._leased(work))

    def cleanup(self) -> Op[list[str]]:
        """Drop what was built beside and serves no name. The names of the dropped indexes."""
        yield from _require_fit()

        def work(lease: Lease) -> Op[list[str]]:
            dropped: list[str] = []
            for record in (yield from read_records()).values():
                if record.cut_over:
                    dropped += yield from drop_unused(lease, record)
                    yield from lease.commit([replace(record, contracted=True).save()])
            return dropped

        return (yield from self._leased(work))

    def _each(self, names: Collection[str], step: Step) -> Op[list[tuple[str, Switched]]]:
        def work(lease: Lease) -> Op[list[tuple[str, Switched]]]:
            done = []
            for record in (yield from read_records()).values():
                if record.name in names:
                    done.append((record.name, (yield from step(lease, record))))
            return done

        return (yield from self._leased(work))

    def _leased(self, work: Callable[[Lease], Op[T]]) -> Op[T]:
        acquiring = acquire(
            LEASE,
            self._token,
            self._holder,
            is_gone=is_gone,
            clock=self._clock,
            waiting=self._waiting_for_lease,
        )
        return (yield from under_lease(acquiring, work))
