"""The migration files of a project: applied in their order, contracted, and rolled back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from redstart.commands.server_info import server_time
from redstart.display import printable
from redstart.effects import Op, call
from redstart.errors import MigrationFileError, RollbackInProgressError
from redstart.migrations.context import Context
from redstart.migrations.data.record import read_record
from redstart.migrations.data.rollback import DataRollbackResult
from redstart.migrations.data.run import RunOptions, RunResult
from redstart.migrations.file_migration import FileMigration, FileResult
from redstart.migrations.files.graph import with_dependencies
from redstart.migrations.files.ledger import Ledger, LedgerEntry, read_ledger, record, remove
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.files.project_history import ProjectHistory
from redstart.migrations.files.replay import state_after
from redstart.migrations.indexes.expand import ExpansionOptions, IndexResult
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.lease import Lease, acquire, renewing, under_lease
from redstart.migrations.outcomes import Outcome
from redstart.migrations.state_keys import FILES_LEASE, StateKeys
from redstart.next_steps import Command, Hint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """One file that a run has worked on.

    Attributes:
        result: of its documents and indexes.
        seconds: how long it took.
    """

    migration_id: str
    result: FileResult
    seconds: float


@dataclass(frozen=True, slots=True)
class FilesResult:
    """The result of a run of migration files.

    Attributes:
        files: those worked on, in order. Only the last one may be incomplete.
        pending: ids of those that are still pending.
    """

    files: tuple[AppliedFile, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def stopped(self) -> AppliedFile | None:
        """The file at which the run stopped; None if it is complete."""
        return next((one for one in self.files if not one.result.is_complete), None)


@dataclass(frozen=True, slots=True)
class FileRollbackResult:
    """The result of a rollback of one file.

    Attributes:
        data: of its documents; None if it changed none.
        indexes: of its indexes.
    """

    migration_id: str
    data: DataRollbackResult | None
    indexes: tuple[IndexResult, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The outcome of the rollback."""
        if self.data is not None and self.data.stopped is not None:
            return Outcome.STOPPED
        if any(one.is_refused for one in self.indexes):
            return Outcome.CUTOVER_REFUSED
        is_left = self.data is not None and (self.data.kept or self.data.unrestored)
        return Outcome.PROBLEMS_FOUND if is_left else Outcome.DONE

    @property
    def is_complete(self) -> bool:
        """Return whether the file is not applied any more."""
        return self.outcome in (Outcome.DONE, Outcome.PROBLEMS_FOUND)


