"""One migration file on the engines: its changes of documents and of indexes, forward and back.

Documents first get the values that the new version needs (expand). Then the new indexes are built and cut over, and
documents move to new keys. What only the old version needs is removed at last, by `contract` and `remove_models`. Each
step can be repeated after a stop at any point.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from redstart.effects import Op
from redstart.errors import UnsupportedOperationError
from redstart.migrations.context import Context
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.operation_transformation import (
    BoundChange,
    ModelChanges,
    OperationTransformation,
)
from redstart.migrations.data.plan import Plan, with_prefixes
from redstart.migrations.data.record import read_record
from redstart.migrations.data.rollback import DataRollbackResult, rollback
from redstart.migrations.data.run import RunOptions, RunResult, run
from redstart.migrations.data.verify import Verification, verify
from redstart.migrations.failure import FailureMode, FailureSummary
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.indexes.expand import ExpansionOptions, IndexResult
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.state import hash_key, schema_key
from redstart.migrations.key_ownership import require_own_documents
from redstart.migrations.operations.base import DocumentOperation, Operation, Unchanged
from redstart.migrations.operations.converted_field import ConvertedField
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.fields import RemoveField
from redstart.migrations.operations.models import ChangeStorage
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.outcomes import Outcome
from redstart.migrations.server_checks import has_search
from redstart.migrations.steps.file_steps import FileSteps, with_both_prefixes
from redstart.migrations.steps.functions import FunctionsResult, call_up
from redstart.migrations.steps.key_moves import MoveResult, begin_move, move_keys
from redstart.migrations.steps.removed_models import (
    RemovalResult,
    owner_of_documents,
    remove_documents,
)
from redstart.migrations.unmanaged_indexes import require_indexes_unaffected
from redstart.next_steps import Command
from redstart.search.schema import FieldKind, schema_text

NOT_RUN = (ChangeStorage,)
"""Operations that can be declared, and that this version does not run."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result of a run of one file.

    Attributes:
        data: of its documents; None if it changes none, or if an index could not be prepared.
        indexes: of its indexes.
        failures: documents that could not be changed, by reason.
        is_prepared: False if an index could not be prepared; then no document was changed.
        moves: of documents to new keys.
        functions: of RunPython.
    """

    data: RunResult | None
    indexes: tuple[IndexResult, ...] = ()
    failures: FailureSummary = field(default_factory=FailureSummary)
    is_prepared: bool = True
    moves: tuple[MoveResult, ...] = ()
    functions: tuple[FunctionsResult, ...] = ()

    @property
    def stopped(self) -> str | None:
        """Why the run stopped early; None if it did not, or if a cutover was refused."""
        parts = (self.data, *self.moves, *self.functions)
        return next((one.stopped for one in parts if one is not None and one.stopped is not None), None)

    @property
    def outcome(self) -> Outcome:
        """The outcome of the file."""
        if not self.is_prepared:
            return Outcome.NOT_STARTED
        if self.stopped is not None:
            return Outcome.STOPPED
        is_refused = any(one.is_refused for one in self.indexes)
        return Outcome.CUTOVER_REFUSED if is_refused else Outcome.DONE

    @property
    def is_complete(self) -> bool:
        """Return whether everything is done."""
        return self.outcome is Outcome.DONE


@dataclass(frozen=True, slots=True)
class FileRollbackResult:
    """The result of a rollback of one file.

    Attributes:
        data: of its documents; None if it changed none.
        indexes: of its indexes.
        moves: of documents back to their old keys.
        restored_documents: number of documents of removed models that are restored.
    """

    migration_id: str
    data: DataRollbackResult | None
    indexes: tuple[IndexResult, ...] = ()
    moves: tuple[MoveResult, ...] = ()
    restored_documents: int = 0

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
class FileMigration:
    """A migration file between the models before and after it.

    Attributes:
        before, after: the models.
        models: the changes of documents.
        steps: everything else.
        exclude_prefixes: key prefixes, longer than that of a model, whose keys belong to no model.
        is_followed: whether a later file is applied that changes the same fields. A cleanup that only adds or converts
            values could then undo the change of the later file.
    """

    file: MigrationFile
    before: ProjectState
    after: ProjectState
    models: tuple[ModelChanges, ...]
    steps: FileSteps
    exclude_prefixes: tuple[str, ...] = ()
    is_followed: bool = False

    @classmethod
    def of(
        cls, file: MigrationFile, before: ProjectState, *, exclude_prefixes: Iterable[str] = ()
    ) -> "FileMigration":
        """Return the migration of a file.

        Raises:
            MigrationStateError: an operation does not fit the models before it.
            UnsupportedOperationError: this version does not run one of its operations.
        """
        state, names = before, {name: name for name in before.models}
        found: dict[str, list[BoundChange]] = {}
        at_once = operations_on_reused_paths(file.operations, before)
        for number, operation in enumerate(file.operations):
            _require_supported(file, operation)
            if isinstance(operation, DocumentOperation):
                change = operation.bind(state)
                if number in at_once:
                    change.decided_by_shape = False
                if not isinstance(change, Unchanged):
                    bound = BoundChange(change, isinstance(operation, RemoveField))
                    found.setdefault(names.get(operation.model, operation.model), []).append(bound)
            following = operation.apply(state)
            names |= _renamed(state, following, names)
            state = following
        # Models that the file creates have no documents yet.
        models = tuple(
            ModelChanges(before.models[name], tuple(bound))
            for name, bound in sorted(found.items())
            if name in before.models
        )
        excluded = tuple(exclude_prefixes)
        steps = FileSteps.of(file.operations, before, state, names, excluded)
        return cls(file, before, state, models, steps, excluded)

    @property
    def _stops_at_failures(self) -> bool:
        bound = (one.change for model in self.models for one in model.changes)
        return any(
            isinstance(change, ConvertedField) and change.on_failure is FailureMode.FAIL for change in bound
        )

    @property
    def moves_documents(self) -> bool:
        """Return whether documents that it changes move to other keys. Then all values are removed before the move."""
        moved = {move.before.name for move in self.steps.moves}
        return any(model.model.name in moved for model in self.models)

    @property
    def needs_cleanup(self) -> bool:
        """Return whether something is left to change or to remove when the old version is stopped."""
        return self.changes_at_cleanup or bool(self.steps.removed or self.steps.unused_indexes(self.after))

    @property
    def changes_at_cleanup(self) -> bool:
        """Return whether a cleanup changes documents: those that the old version wrote since, and removes fields."""
        if self.changes_at_once or not self.models:
            return False
        changes = [one for model in self.models for one in model.changes]
        if any(one.is_removal or len(one.change.writes) > 1 for one in changes):
            return True
        return not self.is_followed and all(one.change.is_repeatable for one in changes)

    @property
    def changes_at_once(self) -> bool:
        """Return whether a run makes all changes of documents, also the removals, so that no cleanup repeats them."""
        return self.moves_documents or not self.transformation().decided_by_shape

    def is_followed_by(self, later: "FileMigration") -> bool:
        """Return whether a later file changes the same documents so that they can seem to be unchanged by this one."""
        written = {model.model.key_prefix: model.written_names for model in self.models}
        return any(
            later.changes_at_once or not model.written_names.isdisjoint(written[model.model.key_prefix])
            for model in later.models
            if model.model.key_prefix in written
        )

    def transformation(self, *, removes: bool = False) -> OperationTransformation:
        """Return its changes of documents."""
        file = self.file
        title = file.description or file.migration_id
        return OperationTransformation(file.migration_id, title, self.models, removes=removes)

    def plan(self) -> Plan:
        """Return which values of which keys it reads and changes. Keys of other models are left out."""
        return self._without_others(self.transformation().plan())

    def _plan_of_steps(self, *models: ModelState) -> Plan:
        """Return the plan of models whose documents are moved or removed as a whole."""
        return self._without_others(Plan(tuple(ModelChanges(model, ()).planned() for model in models)))

    def _without_others(self, plan: Plan) -> Plan:
        others = [model.key_prefix for state in (self.before, self.after) for model in state.models.values()]
        return with_prefixes(plan, excluded=[*others, *self.exclude_prefixes])

    def indexes(self, *, back: bool = False) -> list[PlannedIndex]:
        """Return the indexes after it that differ from those before; or, for a rollback, the reverse."""
        old, new = (self.after, self.before) if back else (self.before, self.after)
        return [
            planned_index(model, old.models.get(_name_in(old, model)))
            for model in new.models.values()
            if model.index is not None and model.index != _index_in(old, model)
        ]

    def indexes_of_move(self) -> list[PlannedIndex]:
        """Return the indexes that contain documents while their keys change, by the old and by the new name."""
        planned: dict[str, PlannedIndex] = {}
        for move in self.steps.moves:
            if move.before.index is not None:
                model = with_both_prefixes(move, move.before)
                planned[move.before.index.name] = planned_index(model, None)
            if move.after.index is not None:
                model = with_both_prefixes(move, move.after)
                planned[move.after.index.name] = planned_index(model, move.before)
        return list(planned.values())

    def context(self, base: Context, *, removes: bool = False) -> Context:
        """Return the context of its operations, from that of another data migration."""
        return replace(base, transformation=self.transformation(removes=removes))

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
        of_move = self.indexes_of_move()
        moving = {one.model for one in of_move}
        planned = self._first_indexes()
        yield from self.require_possible(index_options)
        if begin is not None:
            yield from begin()
        context = self.context(base, removes=self.moves_documents)
        called: list[FunctionsResult] = []
        if self.steps.first:
            called.append((yield from call_up(context, self.steps.first)))
            if called[-1].stopped is not None:
                return FileResult(None, functions=tuple(called))
        for move in self.steps.moves:
            names = (key for name in move.index_names for key in (hash_key(name), schema_key(name)))
            yield from begin_move(context, move, {name.encode() for name in names})
        changing = [one for one in planned if one.attributes]
        prefixes = {one.key_prefix for one in planned}
        if changing:
            prepared = yield from indexes.run(
                changing, _no_prefixes, replace(index_options, data_follows=True)
            )
            if any(one.is_refused for one in prepared):
                return FileResult(None, tuple(prepared), is_prepared=False)
        result = replace((yield from self._change(context, options)), functions=tuple(called))
        if planned and result.is_complete:
            result = replace(
                result, indexes=(yield from self._cut_over(planned, prefixes, indexes, index_options))
            )
        if not result.is_complete:
            return result
        if self.steps.moves:
            result = yield from self._move(context, result)
            final = [one for one in self.indexes() if one.model in moving]
            if result.is_complete and final:
                cut_over = yield from self._cut_over(final, prefixes, indexes, index_options)
                result = replace(result, indexes=(*result.indexes, *cut_over))
        if result.is_complete and self.steps.last:
            called.append((yield from call_up(context, self.steps.last)))
            result = replace(result, functions=tuple(called))
        return result

    def _change(self, context: Context, options: RunOptions) -> Op[FileResult]:
        """Change the documents."""
        if not self.models:
            return FileResult(None)
        # A function at the end may need all documents to be changed.
        options = replace(
            self._options(options), ends_beside_writers=self.changes_at_cleanup and not self.steps.last
        )
        data = yield from run(context, self.plan(), options)
        return FileResult(data, failures=FailureSummary((yield from FailureLog(context.keys).all())))

    def _options(self, options: RunOptions) -> RunOptions:
        return replace(options, failure_mode=FailureMode.FAIL) if self._stops_at_failures else options

    def _move(self, context: Context, result: FileResult) -> Op[FileResult]:
        """Move documents to their new keys, and return the result with that of the moves."""
        moves: list[MoveResult] = []
        for move in self.steps.moves:
            moves.append((yield from move_keys(context, move)))
            result.failures.add(moves[-1].failures)
            if moves[-1].stopped is not None:
                break
        return replace(result, moves=tuple(moves))

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

    def _first_indexes(self) -> list[PlannedIndex]:
        """Return the indexes to cut over before documents move to other keys."""
        of_move = self.indexes_of_move()
        moving = {one.model for one in of_move}
        return [one for one in self.indexes() if one.model not in moving] + of_move

    def require_possible(self, options: ExpansionOptions) -> Op[None]:
        """Raise MigrationError if documents belong to another index, or would drop out of one that has no model."""
        plan, planned, transformation = self.plan(), self._first_indexes(), self.transformation()
        yield from require_own_documents(plan, transformation, None)
        moved = self._plan_of_steps(*(move.before for move in self.steps.moves))
        yield from require_own_documents(moved, transformation, None)
        if not options.accept_unindexed and (yield from has_search()):
            yield from require_indexes_unaffected(plan, planned, transformation, Command("upgrade"))

    def contract(self, base: Context, options: RunOptions) -> Op[RunResult | None]:
        """Change the documents that the version before it wrote since, and remove what only that version needs.

        Returns:
            None if it changes no documents at the cleanup.

        Effects: those of `redstart.migrations.data.run.run`. Safe to repeat.
        """
        if not self.changes_at_cleanup:
            return None
        return (yield from run(self.context(base, removes=True), self.plan(), self._options(options)))

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
        return (yield from verify(self.context(base), self.plan()))

    def roll_back(
        self, base: Context, indexes: IndexMigration, index_options: ExpansionOptions
    ) -> Op[FileRollbackResult]:
        """Restore the documents, and the indexes before it.

        Effects: those of `rollback` and `IndexMigration.run`. Safe to repeat.
        """
        data: DataRollbackResult | None = None
        context = self.context(base)
        if self.steps:
            yield from self.steps.begin_rollback(context)
            yield from self.steps.undo(context, self.steps.last)
        of_move = self.indexes_of_move()
        planned = self.indexes(back=True)
        prefixes = {one.key_prefix for one in (*planned, *of_move)}
        results: tuple[IndexResult, ...] = ()
        if of_move:
            results = yield from self._cut_over(of_move, prefixes, indexes, index_options)
            if any(one.is_refused for one in results):
                return FileRollbackResult(self.file.migration_id, None, results)
        moves, restored = yield from self.steps.move_back(context)
        if self.models and not (yield from read_record(context.keys)).is_new:
            data = yield from rollback(context)
        result = FileRollbackResult(self.file.migration_id, data, moves=moves, restored_documents=restored)
        if not result.is_complete:
            return result
        if planned:
            results = yield from self._cut_over(planned, prefixes, indexes, index_options)
        result = replace(result, indexes=results)
        if not result.is_complete:
            return result
        kept = {one.index.name for one in self.before.models.values() if one.index is not None}
        created = [name for move in self.steps.moves for name in move.index_names if name not in kept]
        if created:
            yield from indexes.remove(created)
        yield from self.steps.undo(context, self.steps.first)
        if self.steps:
            yield from self.steps.end_rollback(context)
        return result


def operations_on_reused_paths(operations: Sequence[Operation], before: ProjectState) -> set[int]:
    """Return the positions of operations that remove a field, or move it, and of later ones that add it again.

    Documents do not show whether a value at its path is the old or the new one. So they are changed at once.
    """
    removed_by: dict[tuple[str, ...], int] = {}
    found: set[int] = set()
    for number, (gone, come) in enumerate(removed_and_added_paths(operations, before)):
        for path in come & removed_by.keys():
            found |= {removed_by[path], number}
        removed_by |= dict.fromkeys(gone, number)
    return found


def removed_and_added_paths(
    operations: Iterable[Operation], before: ProjectState
) -> Iterator[tuple[set[tuple[str, ...]], set[tuple[str, ...]]]]:
    """Yield for each operation the paths of fields that it removes, and of those that it adds.

    A path begins with the key prefix of its model.
    """
    old = set(_field_paths(before))
    for operation in operations:
        before = operation.apply(before)
        new = set(_field_paths(before))
        yield old - new, new - old
        old = new


def _field_paths(state: ProjectState) -> Iterator[tuple[str, ...]]:
    for model in state.models.values():
        yield from _paths_in(model.fields, (model.key_prefix,))


def _paths_in(fields: Sequence[FieldState], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for one in fields:
        yield (*above, one.name)
        yield from _paths_in(one.fields, (*above, one.name))


def planned_index(model: ModelState, before: ModelState | None) -> PlannedIndex:
    """Return the index of a model for the index engine.

    An attribute that becomes a number from text is a changing one: until the documents are converted, an index that
    accepts both formats is active.
    """
    index = model.index
    assert index is not None
    former = None if before is None else before.index
    changing = {
        one.attribute
        for one in index.fields
        if one.kind is FieldKind.NUMERIC
        and former is not None
        and (known := former.field_named(one.attribute)) is not None
        and known.kind in (FieldKind.TAG, FieldKind.TEXT)
    }
    fields = tuple(
        (former.field_named(one.attribute) or one)
        if former is not None and one.attribute in changing
        else one
        for one in index.fields
    )
    places = frozenset(one.identifier for one in index.fields if one.attribute in changing)
    return PlannedIndex(
        model.name,
        model.key_prefix,
        index,
        replace(index, fields=fields, parts=None),
        frozenset(changing),
        places,
        schema_text(index),
    )


def _require_supported(file: MigrationFile, operation: Operation) -> None:
    if isinstance(operation, NOT_RUN):
        raise UnsupportedOperationError(
            f"{file.migration_id}: this version of Redstart does not run the operation {type(operation).__name__}: "
            f"{operation.describe()}"
        )


def _renamed(before: ProjectState, after: ProjectState, names: Mapping[str, str]) -> dict[str, str]:
    """Return the original names of models that an operation has renamed, by their new names."""
    new = [name for name in after.models if name not in before.models]
    old = [name for name in before.models if name not in after.models]
    if len(new) == len(old) == 1:
        return {new[0]: names.get(old[0], old[0])}
    return {}


def _name_in(state: ProjectState, model: ModelState) -> str:
    """Return the name of the model with the same keys in another state; its own name without one."""
    if model.name in state.models:
        return model.name
    return next((one.name for one in state.models.values() if one.key_prefix == model.key_prefix), model.name)


def _index_in(state: ProjectState, model: ModelState) -> object:
    other = state.models.get(_name_in(state, model))
    return None if other is None else other.index


def _no_prefixes() -> Op[frozenset[str]]:
    yield from ()
    return frozenset()


def _all(prefixes: set[str]) -> Op[set[str]]:
    yield from ()
    return prefixes
