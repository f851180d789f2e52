"""Index migrations of one process: create, run, roll back and clean up, each under the lease of the indexes."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from redstart.commands.server_errors import has_no_code
from redstart.effects import Op
from redstart.errors import CommandError, MigrationError
from redstart.migrations.context import Monitor
from redstart.migrations.indexes.build import find_built, find_index
from redstart.migrations.indexes.damage import mark_settled
from redstart.migrations.indexes.expand import Expansion, ExpansionOptions, IndexResult
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import (
    require_definitions,
    require_migratable,
    supports_path_filters,
)
from redstart.migrations.indexes.record_writer import write_record
from redstart.migrations.indexes.rollback import after_undo, before_undo, remove_created
from redstart.migrations.indexes.state import LEASE, IndexEvent, IndexRecord, read_records, shown
from redstart.migrations.indexes.swap import (
    CutoverResult,
    create_index,
    drop,
    drop_unused,
    remove_alias,
    unused,
)
from redstart.migrations.lease import Lease, ServerRestartedError, acquire, under_lease
from redstart.migrations.lease_state import Holder, is_gone
from redstart.migrations.server_checks import require_search, require_server, server_facts
from redstart.next_steps import Command, Hint

T = TypeVar("T")

Step = Callable[[Lease, IndexRecord], Op[CutoverResult]]

Converted = Callable[[], Op[Collection[str]]]
"""Reads the key prefixes whose data is converted."""

_MAX_SERVERS = 3
"""Server processes on which one work is tried: more restarts are not an accident."""


def none_converted() -> Op[Collection[str]]:
    """Return no key prefixes, for work before the data is converted."""
    yield from ()
    return ()


def _require_fit() -> Op[None]:
    """Refuse a read-only server, or one without indexes, before the probes write to it."""
    yield from require_server(writes=True)
    yield from require_search()


def unused_indexes() -> Op[list[str]]:
    """Return the indexes that `IndexMigration.cleanup` would drop now. A read for each name, and two."""
    yield from require_search()
    names: list[str] = []
    for record in (yield from read_records()).values():
        if record.is_cut_over:
            names += yield from unused(record.name)
    return names


class IndexMigration:
    """Index migrations of one process.

    Args:
        token: unique for this process' work; becomes the fence.
        clock: seconds, monotonic.
        monitor: receives each build, each coverage check, and a message about a lease that is waited for.
        is_gone: whether the process of a lease holder has certainly ended; by default what its host tells.
    """

    def __init__(
        self,
        holder: Holder,
        token: str,
        clock: Callable[[], float],
        monitor: Monitor,
        is_gone: Callable[[Holder], bool] | None = None,
    ) -> None:
        self._holder = holder
        self._token = token
        self._clock = clock
        self._monitor = monitor
        self._is_gone = is_gone

    def run(
        self,
        planned: Sequence[PlannedIndex],
        converted: Converted,
        options: ExpansionOptions,
    ) -> Op[list[IndexResult]]:
        """Migrate every index as far as the data allows.

        Args:
            converted: called under the lease: a rollback first records that nothing is converted, and then rolls back
                indexes. A value read before the lease was acquired may be outdated.

        Raises:
            UnsupportedServerError, UnsafeServerError, MigrationError: refused before any write.
            LeaseHeldError, LeaseLostError, MigrationError: see the steps.
            MigrationError: the server rejects the definition of an index, or, with `one_by_one`, `require_definitions`
                does. All other indexes were migrated first.

        Effects: see redstart.migrations.indexes.expand. Safe to repeat.
        """
        yield from _require_fit()
        facts = yield from require_migratable(
            planned,
            keep_old_index=options.keep_old_index,
            rebuild=options.rebuild,
            definitions=not options.one_by_one,
        )
        filters = yield from supports_path_filters(facts.json)

        def work(lease: Lease) -> Op[list[IndexResult]]:
            prefixes = yield from converted()
            expansion = Expansion(lease, prefixes, options, supports_path_filters=filters)
            results: list[IndexResult] = []
            failures: list[tuple[PlannedIndex, MigrationError | CommandError]] = []
            for one in planned:
                try:
                    if options.one_by_one:
                        yield from require_definitions([one])
                except MigrationError as error:
                    failures.append((one, error))
                    continue
                try:
                    results.append((yield from expansion.run(one)))
                except CommandError as error:
                    if not has_no_code(error):  # about the server, not about this index
                        raise
                    failures.append((one, error))
            if failures:
                raise _failed(failures, len(results))
            return results

        return (yield from self._leased(work))

    def create(self, name: str, schema: str, schema_hash: str) -> Op[None]:
        """Create one index from its schema. See redstart.migrations.indexes.swap."""
        yield from _require_fit()
        yield from self._leased(lambda lease: create_index(lease, name, schema, schema_hash))

    def before_undo(
        self, names: Collection[str], *, check_only: bool = False
    ) -> Op[list[tuple[str, CutoverResult]]]:
        """Switch back to dual-format indexes: all of them, or none.

        Args:
            names: of the indexes.
            check_only: whether to check only if one is refused.

        Returns:
            The name and the result of each; if some are refused, only theirs.

        Effects: see redstart.migrations.indexes.rollback. Safe to repeat.
        """
        yield from _require_fit()
        facts = yield from server_facts()
        filters = bool(names) and (yield from supports_path_filters(facts.json))

        def work(lease: Lease) -> Op[list[tuple[str, CutoverResult]]]:
            records = [one for one in (yield from read_records()).values() if one.name in names]
            results = yield from before_undo(
                lease, records, supports_path_filters=filters, check_only=check_only
            )
            return [(record.name, result) for record, result in results]

        return (yield from self._leased(work))

    def after_undo(self, records: Collection[str]) -> Op[list[tuple[str, CutoverResult]]]:
        """Switch back to the definitions before Redstart, unless more documents would be missing than before.

        Args:
            records: names of the indexes.

        Effects: see redstart.migrations.indexes.swap. Safe to repeat.
        """
        yield from _require_fit()

        def step(lease: Lease, record: IndexRecord) -> Op[CutoverResult]:
            return after_undo(lease, record, max_missing=record.missing_before or 0)

        return (yield from self._each(records, step))

    def rollback(
        self, is_undone: Callable[[], Op[bool]], *, accept_unindexed: bool, drop_created: bool
    ) -> Op[tuple[bool, list[tuple[str, CutoverResult]]]]:
        """Roll back all indexes as far as the data allows.

        Args:
            is_undone: called under the lease. If true, switch back to the definitions before Redstart; if not, to
                dual-format indexes.
            accept_unindexed: roll back even if documents drop out of query results.
            drop_created: after a rollback of the data, drop indexes that Redstart was the first to create.

        Returns:
            The result of `is_undone`, and the name and the result of each index.

        Effects: see redstart.migrations.indexes.swap. Safe to repeat.
        """
        yield from _require_fit()
        facts = yield from server_facts()
        filters = yield from supports_path_filters(facts.json)

        def work(lease: Lease) -> Op[tuple[bool, list[tuple[str, CutoverResult]]]]:
            undone = yield from is_undone()
            records = list((yield from read_records()).values())
            if not undone:
                results = yield from before_undo(
                    lease,
                    records,
                    supports_path_filters=filters,
                    accept_unindexed=accept_unindexed,
                )
                return undone, [(record.name, result) for record, result in results]
            done = []
            for record in records:
                if record.created and drop_created:
                    rolling_back = remove_created(lease, record)
                else:
                    max_missing = math.inf if accept_unindexed else record.missing_before or 0
                    rolling_back = after_undo(lease, record, max_missing=max_missing)
                done.append((record.name, (yield from rolling_back)))
            return undone, done

        return (yield from self._leased(work))

    def cleanup(self) -> Op[list[str]]:
        """Drop the indexes that Redstart built and no alias points to; return their names.

        Raises:
            MigrationError: another client removed the alias of an active index; nothing was dropped.

        Effects: a script for each unused index, and one for each record. Safe to repeat.
        """
        yield from _require_fit()

        def work(lease: Lease) -> Op[list[str]]:
            dropped: list[str] = []
            records = [one for one in (yield from read_records()).values() if one.is_cut_over]
            for record in records:
                yield from _require_active(record)
            for record in records:
                dropped += yield from drop_unused(lease, record)
                _ = yield from write_record(lease, record, IndexEvent.CONTRACT, stored=record)
            return dropped

        return (yield from self._leased(work))

    def drop(self, names: Collection[str]) -> Op[None]:
        """Drop the indexes of these names, and those built for them. Documents stay. Safe to repeat.

        The record of an index that existed before Redstart is kept: a rollback restores that index.

        Effects: scripts for each index.
        """
        yield from _require_fit()

        def work(lease: Lease) -> Op[None]:
            records = yield from read_records()
            for name in names:
                record = records.get(name)
                if record is not None and record.created:
                    _ = yield from remove_created(lease, record)
                _ = yield from remove_alias(lease, name)
                for index in (name, *(yield from unused(name))):
                    _ = yield from drop(lease, index, ())

        yield from self._leased(work)

    def remove(self, names: Collection[str]) -> Op[None]:
        """Drop the indexes of these names, also those that another tool created. Safe to repeat.

        Effects: a script for each index, which leaves its documents.
        """
        yield from _require_fit()

        def work(lease: Lease) -> Op[None]:
            records = yield from read_records()
            for name in names:
                if name in records:
                    _ = yield from remove_created(lease, records[name])
                else:
                    _ = yield from remove_alias(lease, name)
                _ = yield from drop(lease, name, ())  # a real index of this name

        yield from self._leased(work)

    def settle(self, names: Collection[str]) -> Op[None]:
        """Keep the active indexes of these names, without a rollback to the previous ones. Safe to repeat.

        Effects: a script for each built index; see `mark_settled`.
        """

        def work(lease: Lease) -> Op[None]:
            for name in names:
                yield from mark_settled(lease, name)

        yield from self._leased(work)

    def _each(self, names: Collection[str], step: Step) -> Op[list[tuple[str, CutoverResult]]]:
        def work(lease: Lease) -> Op[list[tuple[str, CutoverResult]]]:
            done = []
            for record in (yield from read_records()).values():
                if record.name in names:
                    done.append((record.name, (yield from step(lease, record))))
            return done

        return (yield from self._leased(work))

    def _leased(self, work: Callable[[Lease], Op[T]]) -> Op[T]:
        """Do the work under the lease. Start again on a server that restarted or was replaced: it may lack writes."""
        servers = 0
        while True:
            servers += 1
            acquiring = acquire(
                LEASE,
                self._token,
                self._holder,
                is_gone=self._is_gone or is_gone,
                clock=self._clock,
                waiting=self._monitor.waiting,
                on_activity=self._monitor.show_activity,
                only_here=True,
            )
            try:
                return (yield from under_lease(acquiring, work))
            except ServerRestartedError:
                if servers == _MAX_SERVERS:
                    raise


def _require_active(record: IndexRecord) -> Op[None]:
    """Raise MigrationError if the alias of a record is gone and its index is not: it would be taken for unused."""
    if (yield from find_index(record.name)) is not None:
        return
    index, built = yield from find_built(record.name, record.final)
    if built is not None:
        raise MigrationError(
            f"The alias {shown(record.name)} was removed by another client, so no alias points to the active index "
            f"{shown(index)}. Nothing was dropped.",
            Hint(
                "Restore the alias with: ",
                Command("migrate run"),
                f". To drop the index instead: redis-cli FT.DROPINDEX {shown(index)}",
            ),
        )


def _failed(
    failures: Sequence[tuple[PlannedIndex, MigrationError | CommandError]], done: int
) -> MigrationError:
    if len(failures) == 1 and isinstance(failures[0][1], MigrationError):
        return failures[0][1]
    lines = [f"  {one.model} ({one.name}): {error.message}" for one, error in failures]
    hints = [error.next_step for _, error in failures if isinstance(error, CommandError) and error.next_step]
    refused = "1 index was" if len(failures) == 1 else f"{len(failures)} indexes were"
    return MigrationError(
        f"{refused} refused; {done} others were migrated.\n" + "\n".join(lines),
        hints[0]
        if hints
        else Hint("Correct these models, or select others with --models. Then run: ", Command("migrate run")),
    )
