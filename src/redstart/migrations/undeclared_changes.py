"""Changes of models that stored documents show and no migration file declares, each with its operation."""

import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redstart.display import shown_key
from redstart.effects import Op
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.indexes.state import shown
from redstart.migrations.model_fit import (
    UnknownFields,
    Unmanaged,
    UnreadableField,
    has_documents,
    model_of_documents,
    unknown_fields,
    unreadable_fields,
)
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command, Hint
from redstart.values.timezones import NaiveTimezone


class ChangeKind(StrEnum):
    """What was changed in the models."""

    RENAMED_FIELD = "renamed_field"
    CHANGED_TYPE = "changed_type"
    REQUIRED_FIELD = "required_field"
    CHANGED_KEY_PREFIX = "changed_key_prefix"
    REMOVED_MODEL = "removed_model"
    INDEX_WITHOUT_MODEL = "index_without_model"


_OF_OTHERS = (ChangeKind.REMOVED_MODEL, ChangeKind.INDEX_WITHOUT_MODEL)
"""These may belong to another application on the same server."""


@dataclass(frozen=True, slots=True)
class UndeclaredChange:
    """One change.

    Attributes:
        model: the name of the model as it is now; None without one.
        key_prefix: of the documents.
        hint: how to make the change.
    """

    kind: ChangeKind
    model: str | None
    key_prefix: str
    message: str
    hint: Hint

    @property
    def refuses(self) -> bool:
        """Return whether commands that change indexes are refused: documents would be lost to the application."""
        return self.kind not in _OF_OTHERS

    def as_dict(self) -> dict[str, Any]:
        """Return the change for --json."""
        return {
            "kind": self.kind.value,
            "model": self.model,
            "key_prefix": self.key_prefix,
            "text": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class DeclaredElsewhere:
    """Models and key prefixes that migration files change which are not complete."""

    models: frozenset[str] = frozenset()
    key_prefixes: frozenset[str] = frozenset()

    @classmethod
    def by(
        cls, operations: Iterable[Operation], states: Sequence[ProjectState], key_prefixes: Iterable[str] = ()
    ) -> "DeclaredElsewhere":
        """Return the models of some operations.

        Args:
            states: the models before and after them.
            key_prefixes: more of them.
        """
        names: set[str] = set()
        for one in operations:
            for attribute in ("model", "old", "new"):
                value = getattr(one, attribute, None)
                names.add(getattr(value, "name", value) if value is not None else "")
        models = [state.models[name] for state in states for name in names if name in state.models]
        return cls(frozenset(names), frozenset((*(model.key_prefix for model in models), *key_prefixes)))

    def has(self, change: UndeclaredChange) -> bool:
        """Return whether one of them makes a change."""
        return change.model in self.models or change.key_prefix in self.key_prefixes


def find_undeclared_changes(
    declarations: Sequence[ModelDeclaration],
    unmanaged: Iterable[Unmanaged],
    zone: NaiveTimezone,
    transformation: Transformation,
    *,
    has_files: bool,
    exclude_prefixes: Collection[str] = (),
) -> Op[list[UndeclaredChange]]:
    """Return the changes of models that the documents on the server show.

    Args:
        unmanaged: documents and indexes of no model.
        transformation: its values do not count.
        has_files: whether the project has migration files.
        exclude_prefixes: longer key prefixes whose keys do not belong to the models.

    Effects: some reads for each model and each unmanaged index.
    """
    unreadable = yield from unreadable_fields(
        declarations, zone, transformation, exclude_prefixes=exclude_prefixes
    )
    unknown_in = yield from unknown_fields(declarations, exclude_prefixes=exclude_prefixes)
    unknown = {one.model: one for one in unknown_in}
    prefixes = {one.name: one.key_prefix for one in declarations}
    found = [
        _renamed(one, [field for field in unreadable if field.model == model], prefixes[model], has_files)
        for model, one in unknown.items()
    ]
    for field in unreadable:
        if field.model not in unknown or field.field not in unknown[field.model].absent:
            found.append(_unreadable(field, prefixes[field.model], has_files))
    for place in unmanaged:
        found.append((yield from _without_model(place, declarations, has_files)))
    return found


def _create(*options: str, has_files: bool) -> Hint:
    """Return how to write an operation to a file. The first file has the models as they were."""
    create = Command("migrate create", "NAME", *options)
    if has_files:
        return Hint("Write the file with: ", create)
    return Hint(
        "The project has no migration files yet. Check out the previous models, write them to a first file with: ",
        Command("migrate create", "initial"),
        ", and record it with: ",
        Command("migrate stamp", "--to", "ID"),
        ". Then write the file of the change with: ",
        create,
    )


def _class_of(model: str) -> str:
    return model.rpartition(".")[2]


def _renamed(
    one: UnknownFields, unreadable: Collection[UnreadableField], key_prefix: str, has_files: bool
) -> UndeclaredChange:
    names, absent = ", ".join(one.names), ", ".join(one.absent)
    required = [field for field in unreadable if field.field in one.absent]
    if required:
        message = f"{_cannot_read(required[0])} These documents have a field that the model does not declare: {names}."
    else:
        message = (
            f"Documents of {one.model} have fields that the model does not declare ({names}), and no document in a "
            f"sample has {absent}. Example: {shown_key(one.key)}."
        )
    renames = (
        [
            word
            for old, new in zip(one.names, one.absent, strict=True)
            for word in _rename(one.model, old, new)
        ]
        if len(one.names) == len(one.absent) == 1
        else ["--rename", f"{_class_of(one.model)}.OLD=NEW"]
    )
    hint = Hint(
        "If the field was renamed, the migration file needs a RenameField. ",
        _create(*renames, has_files=has_files),
        ". With Field(renamed_from=...) the model reads both names.",
    )
    return UndeclaredChange(ChangeKind.RENAMED_FIELD, one.model, key_prefix, message, hint)


def _rename(model: str, old: str, new: str) -> tuple[str, str]:
    return "--rename", f"{_class_of(model)}.{old}={new}"


def _cannot_read(one: UnreadableField) -> str:
    return (
        f"{one.model} cannot read its field {one.field} in {one.documents} of {one.looked_at} sampled documents. "
        f"Example: {shown_key(one.key)}: {one.reason}."
    )


def _unreadable(one: UnreadableField, key_prefix: str, has_files: bool) -> UndeclaredChange:
    if one.is_missing:
        value = f"{_class_of(one.model)}.{one.field}=VALUE"
        hint = Hint(
            "To give these documents a value, the migration file needs an AddField. ",
            _create("--value", value, has_files=has_files),
        )
        return UndeclaredChange(ChangeKind.REQUIRED_FIELD, one.model, key_prefix, _cannot_read(one), hint)
    hint = Hint(
        "To convert the stored values, the migration file needs a ConvertField. ",
        _create(has_files=has_files),
    )
    return UndeclaredChange(ChangeKind.CHANGED_TYPE, one.model, key_prefix, _cannot_read(one), hint)


def _without_model(
    place: Unmanaged, declarations: Sequence[ModelDeclaration], has_files: bool
) -> Op[UndeclaredChange]:
    index = "" if place.index is None else f" (index {shown(place.index)})"
    if not place.documents:
        hint = Hint(
            "If its model was removed, the migration file needs a RemoveModel. ",
            _create("--no-rename", has_files=has_files),
            f". Or drop the index: redis-cli FT.DROPINDEX {shlex.quote(place.index or '')}",
        )
        message = (
            f"The index {shown(place.index or '')} belongs to no model in --models, and has no documents."
        )
        return UndeclaredChange(ChangeKind.INDEX_WITHOUT_MODEL, None, place.key_prefix, message, hint)
    documents = (
        f"{place.documents:,} document{'' if place.documents == 1 else 's'} under {place.key_prefix}{index}"
    )
    similar = yield from model_of_documents(place, declarations)
    if similar is not None and not (yield from has_documents(similar)):
        hint = Hint(
            "To move them, the migration file needs a ChangeKeyPrefix. ",
            _create("--rename", f"{place.key_prefix}*={similar.key_prefix}*", has_files=has_files),
        )
        message = (
            f"{documents} have the fields of {similar.name}, which has no documents under its key prefix "
            f"{similar.key_prefix}."
        )
        return UndeclaredChange(ChangeKind.CHANGED_KEY_PREFIX, similar.name, place.key_prefix, message, hint)
    hint = Hint(
        "Name the module of their model with --models, or set Meta.model_key_prefix if the prefix has changed. If the "
        "model was removed, the migration file needs a RemoveModel. ",
        _create("--no-rename", has_files=has_files),
    )
    verb = "belongs" if place.documents == 1 else "belong"
    return UndeclaredChange(
        ChangeKind.REMOVED_MODEL, None, place.key_prefix, f"{documents} {verb} to no model in --models.", hint
    )
