"""The steps of one migration file: its moves of keys, the models that it removes, and its functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from redstart.commands.keyspace import xlen
from redstart.effects import Op, call
from redstart.errors import MigrationError, MigrationStateError
from redstart.migrations.context import Context
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease
from redstart.migrations.operations.base import DocumentPipeline, Operation
from redstart.migrations.operations.functions import RunPython
from redstart.migrations.operations.models import RemoveModel
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.steps.changed_documents import change_back_changed
from redstart.migrations.steps.functions import FunctionCall, call_down, require_undoable
from redstart.migrations.steps.key_moves import KeyMove, MoveResult, field_of_move, key_moves, move_keys
from redstart.migrations.steps.record import ROLLBACK, mark, read_steps
from redstart.migrations.steps.removed_models import restore_documents
from redstart.migrations.steps.storage_changes import (
    RestoredOriginals,
    StorageChange,
    StorageResult,
    change_storage,
    field_of_storage,
    restore_originals,
)
from redstart.next_steps import Command, Hint

NO_PIPELINES: Mapping[str, DocumentPipeline] = {}


@dataclass(frozen=True, slots=True)
class RestoredStorage:
    """The result of `FileSteps.restore_storage`.

    Attributes:
        originals: number of documents with their original bytes.
        changes: the result of each change back.
        unrestored: original values that are kept on the server.
    """

    originals: int = 0
    changes: tuple[StorageResult, ...] = ()
    unrestored: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSteps:
    """The steps of one file.

    Attributes:
        moves: of the keys of models.
        removed: models that it removes.
        storage: changes of the storage of models, which move their documents, too.
        first, last: functions that are called before, and after, everything else.
        former_indexes: names of indexes of the models before the file that no model after it has.
    """

    moves: tuple[KeyMove, ...] = ()
    removed: tuple[ModelState, ...] = ()
    storage: tuple[StorageChange, ...] = ()
    first: tuple[FunctionCall, ...] = ()
    last: tuple[FunctionCall, ...] = ()
    former_indexes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        operations: Sequence[Operation],
        before: ProjectState,
        after: ProjectState,
        original: Mapping[str, str],
        exclude_prefixes: tuple[str, ...] = (),
        pipelines: Mapping[str, DocumentPipeline] = NO_PIPELINES,
    ) -> "FileSteps":
        """Return the steps of the operations of a file.

        Args:
            original: for each name of a model its name before the file.
            exclude_prefixes: key prefixes, longer than that of a model, whose keys belong to no model.
            pipelines: all changes of the documents of models whose storage changes, by the name before the file.

        Raises:
            MigrationStateError: the keys of a move cannot be distinguished, or a function is between other operations.
        """
        removed = [original.get(one.model, one.model) for one in operations if isinstance(one, RemoveModel)]
        models = tuple(before.models[name] for name in removed if name in before.models)
        moves = [
            one
            for one in key_moves(before, after, original, exclude_prefixes)
            if one.before.name not in pipelines
        ]
        changed = (
            (name, model) for name, model in after.models.items() if original.get(name, name) in pipelines
        )
        storage = [
            StorageChange(
                KeyMove(before.models[original.get(name, name)], model, exclude_prefixes),
                pipelines[original.get(name, name)],
            )
            for name, model in changed
        ]
        former = tuple(name for name in _index_names(before) if name not in _index_names(after))
        return cls(tuple(moves), models, tuple(storage), *_functions(operations), former)

    def __bool__(self) -> bool:
        return bool(self.moves or self.removed or self.storage or self.first or self.last)

    @property
    def recorded_names(self) -> set[str]:
        """The fields of the record that exist when a run is complete."""
        functions = (call.steps() for call in (*self.first, *self.last))
        return {
            *(field_of_move(move) for move in self.moves),
            *(field_of_storage(change) for change in self.storage),
            *(field for some in functions for field, _ in some),
        }

    def unused_indexes(self, used: ProjectState) -> list[str]:
        """Return the names of indexes that only the version before the file uses.

        Args:
            used: the models after all files.
        """
        names = _index_names(used)
        return [name for name in self.former_indexes if name not in names]

    def begin_rollback(self, context: Context) -> Op[None]:
        """Record that a rollback was started, unless a function cannot be undone.

        Raises:
            UnsupportedOperationError: see `require_undoable`.

        Effects: writes one field. Safe to repeat.
        """

        def work(lease: Lease) -> Op[None]:
            require_undoable((*self.first, *self.last), (yield from read_steps(context.keys)))
            yield from lease.commit([mark(context.keys, ROLLBACK, "begun")])

        yield from context.under_lease(work)

    def end_rollback(self, context: Context) -> Op[None]:
        """Remove the record of the steps, and of their failures. Safe to repeat.

        Effects: acquires and releases the lease; one script.
        """
        keys = context.keys

        def work(lease: Lease) -> Op[None]:
            yield from lease.commit(
                [
                    ["REMOVE", "hash", keys.steps, "hash", keys.failures, "hash", keys.replaced],
                    ["HDEL", keys.record, "failures_members", "replaced_members", "failures_not_kept"],
                ]
            )

        yield from context.under_lease(work)

    def undo(self, context: Context, calls: Sequence[FunctionCall]) -> Op[None]:
        """Undo functions. Raises MigrationError if one fails.

        Effects: see `call_down`.
        """
        if calls:
            _require_done(context, (yield from call_down(context, calls)).stopped)

    def move_back(self, context: Context) -> Op[tuple[tuple[MoveResult, ...], int]]:
        """Move all documents back, also those created since, and restore removed ones.

        Returns:
            The result of each move, and the number of restored documents.

        Raises:
            MigrationError: not all documents could be moved or restored.

        Effects: see `move_keys` and `restore_documents`. Safe to repeat.
        """
        moves: list[MoveResult] = []
        for move in reversed(self.moves):
            moves.append((yield from move_keys(context, move.back())))
            failures = [str(failure) for failure in moves[-1].failures]
            _require_done(context, moves[-1].stopped, failures, are_recorded=True)
        if not self.removed:
            return tuple(moves), 0
        restored = yield from restore_documents(context)
        _require_done(context, restored.stopped, [str(failure) for failure in restored.failures])
        return tuple(moves), restored.documents

    def restore_storage(self, context: Context) -> Op[RestoredStorage]:
        """Restore the documents whose storage was changed, and change back those that were written since.

        A document without an equivalent in the old storage stays.

        Raises:
            MigrationError: the rollback was interrupted, or documents still appear.

        Effects: see `restore_originals`, `change_back_changed` and `change_storage`. Safe to repeat.
        """
        if not self.storage:
            return RestoredStorage()

        def work(lease: Lease) -> Op[tuple[RestoredOriginals, list[Failure]]]:
            unrestored: list[Failure] = []

            def change_back(entries: Sequence[str]) -> Op[None]:
                unrestored.extend((yield from change_back_changed(context, lease, self.storage, entries)))

            found = yield from restore_originals(context, lease, change_back)
            if found.stopped is None and not (yield from call(xlen(context.keys.originals))):
                yield from lease.commit([["REMOVE", "stream", context.keys.originals]])
            return found, unrestored

        restored, unrestored = yield from context.under_lease(work)
        _require_done(context, restored.stopped)
        results: list[StorageResult] = []
        for change in reversed(self.storage):
            results.append((yield from change_storage(context, change.back())))
            _require_done(context, results[-1].stopped)
        return RestoredStorage(restored.documents, tuple(results), tuple(unrestored))


def _index_names(state: ProjectState) -> list[str]:
    return [one.index.name for one in state.models.values() if one.index is not None]


_MAX_SHOWN = 3


def _require_done(
    context: Context, stopped: str | None, details: Sequence[str] = (), *, are_recorded: bool = False
) -> None:
    """Raise MigrationError if a step of a rollback has stopped.

    Args:
        are_recorded: whether `om migrate show` lists the details.
    """
    if stopped is not None:
        shown = "".join(f"\n  {line}" for line in details[:_MAX_SHOWN])
        left = len(details) - _MAX_SHOWN
        more = f"\n  ... {left:,} more" if left > 0 else ""
        name = context.keys.migration_id
        to_list = ("List all documents with: ", Command("migrate show", name, "--verbose"), "\n")
        raise MigrationError(
            f"The rollback stopped: {stopped}.{shown}{more}",
            Hint(
                *(to_list if more and are_recorded else ()),
                "Continue it with: ",
                Command("migrate rollback", name),
            ),
        )


def _functions(
    operations: Sequence[Operation],
) -> tuple[tuple[FunctionCall, ...], tuple[FunctionCall, ...]]:
    """Return the functions before and after all other operations."""
    calls = [FunctionCall(number, one) for number, one in enumerate(operations) if isinstance(one, RunPython)]
    others = [number for number, one in enumerate(operations) if not isinstance(one, RunPython)]
    if not others:
        return tuple(calls), ()
    first = tuple(one for one in calls if one.number < others[0])
    last = tuple(one for one in calls if one.number > others[-1])
    if len(first) + len(last) < len(calls):
        raise MigrationStateError(
            "RunPython stands between other operations, which are executed together.",
            "Move it to the beginning or to the end of the file, or to a file of its own.",
        )
    return first, last


def with_both_prefixes(move: KeyMove, model: ModelState) -> ModelState:
    """Return a model whose index contains documents with old and with new keys."""
    assert model.index is not None
    every = {model.index.prefixes, *(one.index.prefixes for one in (move.before, move.after) if one.index)}
    prefixes = {prefix for some in every for prefix in some} | {
        move.before.key_prefix,
        move.after.key_prefix,
    }
    outer = (one for one in prefixes if not one.startswith(tuple(prefixes - {one})))
    return model.replaced(index=replace(model.index, prefixes=tuple(sorted(outer))))
