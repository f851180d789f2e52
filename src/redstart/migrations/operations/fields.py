"""Operations on one field of a model: add, remove, alter."""

import dataclasses
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

from redstart.display import shortened
from redstart.errors import MigrationStateError, ValueConversionError
from redstart.mapping.value_paths import display
from redstart.migrations.operations.base import (
    DocumentChange,
    DocumentOperation,
    Unchanged,
    model_title,
    not_reversible,
)
from redstart.migrations.operations.document import BytesOrJson, Document, JsonObject, copy_value
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.migrations.operations.value_types import Segments, parse_path, path_of
from redstart.values.types import Storage


def codec_of(model: ModelState) -> ValueCodec:
    """Return what reads and writes the values of a model."""
    return ValueCodec(model.storage, model.encoding)


def stored_default(model: ModelState, one: FieldState, value: Any) -> BytesOrJson:
    """Return the stored form of a value for documents without a field; empty bytes for None in a hash.

    Raises:
        MigrationStateError: it cannot be stored.
    """
    if value is None:
        return b"" if model.storage is Storage.HASH else None
    try:
        return codec_of(model).write_as(one.value_type, value)
    except ValueConversionError as error:
        raise MigrationStateError(
            f"The value {shortened(value)} of {model.name}.{one.name} cannot be stored: {error.reason}."
        ) from error


@dataclass(frozen=True)
class AddField(DocumentOperation):
    """Add a field. Documents get its default where the field is absent.

    Args:
        model: the name of the model.
        field: the field.
        within: the path of the embedded model that gets it; "" for the model itself.
        fill: the value that documents get instead of the default.
    """

    model: str
    field: FieldState
    within: str = dataclasses.field(default="", kw_only=True)
    fill: Any = dataclasses.field(default=NO_DEFAULT, kw_only=True)

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        value = self.field.default if self.fill is NO_DEFAULT else self.fill
        suffix = "" if value is NO_DEFAULT else f" with the value {shortened(value)}"
        path = path_of(self.field.name, self.within)
        return f"Add the field {path} ({self.field.type}) to {model_title(self.model)}{suffix}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the field."""
        return state.with_model(state.model(self.model).with_field(self.field, self.within))

    def inverse(self, before: ProjectState) -> "RemoveField":
        """Return the removal of the field."""
        _ = self.apply(before)
        return RemoveField(self.model, self.field.name, within=self.within)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        model = self.apply(before).model(self.model)
        value = self.field.default if self.fill is NO_DEFAULT else self.fill
        has_value = value is not NO_DEFAULT and not (value is None and model.storage is Storage.HASH)
        stored = stored_default(model, self.field, value) if has_value else None
        return _AddedField(parse_path(self.within), self.field.name, stored, has_value=has_value)


class _AddedField(DocumentChange):
    moves_values = True

    def __init__(self, within: Segments, name: str, stored: BytesOrJson, *, has_value: bool) -> None:
        self._within, self._name, self._stored, self._has_value = within, name, stored, has_value
        self.constants = (stored,) if has_value else ()
        self.reads = self.writes = ((*within, name),)

    def is_pending(self, document: Document) -> bool:
        return self._has_value and any(
            self._name not in holder for _, holder in document.holders(self._within)
        )

    def forward(self, document: Document) -> Document:
        changed = document.copy()
        for _, holder in changed.holders(self._within):
            if self._has_value and self._name not in holder:
                holder[self._name] = copy_value(self._stored)
        return changed

    def backward(self, document: Document) -> Document:
        changed = document.copy()
        for _, holder in changed.holders(self._within):
            _ = holder.pop(self._name, None)
        return changed


