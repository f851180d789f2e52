"""The indexes of one migration file: before it, after it, and while its documents change or move."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from redstart.effects import Op
from redstart.migrations.data.operation_transformation import ModelChanges
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex, planned_index, transitional_index
from redstart.migrations.indexes.preflight import supports_all_path_filters
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.server_checks import require_search
from redstart.migrations.steps.file_steps import with_both_prefixes
from redstart.migrations.steps.key_moves import KeyMove
from redstart.search.schema import Index
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class FileIndexes:
    """The indexes of one migration file.

    Attributes:
        before, after: the models.
        moves: of the keys of models.
        numbers: for each model before it, the fields of hashes whose values are numbers before and after it, whatever
            their type.
    """

    before: ProjectState
    after: ProjectState
    moves: tuple[KeyMove, ...] = ()
    numbers: tuple[tuple[str, frozenset[str]], ...] = ()

    def changed(self, *, back: bool = False) -> list[PlannedIndex]:
        """Return the indexes after it that differ from those before; or, for a rollback, the reverse."""
        old, new = (self.after, self.before) if back else (self.before, self.after)
        return [
            planned_index(model, old.models.get(name_in(old, model)))
            for model in new.models.values()
            if model.index is not None and model.index != _index_in(old, model)
        ]

    def of_moves(self, *, back: bool = False, filters: bool = True) -> list[PlannedIndex]:
        """Return the indexes that contain documents while their keys change, by the old and by the new name.

        They are active while some documents are changed and others are not: those of the old name in a run, which are
        built before the cutover of the others, and all of them in a rollback, which begins with them.

        Args:
            filters: whether the server supports a filter on a path.
        """
        planned: dict[str, PlannedIndex] = {}
        for move in self.moves:
            after = move.after.index
            if move.before.index is not None:
                index = self._while_changing(move.before, move.before.index, after, filters=filters)
                model = with_both_prefixes(move, move.before.replaced(index=index))
                planned[index.name] = planned_index(model, None)
            if after is not None:
                if back:
                    after = self._while_changing(move.after, after, move.before.index, filters=filters)
                model = with_both_prefixes(move, move.after.replaced(index=after))
                planned[after.name] = planned_index(model, None if back else move.before)
        return list(planned.values())

    def of_moves_on_server(self, *, back: bool = False) -> Op[list[PlannedIndex]]:
        """Return `of_moves` for this server. Effects: see `supports_all_path_filters`."""
        if not self.moves:
            return []
        filters = yield from supports_all_path_filters()
        return self.of_moves(back=back, filters=filters)

    def first(self) -> Op[list[PlannedIndex]]:
        """Return the indexes to cut over before documents move to other keys.

        Effects: see `supports_all_path_filters`.
        """
        of_moves = yield from self.of_moves_on_server()
        moving = {one.model for one in of_moves}
        return [one for one in self.changed() if one.model not in moving] + of_moves

    def transitions(self, *, back: bool = False, filters: bool | None = None) -> Op[list[PlannedIndex]]:
        """Return the indexes that replace active ones while documents change: those would lose changed documents.

        Args:
            filters: whether the server supports a filter on a path; None to probe it.

        Raises:
            UnsupportedServerError: the server has no search module.

        Effects: a read for each index with a field that changes between text and number, and the probe.
        """
        found: list[PlannedIndex] = []
        for model, declared, target in self._pairs(back=back):
            if self._while_changing(model, declared, target) == declared:
                continue
            yield from require_search()
            active = yield from find_index(declared.name)
            if active is None:
                continue
            if filters is None:
                filters = yield from supports_all_path_filters()
            current = replace(active.index, name=declared.name)
            index = self._while_changing(model, current, target, filters=filters)
            if index != current:
                found.append(replace(planned_index(model, None), index=index, old=index))
        return found

    def lost_while_changing(self) -> list[tuple[ModelState, str]]:
        """Return the attributes that have another type already while documents change, each with its model.

        Those of hashes that change from numbers to text.
        """
        return [
            (model, one.attribute)
            for model, declared, target in self._pairs(back=False)
            for one in self._while_changing(model, declared, target).fields
            if (before := declared.field_named(one.attribute)) is not None and before.kind is not one.kind
        ]

    def _pairs(self, *, back: bool) -> Iterator[tuple[ModelState, Index, Index]]:
        """Yield each model of one side with its index, and the index of the same model on the other side."""
        of_moves = {move.before.name: move.after for move in self.moves}
        for model in self.before.models.values():
            other = of_moves.get(model.name) or self.after.models.get(name_in(self.after, model))
            if other is not None and model.index is not None and other.index is not None:
                pair = (model, model.index, other.index)
                yield (other, other.index, model.index) if back else pair

    def _while_changing(
        self, model: ModelState, index: Index, target: Index | None, *, filters: bool = True
    ) -> Index:
        """Return the index that contains each document of a model whether it is changed or not."""
        if target is None or target.storage is not index.storage:
            return index
        kept: Collection[str] = ()
        if index.storage is Storage.HASH and model is self.before.models.get(model.name):
            kept = dict(self.numbers).get(model.name, ())
        return transitional_index(index, target, kept, supports_path_filters=filters)


def numbers_of(models: Iterable[ModelChanges]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return for each model the top-level fields whose values stay numbers, although their type changes."""
    found: list[tuple[str, frozenset[str]]] = []
    for model in models:
        kept = {
            name: all(
                one.change.keeps_numbers
                for one in model.changes
                if any(path[0] == name for path in one.change.writes)
            )
            for name in model.written_names
        }
        found.append((model.model.name, frozenset(name for name, is_kept in kept.items() if is_kept)))
    return tuple(found)


def name_in(state: ProjectState, model: ModelState) -> str:
    """Return the name of the model with the same keys in another state; its own name without one."""
    if model.name in state.models:
        return model.name
    return next((one.name for one in state.models.values() if one.key_prefix == model.key_prefix), model.name)


def _index_in(state: ProjectState, model: ModelState) -> Index | None:
    other = state.models.get(name_in(state, model))
    return None if other is None else other.index
