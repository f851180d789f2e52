"""Operations on a whole model: create, remove, rename, other keys, another storage; and on its index."""

import dataclasses
from dataclasses import dataclass

from redstart.errors import MigrationStateError, ValueConversionError
from redstart.migrations.operations.base import (
    DocumentChange,
    DocumentOperation,
    Operation,
    model_title,
    not_convertible,
)
from redstart.migrations.operations.document import BytesOrJson, Document
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.fields import codec_of
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.search.schema import Index, difference
from redstart.values.types import Storage


@dataclass(frozen=True)
class CreateModel(Operation):
    """Create a model: its index. It has no documents yet.

    Args:
        model: the model.
    """

    model: ModelState

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        return f"Create the model {model_title(self.model)} with keys {self.model.key_prefix}*."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new one."""
        if self.model.name in state.models:
            raise MigrationStateError(f"The model {self.model.name!r} exists already.")
        return state.with_model(self.model)

    def inverse(self, before: ProjectState) -> "RemoveModel":
        """Return the removal of the model."""
        _ = self.apply(before)
        return RemoveModel(self.model.name)


@dataclass(frozen=True)
class RemoveModel(Operation):
    """Remove a model: its index and all its documents.

    Args:
        model: the name of the model.
    """

    model: str

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        return f"Remove the model {model_title(self.model)}, its index and all its documents."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models without this one."""
        return state.without_model(self.model)

    def inverse(self, before: ProjectState) -> CreateModel:
        """Return the operation that creates the removed model."""
        return CreateModel(before.model(self.model))


@dataclass(frozen=True)
class RenameModel(Operation):
    """Rename a model class, or move it to another module. Its keys stay the same; see ChangeKeyPrefix.

    Args:
        old: its previous name, such as `package.module.Class`.
        new: its new name.
    """

    old: str
    new: str

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        return f"Rename the model {self.old} to {self.new}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new name."""
        model = state.model(self.old)
        if self.new in state.models:
            raise MigrationStateError(f"The model {self.new!r} exists already.")
        return state.with_model(model.replaced(name=self.new), in_place_of=self.old)

    def inverse(self, before: ProjectState) -> "RenameModel":
        """Return the renaming back."""
        _ = self.apply(before)
        return RenameModel(self.new, self.old)


@dataclass(frozen=True)
class ChangeKeyPrefix(Operation):
    """Move all documents of a model to keys with another prefix or suffix. Their expiry stays the same.

    Args:
        model: the name of the model.
        before: the previous beginning of its keys, up to the primary key.
        after: the new beginning.
        suffix_before: the previous end of its keys, after the primary key.
        suffix_after: the new end.
    """

    model: str
    before: str
    after: str
    suffix_before: str = dataclasses.field(default="", kw_only=True)
    suffix_after: str = dataclasses.field(default="", kw_only=True)

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        keys = f"{self.before}*{self.suffix_before} to {self.after}*{self.suffix_after}"
        return f"Move the documents of {model_title(self.model)} from the keys {keys}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new keys."""
        model = state.model(self.model)
        if (model.key_prefix, model.key_suffix) != (self.before, self.suffix_before):
            raise MigrationStateError(
                f"The keys of {self.model} before this operation are {model.key_prefix}*{model.key_suffix}, "
                f"not {self.before}*{self.suffix_before}.",
                "Correct the operation in the migration file.",
            )
        return state.with_model(model.replaced(key_prefix=self.after, key_suffix=self.suffix_after))

    def inverse(self, before: ProjectState) -> "ChangeKeyPrefix":
        """Return the move back."""
        _ = self.apply(before)
        return ChangeKeyPrefix(
            self.model,
            self.after,
            self.before,
            suffix_before=self.suffix_after,
            suffix_after=self.suffix_before,
        )


