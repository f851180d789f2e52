"""The models at one point of the migration history, as data. Nothing here refers to a class of the project."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from redstart.display import did_you_mean
from redstart.errors import MigrationStateError
from redstart.mapping.index_schema import index_of
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.operations.declared_fields import fields_of_model
from redstart.migrations.operations.field_state import FieldState, by_name
from redstart.migrations.operations.value_types import Segments, parse_path, path_of
from redstart.search.schema import Index
from redstart.values.types import Storage


@dataclass(frozen=True)
class ModelState:
    """A model.

    Args:
        name: `package.module.Class`.
        key_prefix: the beginning of its keys, up to the primary key.
        storage: hash or JSON.
        primary_key: the name of the field with the primary key. The default `pk` is not listed in the fields.
        fields: its fields; compared by name.
        index: its index; None without one.
        key_suffix: the end of its keys, after the primary key.
        encoding: of the text in hashes.

    Raises:
        MigrationStateError: an argument is invalid.
    """

    name: str
    key_prefix: str = field(kw_only=True)
    storage: Storage = field(kw_only=True)
    primary_key: str = field(default="pk", kw_only=True)
    fields: Sequence[FieldState] = field(default=(), kw_only=True, compare=False)
    index: Index | None = field(default=None, kw_only=True)
    key_suffix: str = field(default="", kw_only=True)
    encoding: str = field(default="utf-8", kw_only=True)
    members: Mapping[str, FieldState] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            storage = Storage(self.storage)
        except ValueError as error:
            raise MigrationStateError(f"The storage of {self.name} has to be 'hash' or 'json'.") from error
        fields = tuple(self.fields)
        for name, value in (
            ("storage", storage),
            ("fields", fields),
            ("members", by_name(fields, self.name)),
        ):
            object.__setattr__(self, name, value)
        compound = next((one for one in self.fields if one.value_type.is_compound), None)
        if compound is not None and storage is Storage.HASH:
            raise MigrationStateError(
                f"{self.name} is stored in hashes, which cannot store {compound.name!r} of the type {compound.type}."
            )

    def replaced(self, **changes: object) -> "ModelState":
        """Return the model with other arguments."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # the caller's are typed

    def field_at(self, name: str, within: str = "") -> FieldState:
        """Return a field.

        Args:
            name: its name.
            within: the path of the embedded model that contains it.

        Raises:
            MigrationStateError: it does not exist.
        """
        fields = self.fields_within(within)
        found = next((one for one in fields if one.name == name), None)
        if found is None:
            place = f"{self.name}.{within}" if within else self.name
            raise MigrationStateError(
                f"{place} has no field {name!r}.", did_you_mean(name, [one.name for one in fields]) or None
            )
        return found

    def fields_within(self, within: str) -> Sequence[FieldState]:
        """Return the fields of an embedded model. Raises MigrationStateError if there is none at this path."""
        fields = self.fields
        for name in self._holders(within):
            fields = next(one.fields for one in fields if one.name == name)
        return fields

    def with_fields(self, within: str, fields: Sequence[FieldState]) -> "ModelState":
        """Return the model with other fields of an embedded model; "" for those of the model itself."""
        return self.replaced(fields=_with_fields(self.fields, self._holders(within), fields))

    def with_field(self, field: FieldState, within: str = "") -> "ModelState":
        """Return the model with one more field. Raises MigrationStateError if it exists."""
        fields = self.fields_within(within)
        if any(one.name == field.name for one in fields) or (not within and field.name == self.primary_key):
            raise MigrationStateError(f"{self.name} has a field {path_of(field.name, within)!r} already.")
        return self.with_fields(within, (*fields, field))

    def without_field(self, name: str, within: str = "") -> "ModelState":
        """Return the model without a field. Raises MigrationStateError if it does not exist."""
        removed = self.field_at(name, within)
        return self.with_fields(within, [one for one in self.fields_within(within) if one is not removed])

    def with_changed_field(self, name: str, field: FieldState, within: str = "") -> "ModelState":
        """Return the model with a field in place of another. Raises MigrationStateError."""
        changed = self.field_at(name, within)
        if field.name != name:
            _ = self.with_field(field, within)
        fields = [field if one is changed else one for one in self.fields_within(within)]
        return self.with_fields(within, fields)

    def _holders(self, within: str) -> list[str]:
        """Return the names of the fields on the way to an embedded model, which its path contains with their steps."""
        names: list[str] = []
        rest: Segments = parse_path(within)
        fields = self.fields
        while rest:
            holder = next((one for one in fields if one.name == rest[0]), None)
            steps = None if holder is None else holder.value_type.steps_to_object()
            if holder is None or steps is None or rest[1 : 1 + len(steps)] != steps:
                raise MigrationStateError(f"{self.name} has no embedded model at {within!r}.")
            names.append(holder.name)
            fields, rest = holder.fields, rest[1 + len(steps) :]
        return names


def _with_fields(
    fields: Sequence[FieldState], holders: Sequence[str], new: Sequence[FieldState]
) -> Sequence[FieldState]:
    if not holders:
        return tuple(new)
    return tuple(
        one.replaced(fields=_with_fields(one.fields, holders[1:], new)) if one.name == holders[0] else one
        for one in fields
    )


@dataclass(frozen=True)
class ProjectState:
    """All models at one point of the migration history, by name."""

    models: Mapping[str, ModelState] = field(default_factory=dict)

    @classmethod
    def of(cls, models: Iterable[ModelState]) -> "ProjectState":
        """Return the state with these models."""
        return cls({one.name: one for one in models})

    def model(self, name: str) -> ModelState:
        """Return a model. Raises MigrationStateError if it does not exist."""
        found = self.models.get(name)
        if found is None:
            raise MigrationStateError(
                f"The model {name!r} does not exist at this point of the migration history.",
                did_you_mean(name, self.models) or None,
            )
        return found

    def with_model(self, model: ModelState, *, in_place_of: str | None = None) -> "ProjectState":
        """Return the state with a model, new or changed.

        Args:
            in_place_of: its former name.
        """
        models = {name: one for name, one in self.models.items() if name != in_place_of}
        return ProjectState({**models, model.name: model})

    def without_model(self, name: str) -> "ProjectState":
        """Return the state without a model. Raises MigrationStateError if it does not exist."""
        _ = self.model(name)
        return ProjectState({other: one for other, one in self.models.items() if other != name})


def state_of_models(declarations: Iterable[ModelDeclaration]) -> ProjectState:
    """Return the state of model classes.

    Raises:
        MigrationStateError: a field has a type or a default that a migration file cannot contain.
        RedisModelError: an annotation cannot be resolved, or a field cannot be indexed.
    """
    return ProjectState.of(map(_state_of_model, declarations))


def _state_of_model(declaration: ModelDeclaration) -> ModelState:
    model = declaration.model
    return ModelState(
        declaration.name,
        key_prefix=declaration.key_prefix,
        key_suffix=declaration.key_suffix,
        storage=declaration.storage,
        primary_key=model._primary_key_name,
        fields=fields_of_model(model),
        index=index_of(model),
        # JSON is always UTF-8.
        encoding=model._meta.encoding if declaration.storage is Storage.HASH else "utf-8",
    )
