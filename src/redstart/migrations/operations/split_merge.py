"""Operations that split a text into several fields, and merge several into one."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from redstart.errors import MigrationStateError, NotConvertibleError, ValueConversionError
from redstart.mapping.value_paths import Each, Location, display
from redstart.migrations.operations.base import (
    DocumentChange,
    DocumentOperation,
    Kept,
    model_title,
    not_convertible,
)
from redstart.migrations.operations.document import BytesOrJson, Document, JsonObject, is_same
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.fields import codec_of
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.migrations.operations.value_types import Segments, ValueType, parse_path, path_of
from redstart.values.types import Storage

At: TypeAlias = Literal["first", "last"]
"""Which separators of a text count, if it has more than enough."""

_TEXT: Final = ValueType("str")


@dataclass(frozen=True)
class SplitField(DocumentOperation):
    """Split the text of a field into several fields.

    A text with another number of parts fails, unless `at` selects the separators.

    Args:
        model: the name of the model.
        source: the field; its type is `str`.
        into: the new fields, all of the type `str`.
        separator: stands between the parts.
        at: `first` or `last`: split at the first or the last separators only.
        within: the path of the embedded model that has the field; "" for the model itself.
    """

    model: str
    source: str
    into: Sequence[FieldState]
    separator: str = dataclasses.field(default=" ", kw_only=True)
    at: At | None = dataclasses.field(default=None, kw_only=True)
    within: str = dataclasses.field(default="", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "into", tuple(self.into))

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        names = ", ".join(path_of(one.name, self.within) for one in self.into)
        return f"Split {path_of(self.source, self.within)} of {model_title(self.model)} into {names}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new fields."""
        model = state.model(self.model)
        source = model.field_at(self.source, self.within)
        _check(self, model, source, self.into)
        changed = model.without_field(self.source, self.within)
        for one in self.into:
            changed = changed.with_field(one, self.within)
        return state.with_model(changed)

    def inverse(self, before: ProjectState) -> "MergeFields":
        """Return the merging of the new fields."""
        _ = self.apply(before)
        return MergeFields(
            self.model,
            [one.name for one in self.into],
            before.model(self.model).field_at(self.source, self.within),
            separator=self.separator,
            at=self.at,
            within=self.within,
        )

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        _ = self.apply(before)
        return _Split(self, before.model(self.model), self.source, [one.name for one in self.into])


@dataclass(frozen=True)
class MergeFields(DocumentOperation):
    """Merge the texts of several fields into one.

    Texts that SplitField would not split into the same parts again are a failure.

    Args:
        model: the name of the model.
        sources: the fields; their type is `str`.
        into: the new field, of the type `str`.
        separator: stands between the parts.
        at: `first` or `last`: a split of the text, in a rollback, splits at the first or the last separators only.
        within: the path of the embedded model that has the fields; "" for the model itself.
    """

    model: str
    sources: Sequence[str]
    into: FieldState
    separator: str = dataclasses.field(default=" ", kw_only=True)
    at: At | None = dataclasses.field(default=None, kw_only=True)
    within: str = dataclasses.field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.sources, str):
            raise MigrationStateError(f"The sources of MergeFields have to be a list, got {self.sources!r}.")
        object.__setattr__(self, "sources", tuple(self.sources))

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        names = ", ".join(path_of(name, self.within) for name in self.sources)
        return f"Merge {names} of {model_title(self.model)} into {path_of(self.into.name, self.within)}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new field."""
        model = state.model(self.model)
        _check(self, model, self.into, self._sources(model))
        changed = model
        for name in self.sources:
            changed = changed.without_field(name, self.within)
        return state.with_model(changed.with_field(self.into, self.within))

    def inverse(self, before: ProjectState) -> SplitField:
        """Return the splitting of the new field."""
        _ = self.apply(before)
        return SplitField(
            self.model,
            self.into.name,
            self._sources(before.model(self.model)),
            separator=self.separator,
            at=self.at,
            within=self.within,
        )

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        _ = self.apply(before)
        return _Merge(self, before.model(self.model), self.into.name, self.sources)

    def _sources(self, model: ModelState) -> list[FieldState]:
        return [model.field_at(name, self.within) for name in self.sources]


def _check(
    operation: SplitField | MergeFields, model: ModelState, whole: FieldState, parts: Sequence[FieldState]
) -> None:
    """Raise MigrationStateError for fields of other types, or an invalid separator."""
    names = [one.name for one in parts]
    if not operation.separator or len(parts) < 2 or len({*names, whole.name}) <= len(parts):
        raise MigrationStateError(
            f"{type(operation).__name__} of {model.name} requires a separator, and two or more parts with names of "
            "their own."
        )
    for one in (whole, *parts):
        if one.type != "str" or one.is_optional is not whole.is_optional:
            raise MigrationStateError(
                f"{type(operation).__name__} of {model.name}: {one.name} is {one.type}"
                f"{' or None' * one.is_optional}, but all fields have to be str, and either all or none optional.",
                "Add a ConvertField or an AlterField before or after it.",
            )
        if not operation.within and one.name == model.primary_key:
            raise MigrationStateError(
                f"{one.name!r} is the primary key of {model.name} and cannot be split or merged."
            )


