"""One migration file on the engines: its changes of documents and of indexes, forward and back.

Documents first get the values that the new version needs (expand). Then the new indexes are built and cut over, and
documents move to new keys. What only the old version needs is removed at last, by `contract` and `remove_models`. Each
step can be repeated after a stop at any point.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from redstart.effects import Op
from redstart.migrations.context import Context
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.operation_edits import BoundChange
from redstart.migrations.data.operation_transformation import ModelChanges, OperationTransformation
from redstart.migrations.data.plan import Plan, with_prefixes
from redstart.migrations.data.record import read_record
from redstart.migrations.data.results import DataRollbackResult, RunOptions, RunResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.data.verify import Verification, verify
from redstart.migrations.failure import FailureMode, FailureSummary
from redstart.migrations.file_indexes import FileIndexes, numbers_of
from redstart.migrations.file_results import FileResult, FileRollbackResult
from redstart.migrations.files.graph import FieldPath, operations_on_reused_paths, removed_and_added_paths
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.indexes.expand import ExpansionOptions, IndexResult
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import require_migratable
from redstart.migrations.indexes.state import hash_key, schema_key
from redstart.migrations.key_ownership import require_own_documents
from redstart.migrations.operations.base import DocumentOperation, DocumentPipeline, Unchanged
from redstart.migrations.operations.conversion import ConvertedField
from redstart.migrations.operations.models import ChangeStorage
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.server_checks import has_search
from redstart.migrations.steps.file_steps import FileSteps
from redstart.migrations.steps.functions import FunctionsResult, call_up
from redstart.migrations.steps.key_moves import MoveResult, begin_move, move_keys
from redstart.migrations.steps.removed_models import (
    RemovalResult,
    owner_of_documents,
    remove_documents,
)
from redstart.migrations.steps.storage_changes import StorageResult, begin_storage_change, change_storage
from redstart.migrations.unmanaged_indexes import require_indexes_unaffected
from redstart.next_steps import Command


@dataclass(frozen=True, slots=True)
class FileMigration:
    """A migration file between the models before and after it.

    Attributes:
        before, after: the models.
        models: the changes of documents.
        steps: everything else.
        exclude_prefixes: key prefixes, longer than that of a model, whose keys belong to no model.
        stops_at_failures: whether a run stops at the first document that cannot be changed.
        is_followed: whether a later file is applied that changes the same fields. A cleanup that only adds or converts
            values could then undo the change of the later file.
    """

    file: MigrationFile
    before: ProjectState
    after: ProjectState
    models: tuple[ModelChanges, ...]
    steps: FileSteps
    exclude_prefixes: tuple[str, ...] = ()
    stops_at_failures: bool = False
    is_followed: bool = False

    @classmethod
    def of(
        cls, file: MigrationFile, before: ProjectState, *, exclude_prefixes: Iterable[str] = ()
    ) -> "FileMigration":
        """Return the migration of a file.

        Raises:
            MigrationStateError: an operation does not fit the models before it.
        """
        state, names = before, {name: name for name in before.models}
        stored_otherwise: set[str] = set()
        found: dict[str, list[BoundChange]] = {}
        at_once = operations_on_reused_paths(file.operations, before)
        for number, operation in enumerate(file.operations):
            if isinstance(operation, DocumentOperation):
                change = operation.bind(state)
                if number in at_once:
                    change.decided_by_shape = False
                if isinstance(operation, ChangeStorage):
                    stored_otherwise.add(names.get(operation.model, operation.model))
                if not isinstance(change, Unchanged):
                    bound = BoundChange(change, operation.only_removes)
                    found.setdefault(names.get(operation.model, operation.model), []).append(bound)
            following = operation.apply(state)
            names |= _renamed(state, following, names)
            state = following
        # Models that the file creates have no documents yet.
        models = tuple(
            ModelChanges(before.models[name], tuple(bound))
            for name, bound in sorted(found.items())
            if name in before.models and name not in stored_otherwise
        )
        # Such documents are replaced as a whole, with all their changes.
        pipelines = {
            name: DocumentPipeline(one.change for one in found[name])
            for name in stored_otherwise
            if name in before.models
        }
        excluded = tuple(exclude_prefixes)
        steps = FileSteps.of(file.operations, before, state, names, excluded, pipelines)
        stops = any(
            isinstance(one.change, ConvertedField) and one.change.on_failure is FailureMode.FAIL
            for model in models
            for one in model.changes
        )
        return cls(file, before, state, models, steps, excluded, stops)

    @property
    def moves_documents(self) -> bool:
        """Return whether documents that it changes move to other keys. Then old values are removed before the move."""
        moved = {move.before.name for move in self.steps.moves}
        return any(model.model.name in moved for model in self.models)

    @property
    def needs_cleanup(self) -> bool:
        """Return whether something is left to change or to remove when the old version is stopped."""
        return self.changes_at_cleanup or bool(
            self.steps.removed or self.steps.storage or self.steps.unused_indexes(self.after)
        )

    @property
    def changes_at_cleanup(self) -> bool:
        """Return whether a cleanup changes documents that the old version has written since, or removes fields."""
        if self.changes_at_once or not self.models:
            return False
        if self.removes_fields:
            return True
        changes = [one for model in self.models for one in model.changes]
        return not self.is_followed and all(one.change.is_repeatable for one in changes)

    @property
    def removes_fields(self) -> bool:
        """Return whether a cleanup removes fields."""
        if self.changes_at_once:
            return False
        return any(
            one.is_removal or len(one.change.writes) > 1 for model in self.models for one in model.changes
        )

    @property
    def changes_at_once(self) -> bool:
        """Return whether a run makes all changes of documents, also the removals, so that no cleanup repeats them."""
        return self.moves_documents or not self.transformation().decided_by_shape

    def is_followed_by(self, later: "FileMigration") -> bool:
        """Return whether documents that a later file has changed can look as if this file had not changed them."""
        written = {model.model.key_prefix: model.written_names for model in self.models}
        return any(
            later.changes_at_once or not model.written_names.isdisjoint(written[model.model.key_prefix])
            for model in later.models
            if model.model.key_prefix in written
        )

    def paths_left_to_cleanup(self) -> set[FieldPath]:
        """Return the paths of fields that stay in documents until the cleanup, although no model has them."""
        if not self.removes_fields:
            return set()
        steps = zip(
            self.file.operations, removed_and_added_paths(self.file.operations, self.before), strict=True
        )
        return {path for one, (removed, _) in steps if isinstance(one, DocumentOperation) for path in removed}

    def added_paths(self) -> set[FieldPath]:
        """Return the paths of fields that its operations add to models."""
        found = removed_and_added_paths(self.file.operations, self.before)
        return {path for _, added in found for path in added}

    def transformation(self, *, removes: bool = False, after_run: bool = False) -> OperationTransformation:
        """Return its changes of documents.

        Args:
            removes: whether values are removed, too.
            after_run: whether the new version may have written documents.
        """
        file = self.file
        title = file.description or file.migration_id
        models = [one.after_run() for one in self.models] if after_run else self.models
        is_cleanup = removes and after_run
        return OperationTransformation(
            file.migration_id, title, models, removes=removes, is_cleanup=is_cleanup
        )

    def plan(self) -> Plan:
        """Return which values of which keys it reads and changes. Keys of other models are left out."""
        return self._without_others(self.transformation().plan())

    def _plan_of_steps(self, *models: ModelState) -> Plan:
        """Return the plan of models whose documents are moved or removed as a whole."""
        return self._without_others(Plan(tuple(ModelChanges(model, ()).planned() for model in models)))

    def _without_others(self, plan: Plan) -> Plan:
        others = [model.key_prefix for state in (self.before, self.after) for model in state.models.values()]
        return with_prefixes(plan, excluded=[*others, *self.exclude_prefixes])

    @property
    def file_indexes(self) -> FileIndexes:
        """Its indexes."""
        return FileIndexes(self.before, self.after, self.steps.moves, numbers_of(self.models))

    def context(self, base: Context, *, removes: bool = False, after_run: bool = False) -> Context:
        """Return the context of its operations, from that of another data migration."""
        return replace(base, transformation=self.transformation(removes=removes, after_run=after_run))

    def run(
        self,
        base: Context,
        options: RunOptions,
        indexes: IndexMigration,
        index_options: ExpansionOptions,
        begin: Callable[[], Op[None]] | None = None,
    ) -> Op[FileResult]:
        """Expand the documents, and cut over the indexes.

        Args:
            begin: records that the run has started; called before the first write.

        Raises:
            See `redstart.migrations.data.run.run` and `IndexMigration.run`.

        Effects: those of both. Safe to repeat.
        """
        moving = {one.model for one in self.file_indexes.of_moves()}
        yield from self.require_possible(index_options)
        if begin is not None:
            yield from begin()
        context = self.context(base, removes=self.moves_documents)
        called: list[FunctionsResult] = []
        if self.steps.first:
            called.append((yield from call_up(context, self.steps.first)))
            if called[-1].stopped is not None:
                return FileResult(None, functions=tuple(called))
        unchangeable = yield from self._begin_storage_changes(context)
        if unchangeable.stopped is not None:
            return replace(unchangeable, functions=tuple(called))
        for move in self.steps.moves:
            names = (key for name in move.index_names for key in (hash_key(name), schema_key(name)))
            yield from begin_move(context, move, {name.encode() for name in names})
        planned = yield from self.file_indexes.first()
        prefixes = {one.key_prefix for one in planned}
        prepared = yield from self._prepare(planned, prefixes, indexes, index_options)
        if any(one.is_refused for one in prepared):
            return FileResult(None, prepared, is_prepared=False)
        result = replace((yield from self._change(context, options)), functions=tuple(called))
        if planned and result.is_complete:
            result = replace(
                result, indexes=(yield from self._cut_over(planned, prefixes, indexes, index_options))
            )
        if not result.is_complete:
            return result
        if self.steps.moves:
            result = yield from self._move(context, result)
            final = [one for one in self.file_indexes.changed() if one.model in moving]
            if result.is_complete and final:
                cut_over = yield from self._cut_over(final, prefixes, indexes, index_options)
                result = replace(result, indexes=(*result.indexes, *cut_over))
        if result.is_complete and self.steps.last:
            called.append((yield from call_up(context, self.steps.last)))
            result = replace(result, functions=tuple(called))
        return result

    def _change(self, context: Context, options: RunOptions) -> Op[FileResult]:
        """Change the documents, and after them the storage of others."""
        result = FileResult(None)
        if self.models:
            # A function at the end may need all documents to be changed.
            options = replace(
                self._options(options), ends_beside_writers=self.changes_at_cleanup and not self.steps.last
            )
            result = FileResult((yield from run(context, self.plan(), options)))
        if result.is_complete:
            result = yield from self._change_storage(context, result)
        return replace(result, failures=FailureSummary((yield from FailureLog(context.keys).all())))

    def _begin_storage_changes(self, context: Context) -> Op[FileResult]:
        """Read the documents whose storage changes. Return a stopped result if one of them prevents the change."""
        result = FileResult(None)
        for change in self.steps.storage:
            found = yield from begin_storage_change(context, change)
            if found.refusal is not None:
                stopped = f"{found.refusal}; nothing was changed"
                number = found.failed
                failed = StorageResult(change.move.before.name, 0, 0, number, stopped, found.failures)
                result.failures.add(found.failures)
                return replace(result, storage=(failed,))
        return result

    def _change_storage(self, context: Context, result: FileResult) -> Op[FileResult]:
        """Change the storage of documents, and return the result with that of the changes."""
        found: list[StorageResult] = []
        for change in self.steps.storage:
            found.append((yield from change_storage(context, change)))
            if found[-1].stopped is not None:
                break
        return replace(result, storage=tuple(found))

    def _options(self, options: RunOptions) -> RunOptions:
        return replace(options, failure_mode=FailureMode.FAIL) if self.stops_at_failures else options

    def _move(self, context: Context, result: FileResult) -> Op[FileResult]:
        """Move documents to their new keys, and return the result with that of the moves."""
        moves: list[MoveResult] = []
        for move in self.steps.moves:
            moves.append((yield from move_keys(context, move)))
            if moves[-1].stopped is not None:
                break
        failures = FailureSummary((yield from FailureLog(context.keys).all()))
        return replace(result, moves=tuple(moves), failures=failures)

    def _prepare(
        self,
        planned: Sequence[PlannedIndex],
        prefixes: set[str],
        indexes: IndexMigration,
        options: ExpansionOptions,
        *,
        back: bool = False,
    ) -> Op[tuple[IndexResult, ...]]:
        """Replace active indexes that would lose documents when these change.

        Args:
            planned: the indexes to cut over later: the server is asked now whether it accepts them.
        """
        transitions = yield from self.file_indexes.transitions(back=back)
        if not transitions:
            return ()
        _ = yield from require_migratable(planned, keep_old_index=options.keep_old_index)
        return tuple((yield from indexes.run(transitions, lambda: _all(prefixes), options)))

    @staticmethod
    def _cut_over(
        planned: Sequence[PlannedIndex],
        prefixes: set[str],
        indexes: IndexMigration,
        index_options: ExpansionOptions,
    ) -> Op[tuple[IndexResult, ...]]:
        """Cut over indexes whose documents are converted, and keep them."""
        results = yield from indexes.run(planned, lambda: _all(prefixes), index_options)
        if not any(one.is_refused for one in results):
            yield from indexes.settle([one.name for one in results])
        return tuple(results)

    def require_possible(self, options: ExpansionOptions) -> Op[None]:
        """Raise MigrationError if documents belong to another index, or would drop out of one that has no model."""
        plan, transformation = self.plan(), self.transformation()
        yield from require_own_documents(plan, transformation, None)
        moves = (*self.steps.moves, *(one.move for one in self.steps.storage))
        moved = self._plan_of_steps(*(move.before for move in moves))
        yield from require_own_documents(moved, transformation, None)
        if not options.accept_unindexed and (yield from has_search()):
            planned = yield from self.file_indexes.first()
            yield from require_indexes_unaffected(plan, planned, transformation, Command("upgrade"))

    def contract(self, base: Context, options: RunOptions) -> Op[RunResult | None]:
        """Change the documents that the version before it wrote since, and remove what only that version needs.

        Returns:
            None if it changes no documents at the cleanup.

        Effects: those of `redstart.migrations.data.run.run`. Safe to repeat.
        """
        if not self.changes_at_cleanup:
            return None
        context = self.context(base, removes=True, after_run=True)
        return (yield from run(context, self.plan(), self._options(options)))

    def contract_storage(self, base: Context) -> Op[tuple[StorageResult, ...]]:
        """Change the storage of documents that the version before it has written since.

        Effects: those of `change_storage`. Safe to repeat.
        """
        if not self.steps.storage:
            return ()
        return (yield from self._change_storage(self.context(base), FileResult(None))).storage

    def remove_models(
        self, base: Context, indexes: IndexMigration, used: ProjectState
    ) -> Op[tuple[RemovalResult, ...]]:
        """Remove the documents of removed models, and the indexes that only the version before it uses.

        Args:
            used: the models after all files. None of their documents is removed.

        Raises:
            MigrationError: keys with a longer key prefix belong to another model or index; none was removed.

        Effects: those of `remove_documents` and `IndexMigration.remove`. Safe to repeat.
        """
        results: list[RemovalResult] = []
        for model in self.steps.removed:
            owner = owner_of_documents(model, used.models.values())
            if owner is not None:
                results.append(RemovalResult(model.name, 0, None, owner.name))
                continue
            yield from require_own_documents(self._plan_of_steps(model), self.transformation(), None)
            results.append((yield from remove_documents(self.context(base), model, self.exclude_prefixes)))
            if results[-1].stopped is not None:
                return tuple(results)
        unused = self.steps.unused_indexes(used)
        if unused:
            yield from indexes.remove(unused)
        return tuple(results)

    def verify(self, base: Context) -> Op[Verification | None]:
        """Read every document that it changes; None if it changes none. Reads only."""
        if not self.models:
            return None
        return (yield from verify(self.context(base, after_run=True), self.plan()))

    def roll_back(
        self, base: Context, indexes: IndexMigration, index_options: ExpansionOptions
    ) -> Op[FileRollbackResult]:
        """Restore the documents, and the indexes before it.

        Effects: those of `rollback` and `IndexMigration.run`. Safe to repeat.
        """
        data: DataRollbackResult | None = None
        index_options = replace(index_options, is_rollback=True)
        context = self.context(base)
        if self.steps:
            yield from self.steps.begin_rollback(context)
            yield from self.steps.undo(context, self.steps.last)
        of_move = yield from self.file_indexes.of_moves_on_server(back=True)
        planned = self.file_indexes.changed(back=True)
        prefixes = {one.key_prefix for one in (*planned, *of_move)}
        results: tuple[IndexResult, ...] = ()
        if of_move:
            results = yield from self._cut_over(of_move, prefixes, indexes, index_options)
            if any(one.is_refused for one in results):
                return FileRollbackResult(self.file.migration_id, None, results)
        results = yield from self._prepare(planned, prefixes, indexes, index_options, back=True)
        if any(one.is_refused for one in results):
            return FileRollbackResult(self.file.migration_id, None, results)
        moves, restored = yield from self.steps.move_back(context)
        storage = yield from self.steps.restore_storage(context)
        if self.models and not (yield from read_record(context.keys)).is_new:
            data = yield from rollback(context)
        result = FileRollbackResult(
            self.file.migration_id,
            data,
            moves=moves,
            restored_documents=restored,
            originals=storage.originals,
            storage=storage.changes,
            unrestored=storage.unrestored,
        )
        if not result.is_complete:
            return result
        if planned:
            results = yield from self._cut_over(planned, prefixes, indexes, index_options)
        result = replace(result, indexes=results)
        if not result.is_complete:
            return result
        kept = {one.index.name for one in self.before.models.values() if one.index is not None}
        moves_of_keys = (*self.steps.moves, *(one.move for one in self.steps.storage))
        created = [name for move in moves_of_keys for name in move.index_names if name not in kept]
        if created:
            yield from indexes.remove(created)
        yield from self.steps.undo(context, self.steps.first)
        if self.steps:
            yield from self.steps.end_rollback(context)
        return result


def _renamed(before: ProjectState, after: ProjectState, names: Mapping[str, str]) -> dict[str, str]:
    """Return the original names of models that an operation has renamed, by their new names."""
    new = [name for name in after.models if name not in before.models]
    old = [name for name in before.models if name not in after.models]
    if len(new) == len(old) == 1:
        return {new[0]: names.get(old[0], old[0])}
    return {}


def _all(prefixes: set[str]) -> Op[set[str]]:
    yield from ()
    return prefixes