@dataclass(frozen=True)
class RemoveField(DocumentOperation):
    """Remove a field, and its values from all documents. The undo log keeps them until it is dropped.

    Args:
        model: the name of the model.
        name: the field.
        within: the path of the embedded model that has it; "" for the model itself.
    """

    model: str
    name: str
    within: str = dataclasses.field(default="", kw_only=True)

    only_removes: ClassVar[bool] = True

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        return (
            f"Remove the field {path_of(self.name, self.within)} of {model_title(self.model)} and its values."
        )

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models without the field."""
        model = state.model(self.model)
        if not self.within and self.name == model.primary_key:
            raise MigrationStateError(
                f"{self.name!r} is the primary key of {self.model} and cannot be removed."
            )
        return state.with_model(model.without_field(self.name, self.within))

    def inverse(self, before: ProjectState) -> AddField:
        """Return the operation that adds the removed field."""
        _ = self.apply(before)
        return AddField(self.model, self._removed(before), within=self.within)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        _ = self.apply(before)
        model, removed = before.model(self.model), self._removed(before)
        has_default = removed.default is not NO_DEFAULT
        value = removed.default if has_default else None
        stored = stored_default(model, removed, value)
        # A hash stores None by leaving the field out.
        is_written = not (value is None and model.storage is Storage.HASH) and not removed.is_generated
        return RemovedField(
            parse_path(self.within),
            self.name,
            stored,
            is_written=is_written,
            has_backward=removed.has_default or removed.is_optional,
        )

    def _removed(self, before: ProjectState) -> FieldState:
        return before.model(self.model).field_at(self.name, self.within)


class RemovedField(DocumentChange):
    """A field that is removed.

    Args:
        within: the path of the object that contains it.
        name: the field.
        stored: the value that documents without it get backward, if `is_written`.
        is_written: whether they get a value.
        has_backward: whether the version before reads documents without the field.
    """

    moves_values = True

    def __init__(
        self, within: Segments, name: str, stored: BytesOrJson, *, is_written: bool, has_backward: bool
    ) -> None:
        self._within, self._name, self._stored, self._is_written = within, name, stored, is_written
        self.reads = self.writes = ((*within, name),)
        self.has_backward = has_backward

    def is_pending(self, document: Document) -> bool:
        """Return whether a document has the field."""
        return any(self._name in holder for _, holder in document.holders(self._within))

    def forward(self, document: Document) -> Document:
        """Return the document without the field."""
        changed = document.copy()
        for _, holder in changed.holders(self._within):
            _ = holder.pop(self._name, None)
        return changed

    def backward(self, document: Document) -> Document:
        """Return the document with the value of documents without the field."""
        changed = document.copy()
        for location, holder in changed.holders(self._within):
            if self._name in holder:
                continue
            if not self.has_backward:
                raise not_reversible(display((*location, self._name)))
            if self._is_written:
                holder[self._name] = copy_value(self._stored)
        return changed


@dataclass(frozen=True)
class AlterField(DocumentOperation):
    """Change the default of a field, or whether it may be None. Its type stays the same.

    Args:
        model: the name of the model.
        before: the field before the change.
        after: the field after the change.
        within: the path of the embedded model that has it; "" for the model itself.
        fill: the value of documents in which it is absent or None.
    """

    model: str
    before: FieldState
    after: FieldState
    within: str = dataclasses.field(default="", kw_only=True)
    fill: Any = dataclasses.field(default=NO_DEFAULT, kw_only=True)

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        path = path_of(self.after.name, self.within)
        filled = "" if self.fill is NO_DEFAULT else f"; documents without a value get {shortened(self.fill)}"
        return f"Change {path} of {model_title(self.model)}: {_differences(self.before, self.after)}{filled}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the changed field."""
        return state.with_model(
            changed_model(state, self.model, self.before, self.after, self.within, ALTERED)
        )

    def inverse(self, before: ProjectState) -> "AlterField":
        """Return the change back."""
        _ = self.apply(before)
        return AlterField(self.model, self.after, self.before, within=self.within)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        model = self.apply(before).model(self.model)
        if self.fill is NO_DEFAULT or self.fill is None:
            return Unchanged()
        stored = stored_default(model, self.after, self.fill)
        return _FilledField(
            parse_path(self.within),
            self.after.name,
            stored,
            reads_empty_as_none=self.before.is_optional or self.after.type != "str",
            writes_empty=self.after.type == "str" and not self.after.is_optional,
            is_optional=self.after.is_optional,
        )


ALTERED = ("default", "is_optional", "is_generated")
"""What AlterField may change."""


def changed_model(
    state: ProjectState,
    name: str,
    before: FieldState,
    after: FieldState,
    within: str,
    may_change: Sequence[str],
) -> ModelState:
    """Return a model with a changed field.

    Raises:
        MigrationStateError: `before` is not the field, or something else changes than may.
    """
    model = state.model(name)
    path = path_of(before.name, within)
    current = model.field_at(before.name, within)
    if current != before:
        raise MigrationStateError(
            f"{path} of {name} is not the field before this operation: {_differences(before, current)}.",
            "Correct `before` in the migration file.",
        )
    same = {
        one: getattr(before, one) for one in ("name", "type", *ALTERED, "fields") if one not in may_change
    }
    if after.replaced(**same) != after:
        raise MigrationStateError(
            f"An operation on {path} of {name} changes more than {', '.join(may_change)}: "
            f"{_differences(before, after)}.",
            "Write several operations, for example RenameField and ConvertField.",
        )
    return model.with_changed_field(before.name, after, within)


def _differences(before: FieldState, after: FieldState) -> str:
    """Return what differs between two fields, as text."""
    found = [
        f"{name} {shortened(getattr(before, name))} -> {shortened(getattr(after, name))}"
        for name in ("name", "type", *ALTERED)
        if before.replaced(**{name: getattr(after, name)}) != before
    ]
    if before.members != after.members:
        found.append("its fields")
    return ", ".join(found) or "nothing"


class _FilledField(DocumentChange):
    """Fills a field that is absent or None.

    Args:
        reads_empty_as_none: whether an empty text in a hash means None before the change.
        writes_empty: whether it is a value after the change.
        is_optional: whether the field may be None after the change.
    """

    def __init__(
        self,
        within: Segments,
        name: str,
        stored: BytesOrJson,
        *,
        reads_empty_as_none: bool,
        writes_empty: bool,
        is_optional: bool,
    ) -> None:
        self._within, self._name, self._stored = within, name, stored
        self._fills_empty, self._writes_empty = reads_empty_as_none, writes_empty
        self.is_repeatable = not is_optional  # the new version writes None, too
        self.reads = self.writes = ((*within, name),)

    def after_run(self) -> "DocumentChange":
        if not (self._writes_empty and self._fills_empty):
            return self
        changed = copy(self)
        changed._fills_empty = False
        return changed

    def is_pending(self, document: Document) -> bool:
        return any(self._is_empty(holder) for _, holder in document.holders(self._within))

    def forward(self, document: Document) -> Document:
        changed = document.copy()
        for _, holder in changed.holders(self._within):
            if self._is_empty(holder):
                holder[self._name] = copy_value(self._stored)
        return changed

    def backward(self, document: Document) -> Document:
        return document

    def _is_empty(self, holder: JsonObject) -> bool:
        value = holder.get(self._name)
        return value is None or (value == b"" and self._fills_empty)