@dataclass(frozen=True, slots=True)
class FileMigrations:
    """The migration files of a project on one server.

    Attributes:
        history: the files, and what the server has recorded of them.
        context: of the operations; its transformation is not used.
        user: who applies the files.
        on_file: called with each file before its work begins.
        exclude_prefixes: see `FileMigration`.
    """

    history: ProjectHistory
    context: Context
    user: str
    on_file: Callable[[MigrationFile], None] = field(default=lambda _: None)
    exclude_prefixes: tuple[str, ...] = ()

    def migration(self, migration_id: str) -> FileMigration:
        """Return a file between the models before and after it.

        Raises:
            MigrationFileError, MigrationStateError: an operation does not fit the files before it.
            UnsupportedOperationError: this version does not run one of its operations.
        """
        files = [item.file for item in self.history.items if item.file is not None]
        at = next(number for number, file in enumerate(files) if file.migration_id == migration_id)
        before = state_after(files[:at])
        return FileMigration.of(files[at], before, exclude_prefixes=self.exclude_prefixes)

    def pending(self, to: str | None = None) -> list[FileMigration]:
        """Return the pending files, in order.

        Args:
            to: the id of the last one; by default all.

        Raises:
            See `migration`.
        """
        files = self.history.pending
        if to is not None:
            known = {file.migration_id: file for file in files}
            if to not in known:
                raise MigrationFileError(
                    f"{printable(to)} is not pending.",
                    Hint("List the files with: ", Command("migrate history")),
                )
            needed = with_dependencies(to, known)
            files = [file for file in files if file.migration_id in needed]
        return [self.migration(file.migration_id) for file in files]

    def run(
        self,
        options: RunOptions,
        index_options: ExpansionOptions,
        *,
        to: str | None = None,
        limit: int | None = None,
    ) -> Op[FilesResult]:
        """Apply the pending files, in order.

        Args:
            options, index_options: of the work on documents and indexes.
            to: the id of the last one; by default all.
            limit: how many at most.

        Raises:
            MigrationFileError: the files cannot be used, or do not match the record; nothing was written.
            LeaseHeldError: another run is in progress.
            RollbackInProgressError: the rollback of a file was interrupted.
            See `FileMigration.run` for others.

        Effects: see there. Each file is recorded when it is complete. Safe to repeat.
        """
        self.history.require_runnable()
        migrations = self.pending(to)[:limit]

        def work(lease: Lease) -> Op[FilesResult]:
            yield from self._require_no_rollback()
            done: list[AppliedFile] = []
            for migration in migrations:
                file = migration.file
                if file.migration_id in (yield from read_ledger()).entries:
                    continue  # another process has applied it since
                self.on_file(file)
                began = self.context.clock()
                result = yield from renewing(
                    lease, migration.run(self.context, options, self._indexes(), index_options)
                )
                done.append(AppliedFile(file.migration_id, result, self.context.clock() - began))
                if not result.is_complete:
                    break
                yield from record(lease, [(yield from self._entry(migration, done[-1].seconds))])
            completed = {one.migration_id for one in done if one.result.is_complete}
            left = [file.migration_id for file in self.history.pending if file.migration_id not in completed]
            return FilesResult(tuple(done), tuple(left))

        return (yield from self._under_lease(work))

    def contract(self, options: RunOptions) -> Op[list[tuple[str, RunResult]]]:
        """Remove the values that only versions before the applied files need, file by file.

        Returns:
            The result of each file that removes values. Only the last one may be incomplete.

        Raises:
            LeaseHeldError: another run is in progress.

        Effects: see `FileMigration.contract`. Safe to repeat.
        """
        self.history.require_runnable()

        def work(lease: Lease) -> Op[list[tuple[str, RunResult]]]:
            yield from self._require_no_rollback()
            done: list[tuple[str, RunResult]] = []
            for entry in self._to_contract((yield from read_ledger())):
                migration = self.migration(entry.migration_id)
                if not migration.removes_values:
                    continue
                self.on_file(migration.file)
                result = yield from renewing(lease, migration.contract(self.context, options))
                assert result is not None
                done.append((entry.migration_id, result))
                if result.stopped is not None:
                    break
                now_ms = yield from call(server_time())
                yield from record(lease, [replace(entry, contracted_ms=now_ms)])
            return done

        return (yield from self._under_lease(work))

    def to_contract(self) -> list[str]:
        """Return the ids of applied files whose removals are not made."""
        entries = {item.migration_id: item.entry for item in self.history.items if item.entry and item.file}
        return [
            name
            for name, entry in entries.items()
            if entry.contracted_ms is None and self.migration(name).removes_values
        ]

    def roll_back(self, migration_id: str, index_options: ExpansionOptions) -> Op[FileRollbackResult]:
        """Roll back one applied file.

        Raises:
            MigrationFileError: it is not applied, has no file, or an applied file depends on it; nothing was written.
            LeaseHeldError: another run is in progress.
            See `redstart.migrations.data.rollback.rollback` for others.

        Effects: see `FileMigration.roll_back`. Safe to repeat.
        """
        self._require_last(migration_id)
        migration = self.migration(migration_id)

        def work(lease: Lease) -> Op[FileRollbackResult]:
            self.on_file(migration.file)
            rolling_back = migration.roll_back(self.context, self._indexes(), index_options)
            data, indexes = yield from renewing(lease, rolling_back)
            result = FileRollbackResult(migration_id, data, tuple(indexes))
            if result.is_complete:
                yield from remove(lease, [migration_id])
            return result

        return (yield from self._under_lease(work))

    def after(self, migration_id: str | None) -> list[str]:
        """Return the ids of applied files that come after a file, the last one first; None for all applied files.

        Raises:
            MigrationFileError: the file is not applied.
        """
        applied = [item.migration_id for item in self.history.items if item.entry is not None]
        if migration_id is None:
            return applied[::-1]
        if migration_id not in applied:
            raise MigrationFileError(
                f"{printable(migration_id)} is not applied.",
                Hint("List the files with: ", Command("migrate history")),
            )
        return applied[: applied.index(migration_id) : -1]

    def _require_last(self, migration_id: str) -> None:
        item = self.history.item(migration_id)
        if item.entry is None or item.file is None:
            reason = "is not applied" if item.entry is None else "is applied, but its file is missing"
            raise MigrationFileError(
                f"{printable(migration_id)} {reason}.",
                Hint("List the files with: ", Command("migrate history")),
            )
        dependent = [
            other.migration_id
            for other in self.history.items
            if other.entry is not None and other.file is not None and migration_id in other.file.dependencies
        ]
        if dependent:
            raise MigrationFileError(
                f"{printable(migration_id)} cannot be rolled back alone: {', '.join(map(printable, dependent))} "
                f"{'depends' if len(dependent) == 1 else 'depend'} on it.",
                Hint("Roll back the later files first: ", Command("migrate rollback", dependent[-1])),
            )

    def _require_no_rollback(self) -> Op[None]:
        """Raise RollbackInProgressError if the rollback of an applied file was interrupted. A read for each file."""
        for item in self.history.items:
            if item.entry is None:
                continue
            found = yield from read_record(StateKeys(item.migration_id))
            if found.unfinished == "rollback" or found.cleared == "rollback":
                raise RollbackInProgressError(
                    f"The rollback of {printable(item.migration_id)} was interrupted and is not complete.",
                    Hint("Finish it with: ", Command("migrate rollback", item.migration_id)),
                )

    def _to_contract(self, ledger: Ledger) -> Iterable[LedgerEntry]:
        for item in self.history.items:
            entry = ledger.entries.get(item.migration_id)
            if entry is not None and item.file is not None and entry.contracted_ms is None:
                yield entry

    def _entry(self, migration: FileMigration, seconds: float) -> Op[LedgerEntry]:
        file = migration.file
        now_ms = yield from call(server_time())
        operations = tuple(operation.describe() for operation in file.operations)
        duration_ms = round(seconds * 1_000)
        return LedgerEntry(file.migration_id, file.checksum, now_ms, self.user, duration_ms, operations)

    def _indexes(self) -> IndexMigration:
        context = self.context
        return IndexMigration(context.holder, context.token, context.clock, context.monitor)

    def _under_lease(self, work: Callable[[Lease], Op[T]]) -> Op[T]:
        context = self.context
        acquiring = acquire(
            FILES_LEASE,
            context.token,
            context.holder,
            is_gone=context.is_gone,
            clock=context.clock,
            waiting=context.monitor.waiting,
        )
        return (yield from under_lease(acquiring, work))