@dataclass(frozen=True)
class ChangeStorage(DocumentOperation):
    """Store the documents of a model as JSON instead of hashes, or the reverse. Each document is written as a whole.

    Args:
        model: the name of the model.
        before: the previous storage: hash or JSON.
        after: the new storage.
    """

    model: str
    before: Storage
    after: Storage

    def __post_init__(self) -> None:
        object.__setattr__(self, "before", Storage(self.before))
        object.__setattr__(self, "after", Storage(self.after))

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        forms = {Storage.HASH: "hashes", Storage.JSON: "JSON"}
        title = model_title(self.model)
        return f"Store the documents of {title} as {forms[self.after]} instead of {forms[self.before]}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new storage."""
        model = state.model(self.model)
        if model.storage is not self.before or self.before is self.after:
            raise MigrationStateError(
                f"The documents of {self.model} before this operation are stored as {model.storage.name}, "
                f"so they cannot change from {self.before.name} to {self.after.name}."
            )
        return state.with_model(model.replaced(storage=self.after))

    def inverse(self, before: ProjectState) -> "ChangeStorage":
        """Return the change back."""
        _ = self.apply(before)
        return ChangeStorage(self.model, self.after, self.before)

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        return _Restored(before.model(self.model), self.apply(before).model(self.model))


class _Restored(DocumentChange):
    """Documents in another storage. Fields that the model does not declare are text in hashes."""

    def __init__(self, before: ModelState, after: ModelState) -> None:
        self._before, self._after = before, after
        self.reads = self.writes = tuple((one.name,) for one in before.fields)

    def is_pending(self, document: Document) -> bool:
        return document.storage is self._before.storage

    def forward(self, document: Document) -> Document:
        return _stored_as(document, self._before, self._after)

    def backward(self, document: Document) -> Document:
        return _stored_as(document, self._after, self._before)


def _stored_as(document: Document, before: ModelState, after: ModelState) -> Document:
    """Return a document in the storage of `after`. Raises NotConvertibleError."""
    if document.storage is not before.storage:
        return document
    read, write = codec_of(before), codec_of(after)
    found = Document(after.storage, {})
    for name, stored in document.root.items():
        declared = before.members.get(name) or FieldState(name, "str")
        kind, value = declared.value_type, None
        if not _stands_for_none(stored, declared):
            try:
                value = read.read(kind, stored, declared.fields)
                new = write.write_as(kind, value)
            except ValueConversionError as error:
                raise not_convertible((name,), stored, error.reason) from error
            found.root[name] = new
    if after.storage is Storage.JSON:
        for one in before.fields:
            if one.is_optional:
                _ = found.root.setdefault(one.name, None)
    return found


def _stands_for_none(stored: BytesOrJson, declared: FieldState) -> bool:
    return stored is None or (stored == b"" and declared.is_optional)


@dataclass(frozen=True)
class AlterIndex(Operation):
    """Change the index of a model. Queries use the previous index until the new one is complete.

    Args:
        model: the name of the model.
        before: the previous index; None if there is none.
        after: the new index; None if there is none.
    """

    model: str
    before: Index | None
    after: Index | None

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        title = model_title(self.model)
        if self.before is None or self.after is None:
            return f"Create an index of {title}." if self.before is None else f"Drop the index of {title}."
        found = str(difference(self.before, self.after)).replace(".\n", "; ").removesuffix(".")
        if self.before.name != self.after.name:
            name = f"its name changes from {self.before.name} to {self.after.name}"
            found = f"{name}; {found}" if difference(self.before, self.after) else name
        return f"Change the index of {title}: {found}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new index."""
        model = state.model(self.model)
        if model.index != self.before:
            raise MigrationStateError(
                f"The index of {self.model} is not the one before this operation.",
                "Correct `before` in the migration file.",
            )
        return state.with_model(model.replaced(index=self.after))

    def inverse(self, before: ProjectState) -> "AlterIndex":
        """Return the change back."""
        _ = self.apply(before)
        return AlterIndex(self.model, self.after, self.before)
