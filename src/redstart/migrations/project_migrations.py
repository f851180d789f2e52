"""The migration files of a project: applied in their order, contracted, and rolled back."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import TypeVar

from redstart.commands.server_info import server_time
from redstart.display import printable
from redstart.effects import Op, call
from redstart.errors import MigrationFileError, RollbackInProgressError
from redstart.migrations.context import Context
from redstart.migrations.data.record import read_record
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_estimate import (
    FileEstimate,
    WorkEstimate,
    count_removed,
    estimate_cleanup,
    estimate_files,
    estimate_rollback,
)
from redstart.migrations.file_integrity import require_intact_files, require_undo_log_of_file
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.file_results import AppliedFile, ContractResult, FileRollbackResult, FilesResult
from redstart.migrations.files.graph import FieldPath, state_after, with_dependencies
from redstart.migrations.files.ledger import LedgerEntry, read_ledger, record, remove, start
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.files.project_history import Difference, DifferenceKind, ProjectFiles, ProjectHistory
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.lease import Lease, acquire, renewing, under_lease
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.state_keys import FILES_LEASE, StateKeys
from redstart.migrations.steps.key_moves import KeyMove
from redstart.migrations.steps.record import read_steps
from redstart.next_steps import Command, Hint

T = TypeVar("T")


def migration_in(
    history: ProjectHistory, migration_id: str, exclude_prefixes: Iterable[str] = ()
) -> FileMigration:
    """Return a file between the models before and after it. Raises as `FileMigrations.migration`."""
    files = history.files
    at = next(number for number, file in enumerate(files) if file.migration_id == migration_id)
    before = state_after(files[:at])
    _ = state_after([files[at]], before)  # its error names the file and the operation
    return FileMigration.of(files[at], before, exclude_prefixes=exclude_prefixes)


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
        return migration_in(self.history, migration_id, self.exclude_prefixes)

    def require_intact(self) -> Op[None]:
        """Raise StateDamagedError if a key of an applied or started file is missing or damaged. Reads only."""
        begun = [item for item in self.history.items if item.is_begun and item.file is not None]
        yield from require_intact_files((item, self.migration(item.migration_id)) for item in begun)

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
            StateDamagedError: state of one of the files is missing or damaged; nothing was written.
            See `FileMigration.run` for others.

        Effects: see there. Each file is recorded when it is complete. Safe to repeat.
        """
        self.history.require_runnable()
        migrations = self.pending(to)[:limit]
        self._require_no_reused_paths([one.file.migration_id for one in migrations])
        yield from self.require_intact()

        def work(lease: Lease) -> Op[FilesResult]:
            yield from self._require_no_rollback()
            done: list[AppliedFile] = []
            for migration in migrations:
                file = migration.file
                if file.migration_id in (yield from read_ledger()).entries:
                    continue  # another process has applied it since
                self.on_file(file)
                began = self.context.clock()
                running = migration.run(
                    self.context, options, self._indexes(), index_options, partial(start, lease, file)
                )
                result = yield from renewing(lease, running)
                done.append(AppliedFile(file.migration_id, result, self.context.clock() - began))
                if not result.is_complete:
                    break
                yield from record(lease, [(yield from self._entry(migration, done[-1].seconds))])
            completed = {one.migration_id for one in done if one.result.is_complete}
            left = [file.migration_id for file in self.history.pending if file.migration_id not in completed]
            return FilesResult(tuple(done), tuple(left))

        return (yield from self._under_lease(work))

    def contract(self, options: RunOptions) -> Op[list[tuple[str, ContractResult]]]:
        """Complete the applied files when the versions before them are stopped, file by file.

        Documents that these versions wrote since are changed. Values, models and indexes that only these versions need
        are removed.

        Returns:
            The result of each file with something left to do. Only the last one may be incomplete.

        Raises:
            LeaseHeldError: another run is in progress.
            StateDamagedError: state of one of the files is missing or damaged; nothing was written.

        Effects: see `FileMigration.contract` and `FileMigration.remove_models`. Safe to repeat.
        """
        self.history.require_runnable()
        self._require_no_reused_paths(())
        used = self._models_after_all()
        yield from self.require_intact()

        def work(lease: Lease) -> Op[list[tuple[str, ContractResult]]]:
            yield from self._require_no_rollback()
            done: list[tuple[str, ContractResult]] = []
            for entry in self._to_contract((yield from read_ledger()).entries):
                migration = self._for_cleanup(entry.migration_id)
                self.on_file(migration.file)
                result = yield from renewing(lease, self._contracted(migration, options, used))
                done.append((entry.migration_id, result))
                if result.stopped is not None:
                    break
                now_ms = yield from call(server_time())
                yield from record(lease, [replace(entry, contracted_ms=now_ms)])
            return done

        return (yield from self._under_lease(work))

    def _require_no_reused_paths(self, to_apply: Collection[str]) -> None:
        """Raise the error of `_reused_paths`, if there is one."""
        for _, error in self._reused_paths(to_apply):
            raise error

    def names_in_use(self) -> list[Difference]:
        """Return the pending files that add a field whose former values stay until the cleanup of another file."""
        to_apply = [file.migration_id for file in self.history.pending]
        return [
            Difference(DifferenceKind.NAME_IN_USE, name, error.message, error.next_step or "")
            for name, error in self._reused_paths(to_apply)
        ]

    def _reused_paths(self, to_apply: Collection[str]) -> Iterator[tuple[str, MigrationFileError]]:
        """Yield the files that add a field whose former values stay until the cleanup of another file, and the refusal.

        The new field would have the former values, and the cleanup would remove the new ones.
        """
        left: dict[FieldPath, str] = {}
        for item in self.history.items:
            if item.file is None or (item.entry is None and item.migration_id not in to_apply):
                continue
            migration = self.migration(item.migration_id)
            for path in sorted(migration.added_paths() & left.keys()):
                first, name = printable(left[path]), printable(item.migration_id)
                error = MigrationFileError(
                    f"{name} adds the field {printable('.'.join(path[1:]))} of the documents {printable(path[0])}* "
                    f"again, which {first} removes only at the cleanup. The cleanup would remove the new values, too.",
                    Hint(
                        "Apply the first file with: ",
                        Command("upgrade", "--to", first),
                        ". Then stop the old version, and clean up with: ",
                        Command("migrate cleanup"),
                    ),
                )
                yield item.migration_id, error
            if item.entry is None or item.entry.contracted_ms is None:
                left |= dict.fromkeys(migration.paths_left_to_cleanup(), item.migration_id)

    def _models_after_all(self) -> ProjectState:
        return state_after([item.file for item in self.history.items if item.file is not None])

    def _contracted(
        self, migration: FileMigration, options: RunOptions, used: ProjectState
    ) -> Op[ContractResult]:
        data = yield from migration.contract(self.context, options)
        if data is not None and data.stopped is not None:
            return ContractResult(data)
        storage = yield from migration.contract_storage(self.context)
        if any(one.stopped is not None for one in storage):
            return ContractResult(data, storage=storage)
        removed = yield from migration.remove_models(self.context, self._indexes(), used)
        return ContractResult(data, removed, storage)

    def estimate_run(self, migrations: Sequence[FileMigration], rng: Random | None) -> Op[list[FileEstimate]]:
        """Return what a run of pending files would do now, and why it would be refused.

        Effects: reads only; see `estimate_files`.
        """
        found = yield from estimate_files(migrations, self.context, rng, self._models_after_all())
        refused = dict(self._reused_paths([one.file.migration_id for one in migrations]))
        return [
            replace(one, refusal=refused.get(one.migration.file.migration_id, one.refusal)) for one in found
        ]

    def count_removed(self, migrations: Sequence[FileMigration]) -> Op[dict[str, int]]:
        """Return the number of documents of each model that files remove. Reads only; see `count_removed`."""
        used = self._models_after_all()
        counts: dict[str, int] = {}
        moves: list[KeyMove] = []
        for migration in migrations:
            counts |= yield from count_removed(migration, used, moves)
            if migration.file in self.history.pending:
                moves += migration.steps.moves
        return counts

    def estimate_cleanup(self, ids: Iterable[str], rng: Random | None) -> Op[WorkEstimate]:
        """Return how much work `contract` is for applied files. Reads only; see `estimate_cleanup`."""
        migrations = [self._for_cleanup(name) for name in ids]
        return estimate_cleanup(migrations, self.context, rng, self._models_after_all())

    def estimate_rollback(self, ids: Iterable[str]) -> Op[WorkEstimate]:
        """Return how much work the rollback of files is. Reads only; see `estimate_rollback`."""
        seconds = {
            item.migration_id: item.entry.duration_ms / 1_000
            for item in self.history.items
            if item.entry is not None and item.entry.duration_ms is not None
        }
        return estimate_rollback([self.migration(name) for name in ids], seconds, self.context)

    def to_contract(self) -> list[str]:
        """Return the ids of applied files whose cleanup is pending."""
        entries = {item.migration_id: item.entry for item in self.history.items if item.entry}
        return [entry.migration_id for entry in self._to_contract(entries)]

    def roll_back(self, migration_id: str, index_options: ExpansionOptions) -> Op[FileRollbackResult]:
        """Roll back one file that is applied, or whose run was started.

        Raises:
            MigrationFileError: it is neither of them, has no file, was edited, or another such file depends on it;
                nothing was written.
            MigrationError: it was recorded without a run, or its undo log is lost; nothing was written.
            StateDamagedError: its state is missing or damaged; nothing was written.
            LeaseHeldError: another run is in progress.
            See `redstart.migrations.data.rollback.rollback` for others.

        Effects: see `FileMigration.roll_back`. Safe to repeat.
        """
        self.require_rollback(migration_id)
        migration = self.migration(migration_id)
        item = self.history.item(migration_id)
        yield from require_intact_files([(item, migration)])
        yield from require_undo_log_of_file(item, migration)

        def work(lease: Lease) -> Op[FileRollbackResult]:
            self.on_file(migration.file)
            yield from start(lease, migration.file)
            rolling_back = migration.roll_back(self.context, self._indexes(), index_options)
            result = yield from renewing(lease, rolling_back)
            if result.is_complete:
                yield from remove(lease, [migration_id])
            return result

        return (yield from self._under_lease(work))

    def roll_back_all(
        self, files: ProjectFiles, ids: Iterable[str], index_options: ExpansionOptions
    ) -> Op[list[FileRollbackResult]]:
        """Roll back files in the given order, up to the first that is not complete.

        Args:
            files: those of the history.
            ids: the last applied file first.

        Raises:
            See `roll_back`.

        Effects: see `roll_back`. Safe to repeat.
        """
        results: list[FileRollbackResult] = []
        for name in ids:
            migrations = replace(self, history=files.history)
            results.append((yield from migrations.roll_back(name, index_options)))
            if not results[-1].is_complete:
                break
            files = files.without(name)
        return results

    def after(self, migration_id: str | None) -> list[str]:
        """Return the ids of applied and started files that come after a file, the last one first; None for all.

        Raises:
            MigrationFileError: the file is not applied.
        """
        applied = [item.migration_id for item in self.history.items if item.is_begun]
        if migration_id is None:
            return applied[::-1]
        if migration_id not in applied:
            raise MigrationFileError(
                f"{printable(migration_id)} is not applied.",
                Hint("List the files with: ", Command("migrate history")),
            )
        return applied[: applied.index(migration_id) : -1]

    def require_rollback(self, migration_id: str) -> None:
        """Raise MigrationFileError if `roll_back` would be refused because of the files. Reads nothing."""
        item = self.history.item(migration_id)
        if not item.is_begun or item.file is None:
            reason = "is applied, but its file is missing" if item.is_begun else "is not applied"
            raise MigrationFileError(
                f"{printable(migration_id)} {reason}.",
                Hint("List the files with: ", Command("migrate history")),
            )
        self._require_unedited(migration_id)
        dependent = [
            other.migration_id
            for other in self.history.items
            if other.is_begun and other.file is not None and migration_id in other.file.dependencies
        ]
        if dependent:
            raise MigrationFileError(
                f"{printable(migration_id)} cannot be rolled back alone: {', '.join(map(printable, dependent))} "
                f"{'depends' if len(dependent) == 1 else 'depend'} on it.",
                Hint("Roll back the later files first: ", Command("migrate rollback", dependent[-1])),
            )

    def _require_unedited(self, migration_id: str) -> None:
        """Raise MigrationFileError if a file, or one before it, was edited: its operations are not those of the run."""
        known = {file.migration_id: file for file in self.history.files}
        needed = with_dependencies(migration_id, known)
        for one in self.history.differences():
            if one.kind is DifferenceKind.EDITED and one.migration_id in needed:
                raise MigrationFileError(one.message, one.hint)

    def _require_no_rollback(self) -> Op[None]:
        """Raise RollbackInProgressError if the rollback of a file was interrupted. A read for each file."""
        for item in self.history.items:
            if not item.is_begun:
                continue
            keys = StateKeys(item.migration_id)
            found = yield from read_record(keys)
            is_rolling_back = (yield from read_steps(keys)).is_rolling_back
            is_rolling_back |= item.entry is not None and item.started is not None
            if is_rolling_back or found.unfinished == "rollback" or found.cleared == "rollback":
                raise RollbackInProgressError(
                    f"The rollback of {printable(item.migration_id)} was interrupted and is not complete.",
                    Hint("Finish it with: ", Command("migrate rollback", item.migration_id)),
                )

    def _to_contract(self, entries: Mapping[str, LedgerEntry]) -> Iterable[LedgerEntry]:
        for item in self.history.items:
            entry = entries.get(item.migration_id)
            if entry is None or item.file is None or entry.contracted_ms is not None:
                continue
            if self._for_cleanup(item.migration_id).needs_cleanup:
                yield entry

    def _for_cleanup(self, migration_id: str) -> FileMigration:
        """Return a file that knows whether a later one has changed the same fields since."""
        migration = self.migration(migration_id)
        if not migration.changes_at_cleanup:
            return migration
        begun = [item.migration_id for item in self.history.items if item.is_begun and item.file is not None]
        later = begun[begun.index(migration_id) + 1 :] if migration_id in begun else []
        is_followed = any(migration.is_followed_by(self.migration(name)) for name in later)
        return replace(migration, is_followed=is_followed)

    def _entry(self, migration: FileMigration, seconds: float) -> Op[LedgerEntry]:
        file = migration.file
        now_ms = yield from call(server_time())
        operations = tuple(operation.describe() for operation in file.operations)
        duration_ms = round(seconds * 1_000)
        return LedgerEntry(file.migration_id, file.checksum, now_ms, self.user, duration_ms, operations)

    def _indexes(self) -> IndexMigration:
        context = self.context
        return IndexMigration(context.holder, context.token, context.clock, context.monitor, context.is_gone)

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