class _Parts(DocumentChange):
    """A text and its parts.

    Args:
        operation: the separator, and where the fields are.
        whole: the name of the field with the whole text.
        parts: the names of those with the parts.
        keep: which values stay where a document has both, with different contents; None: that is a failure.
    """

    def __init__(
        self,
        operation: SplitField | MergeFields,
        model: ModelState,
        whole: str,
        parts: Sequence[str],
        keep: Kept | None = None,
    ) -> None:
        self._operation, self._model, self._keep = operation, model, keep
        self._within: Segments = parse_path(operation.within)
        self._separator, self._at = operation.separator, operation.at
        self._whole, self._parts = whole, tuple(parts)
        self._codec: ValueCodec = codec_of(model)
        self._keeps_null = model.storage is Storage.JSON
        names = (whole, *parts) if isinstance(operation, SplitField) else (*parts, whole)
        self.reads = self.writes = tuple((*self._within, name) for name in names)
        count = 1 if isinstance(operation, SplitField) else len(self._parts)
        if not any(isinstance(step, Each) for step in self._within):
            self.sources, self.targets = self.writes[:count], self.writes[count:]

    def preferring(self, kept: Kept | None) -> "_Parts":
        return type(self)(self._operation, self._model, self._whole, self._parts, kept)

    @property
    def _keep_backward(self) -> Kept | None:
        """Which values stay when the change is made backward: there the old ones are the new ones."""
        return None if self._keep is None else "new" if self._keep == "old" else "old"

    def _has(self, document: Document, names: Sequence[str]) -> bool:
        return any(name in holder for _, holder in document.holders(self._within) for name in names)

    def _split(self, document: Document, keep: Kept | None) -> Document:
        changed = document.copy()
        for location, holder in changed.holders(self._within):
            if self._whole in holder:
                whole = holder.pop(self._whole)
                if keep == "new" and any(name in holder for name in self._parts):
                    continue  # an absent part, too, is as the new version has left it
                place = (*location, self._whole)
                parts = dict(zip(self._parts, self._split_value(place, whole), strict=True))
                self._store(place, whole, holder, parts, keep)
        return changed

    def _split_value(self, place: Location, stored: BytesOrJson) -> Sequence[BytesOrJson]:
        if stored is None:
            return [None] * len(self._parts)
        parts = self._parts_of(self._text(place, stored))
        if len(parts) != len(self._parts):
            reason = f"{len(parts)} parts instead of {len(self._parts)}"
            raise not_convertible(place, stored, reason)
        return [self._codec.write(part) for part in parts]

    def _parts_of(self, text: str) -> list[str]:
        count = len(self._parts) - 1
        if self._at is None:
            return text.split(self._separator)
        return (
            text.split(self._separator, count) if self._at == "first" else text.rsplit(self._separator, count)
        )

    def _merge(self, document: Document, keep: Kept | None) -> Document:
        changed = document.copy()
        for location, holder in changed.holders(self._within):
            present = [name for name in self._parts if name in holder]
            if not present:
                continue
            stored = [holder.pop(name, None) for name in self._parts]
            place = (*location, self._whole)
            merged = {self._whole: self._merged_value(location, stored)}
            self._store(place, stored[0], holder, merged, keep)
        return changed

    def _merged_value(self, location: Location, stored: Sequence[BytesOrJson]) -> BytesOrJson:
        if all(value is None for value in stored):
            return None
        texts: list[str] = []
        for name, value in zip(self._parts, stored, strict=True):
            place = (*location, name)
            if value is None:
                raise NotConvertibleError(display(place), "", "no value, while other parts have one")
            texts.append(self._text(place, value))
        merged = self._separator.join(texts)
        if self._parts_of(merged) != texts:
            reason = (
                f"it contains the separator {self._separator!r}, so the merged text could not be split again"
            )
            position = next((at for at, text in enumerate(texts) if self._separator in text), 0)
            raise not_convertible((*location, self._parts[position]), stored[position], reason)
        return self._codec.write(merged)

    def _store(
        self,
        place: Location,
        old: BytesOrJson,
        holder: JsonObject,
        values: dict[str, BytesOrJson],
        keep: Kept | None,
    ) -> None:
        for name, value in values.items():
            if name in holder and keep == "new":
                continue
            if name in holder and keep is None and not is_same(holder[name], value):
                raise not_convertible(place, old, f"{name} exists, too, and has another value")
            if value is not None or self._keeps_null:
                holder[name] = value

    def _text(self, place: Location, stored: BytesOrJson) -> str:
        try:
            text: str = self._codec.read(_TEXT, stored)
        except ValueConversionError as error:
            raise not_convertible(place, stored, error.reason) from error
        return text


class _Split(_Parts):
    def is_pending(self, document: Document) -> bool:
        return self._has(document, (self._whole,))

    def forward(self, document: Document) -> Document:
        return self._split(document, self._keep)

    def backward(self, document: Document) -> Document:
        return self._merge(document, self._keep_backward)


class _Merge(_Parts):
    def is_pending(self, document: Document) -> bool:
        return self._has(document, self._parts)

    def forward(self, document: Document) -> Document:
        return self._merge(document, self._keep)

    def backward(self, document: Document) -> Document:
        return self._split(document, self._keep_backward)
