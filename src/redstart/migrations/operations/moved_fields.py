"""Operations that give a field another name or another place in its document."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redstart.errors import MigrationStateError
from redstart.mapping.value_paths import Each, Location, display
from redstart.migrations.operations.base import (
    DocumentChange,
    DocumentOperation,
    Kept,
    model_title,
    not_convertible,
)
from redstart.migrations.operations.document import Document, JsonObject, is_same
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.operations.value_types import Segments, parse_path, path_of
from redstart.values.types import Storage


@dataclass(frozen=True)
class RenameField(DocumentOperation):
    """Rename a field. Its values stay the same.

    Args:
        model: the name of the model.
        old: its previous name.
        new: its new name.
        within: the path of the embedded model that has it; "" for the model itself.
        keep: which value is kept if a document has both, with different values. None: such a document fails.
    """

    model: str
    old: str
    new: str
    within: str = dataclasses.field(default="", kw_only=True)
    keep: Kept | None = dataclasses.field(default=None, kw_only=True)

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        old = path_of(self.old, self.within)
        return f"Rename the field {old} of {model_title(self.model)} to {path_of(self.new, self.within)}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new name."""
        model = state.model(self.model)
        renamed = model.field_at(self.old, self.within).renamed(self.new)
        changed = model.with_changed_field(self.old, renamed, self.within)
        if not self.within and self.old == model.primary_key:
            changed = changed.replaced(primary_key=self.new)
        return state.with_model(changed)

    def inverse(self, before: ProjectState) -> "RenameField":
        """Return the renaming back."""
        _ = self.apply(before)
        keep: Kept | None = {"old": "new", "new": "old"}.get(self.keep or "")  # type: ignore[assignment]
        return RenameField(self.model, self.new, self.old, within=self.within, keep=keep)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        _ = self.apply(before)
        return _MovedField(parse_path(self.within), (self.old,), (self.new,), self.keep)


@dataclass(frozen=True)
class MoveField(DocumentOperation):
    """Move a field into an embedded model, out of one, or from one to another.

    Args:
        model: the name of the model.
        source: its previous path, such as `street`.
        target: its new path, such as `address.street`. Both paths are in the same item of a list.
        keep: which value is kept if a document has both, with different values. None: such a document fails.
    """

    model: str
    source: str
    target: str
    keep: Kept | None = dataclasses.field(default=None, kw_only=True)

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        return f"Move the field {self.source} of {model_title(self.model)} to {self.target}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the field at its new path."""
        model = state.model(self.model)
        within, name = _holder_and_name(self.source)
        moved = model.field_at(name, within)
        _ = self._paths()
        if not within and name == model.primary_key:
            raise MigrationStateError(f"{name!r} is the primary key of {self.model} and cannot be moved.")
        target_within, target_name = _holder_and_name(self.target)
        changed = model.without_field(name, within).with_field(moved.renamed(target_name), target_within)
        return state.with_model(changed)

    def inverse(self, before: ProjectState) -> "MoveField":
        """Return the move back."""
        _ = self.apply(before)
        return MoveField(self.model, self.target, self.source)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        _ = self.apply(before)
        common, source, target = self._paths()
        return _MovedField(common, source, target, self.keep)

    def _paths(self) -> tuple[Segments, tuple[str, ...], tuple[str, ...]]:
        """Return the path of what contains both, and the names from there to each."""
        source, target = parse_path(self.source), parse_path(self.target)
        length = 1 + max(
            (at for path in (source, target) for at, step in enumerate(path) if isinstance(step, Each)),
            default=-1,
        )
        common = source[:length]
        if target[:length] != common:
            raise MigrationStateError(
                f"{self.source} and {self.target} of {self.model} are not in the same item of a list or map.",
                "Use Transform to change the structure of lists.",
            )
        return common, tuple(map(str, source[length:])), tuple(map(str, target[length:]))


def _holder_and_name(path: str) -> tuple[str, str]:
    segments = parse_path(path)
    if not segments or isinstance(segments[-1], Each):
        raise MigrationStateError(f"{path!r} is not the path of a field.")
    return display(segments[:-1]), str(segments[-1])


class _MovedField(DocumentChange):
    """A field with another name or another place.

    Args:
        common: the path of the object that contains both places.
        source, target: names from there to the places.
    """

    moves_values = True

    def __init__(
        self, common: Segments, source: tuple[str, ...], target: tuple[str, ...], keep: Kept | None
    ) -> None:
        self._common, self._source, self._target, self.kept = common, source, target, keep
        self.reads = self.writes = ((*common, *source), (*common, *target))
        if not any(isinstance(step, Each) for step in common):
            self.sources, self.targets = self.writes[:1], self.writes[1:]

    def preferring(self, kept: Kept | None) -> "_MovedField":
        return _MovedField(self._common, self._source, self._target, kept)

    def is_pending(self, document: Document) -> bool:
        return any(True for _ in self._places(document, self._source))

    def forward(self, document: Document) -> Document:
        changed = document.copy()
        for location, holder in self._places(changed, self._source):
            self._move(location, holder, self._source, self._target, self.kept)
        return changed

    def backward(self, document: Document) -> Document:
        changed = document.copy()
        keep: Kept | None = None if self.kept is None else "new" if self.kept == "old" else "old"
        for location, holder in self._places(changed, self._target):
            self._move(location, holder, self._target, self._source, keep)
            _remove_empty(holder, self._target[:-1])
        return changed

    def _places(self, document: Document, path: tuple[str, ...]) -> Iterator[tuple[Location, JsonObject]]:
        """Yield the objects in which there is a value at a path."""
        for location, holder in document.holders(self._common):
            if Document(document.storage, holder).has(path):
                yield location, holder

    def _move(
        self,
        location: Location,
        holder: JsonObject,
        source: tuple[str, ...],
        target: tuple[str, ...],
        keep: Kept | None,
    ) -> None:
        inside = Document(Storage.JSON, holder)
        value = inside.get(source)
        if inside.has(target):
            other = inside.get(target)
            if keep is None and not is_same(value, other):
                name = display((*self._common, *target))
                raise not_convertible(
                    (*location, *source), value, f"{name} exists, too, and has another value"
                )
            inside.remove(source)
            inside.set(target, value if keep == "old" else other)
        elif len(source) == len(target) == 1:
            _rename(holder, source[0], target[0])
        else:
            parent = _made(location, holder, target[:-1])
            parent[target[-1]] = value
            inside.remove(source)


def _rename(holder: JsonObject, old: str, new: str) -> None:
    """Rename a member in its place: RedisJSON keeps the order of members."""
    members = [(new if name == old else name, value) for name, value in holder.items()]
    holder.clear()
    holder.update(members)


def _made(location: Location, holder: JsonObject, names: Sequence[str]) -> JsonObject:
    """Return the object at a path, created if there is none."""
    for position, name in enumerate(names):
        inside = holder.get(name)
        if inside is None:
            inside = holder[name] = {}
        if not isinstance(inside, dict):
            raise not_convertible((*location, *names[: position + 1]), inside, "not an object")
        holder = inside
    return holder


def _remove_empty(holder: JsonObject, names: Sequence[str]) -> None:
    """Remove the objects on the path of a moved value that are empty now."""
    if names and isinstance(holder.get(names[0]), dict):
        _remove_empty(holder[names[0]], names[1:])
        if not holder[names[0]]:
            del holder[names[0]]
