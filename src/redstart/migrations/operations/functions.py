"""Operations with functions of a migration file: Transform changes documents, RunPython does anything else."""

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from typing_extensions import is_typeddict

from redstart.display import shortened
from redstart.errors import MigrationStateError, NotConvertibleError, ValueConversionError
from redstart.mapping.type_tree import fields_of
from redstart.mapping.value_paths import display
from redstart.migrations.operations.base import (
    DocumentChange,
    DocumentOperation,
    Kept,
    Operation,
    model_title,
    not_convertible,
    not_reversible,
)
from redstart.migrations.operations.declared_fields import field_of_annotation
from redstart.migrations.operations.document import Document, is_same
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.fields import codec_of
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.values.types import Storage

Values: TypeAlias = dict[str, Any]
"""Values by the name of their field, as a TypedDict has them."""

Function: TypeAlias = Callable[[Any], Any]


class Shape:
    """The fields that a function reads or returns, as a TypedDict declares them.

    Args:
        declared: the TypedDict.

    Raises:
        MigrationStateError: it is not a TypedDict, or the type of a field cannot be stored.
    """

    def __init__(self, declared: type) -> None:
        name = getattr(declared, "__name__", repr(declared))
        if not is_typeddict(declared):
            raise MigrationStateError(
                f"{name} is not a TypedDict.", "Declare the fields as class Before(TypedDict)."
            )
        self.fields = {
            one: field_of_annotation(one, annotation, name)
            for one, annotation in (fields_of(declared) or {}).items()
        }
        self._not_required: frozenset[str] = getattr(declared, "__optional_keys__", frozenset())
        try:
            self._adapter: TypeAdapter[Values] = TypeAdapter(declared)
        except PydanticUserError as error:  # before Python 3.12 pydantic cannot read typing.TypedDict
            raise MigrationStateError(
                f"{name} cannot be read: {error.message}", "Import TypedDict from redstart.operations."
            ) from error

    def validated(self, values: Mapping[str, Any], *, strict: bool) -> Values:
        """Return the values as the TypedDict has them.

        Raises:
            NotConvertibleError: a value does not fit its type, or a name is not declared.
        """
        undeclared = next((name for name in values if name not in self.fields), None)
        if undeclared is not None:
            raise NotConvertibleError(str(undeclared), "", "the TypedDict does not declare it")
        try:
            return self._adapter.validate_python(dict(values), strict=strict)
        except ValidationError as error:
            first = error.errors()[0]
            path = display(tuple(one for one in first["loc"] if isinstance(one, str | int)))
            shown = "" if first["type"] == "missing" else shortened(first["input"])
            raise NotConvertibleError(path, shown, first["msg"]) from error

    def may_lack(self, name: str) -> bool:
        """Return whether a field is NotRequired."""
        return name in self._not_required

    def is_required(self, name: str) -> bool:
        """Return whether documents always have a field: it is neither NotRequired nor possibly None."""
        return not self.may_lack(name) and not self.fields[name].is_optional


@dataclass(frozen=True)
class Transform(DocumentOperation):
    """Make new values from old ones with a function of the migration file.

    The function has to be pure: it gets a dict with the fields of `before` and returns one with the fields of `after`.
    Other fields of the document stay the same.

    Args:
        model: the name of the model.
        forward: the function.
        backward: its inverse; None if there is none.
        before: the shape of a document before the change, as a class derived from TypedDict.
        after: its shape after the change; by default the same as `before`.
    """

    model: str
    forward: Function
    backward: Function | None = None
    before: type = dataclasses.field(kw_only=True)
    after: type | None = dataclasses.field(default=None, kw_only=True)

    @property
    def is_reversible(self) -> bool:
        """Return whether there is an inverse."""
        return self.backward is not None

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        before, after = self._shapes()
        names = ", ".join(before.fields)
        into = "" if before.fields.keys() == after.fields.keys() else f" into {', '.join(after.fields)}"
        return f"Transform {names} of {model_title(self.model)}{into} with {_name(self.forward)}()."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the fields of the new shape."""
        before, after = self._shapes()
        model = state.model(self.model)
        for name, one in before.fields.items():
            current = model.field_at(name)
            if (current.type, current.members.keys()) != (one.type, one.members.keys()):
                raise MigrationStateError(
                    f"{name} of {self.model} is {current.type} before this operation, and its TypedDict declares "
                    f"{one.type}.",
                    "Declare in the TypedDict what is stored.",
                )
        for name in before.fields.keys() | after.fields.keys():
            if name == model.primary_key:
                raise MigrationStateError(
                    f"{name!r} is the primary key of {self.model} and cannot be transformed."
                )
        changed = model
        for name in before.fields:
            if name not in after.fields:
                changed = changed.without_field(name)
        for name, one in after.fields.items():
            if name not in before.fields:
                changed = changed.with_field(one)
            elif one.type != before.fields[name].type or one.members != before.fields[name].members:
                changed = changed.with_changed_field(name, one)
        return state.with_model(changed)

    def inverse(self, before: ProjectState) -> "Transform | None":
        """Return the operation with both functions exchanged; None without `backward`."""
        _ = self.apply(before)
        if self.backward is None:
            return None
        return Transform(
            self.model, self.backward, self.forward, before=self.after or self.before, after=self.before
        )

    def bind(self, before: ProjectState) -> DocumentChange:
        """Return the change of each document."""
        model = before.model(self.model)
        return _Transformed(self, *self._shapes(), model, self.apply(before).model(self.model))

    def _shapes(self) -> tuple[Shape, Shape]:
        before = Shape(self.before)
        return before, before if self.after is None else Shape(self.after)


class _Transformed(DocumentChange):
    """Documents that a function changes."""

    def __init__(
        self,
        operation: Transform,
        before: Shape,
        after: Shape,
        old: ModelState,
        new: ModelState,
        keep: Kept | None = None,
    ) -> None:
        self._keep = keep
        self._operation, self._before, self._after = operation, before, after
        self._old, self._new = old, new
        self.reads = tuple((name,) for name in before.fields)
        self.writes = tuple((name,) for name in {**before.fields, **after.fields})
        self._removed = [name for name in before.fields if name not in after.fields]
        self._added = [name for name in after.fields if name not in before.fields and after.is_required(name)]
        self.decided_by_shape = bool(self._removed or self._added)
        self.has_backward = operation.backward is not None
        if self._removed:
            self.sources = tuple((name,) for name in self._removed)
            self.targets = tuple((name,) for name in after.fields if name not in before.fields)
            self.in_place = tuple((name,) for name in after.fields if name in before.fields)

    def preferring(self, kept: Kept | None) -> "_Transformed":
        return _Transformed(self._operation, self._before, self._after, self._old, self._new, kept)

    def is_pending(self, document: Document) -> bool:
        if self._removed:
            return any(name in document.root for name in self._removed)
        if self._added:
            return any(name not in document.root for name in self._added)
        return any(name in document.root for name in self._before.fields)

    def forward(self, document: Document) -> Document:
        if self.decided_by_shape and not self.is_pending(document):
            return document
        return self._call(
            self._operation.forward,
            document,
            self._before,
            self._after,
            self._old,
            overwrites=self._keep == "old",
        )

    def backward(self, document: Document) -> Document:
        if self._operation.backward is None:
            raise not_reversible(", ".join(self._after.fields))
        if self.decided_by_shape and self.is_pending(document) and self._keep != "new":
            return document  # an old version wrote it
        return self._call(
            self._operation.backward,
            document,
            self._after,
            self._before,
            self._new,
            overwrites=self._keep == "new",
        )

    def _call(
        self,
        function: Function,
        document: Document,
        source: Shape,
        target: Shape,
        model: ModelState,
        *,
        overwrites: bool,
    ) -> Document:
        given = source.validated(_values_of(document, source, model), strict=False)
        result = target.validated(_result_of(function, given, source), strict=True)
        changed = document.copy()
        for name in source.fields:
            if name not in target.fields:
                _ = changed.root.pop(name, None)
        for name, one in target.fields.items():
            is_new = name not in source.fields and not overwrites
            if is_new and self._keep is not None and name in changed.root:
                continue
            _store(changed, one, result.get(name), model, is_new=is_new, is_given=name in result)
        return changed


def _values_of(document: Document, shape: Shape, model: ModelState) -> Values:
    """Return the values that a function is given. Raises NotConvertibleError."""
    codec = codec_of(model)
    values: Values = {}
    for name, one in shape.fields.items():
        stored = document.root.get(name)
        declared = model.members.get(name, one)
        if name not in document.root:
            if declared.default is not NO_DEFAULT:
                values[name] = copy.deepcopy(declared.default)
            elif one.is_optional and not shape.may_lack(name):
                values[name] = None
        elif stored is None or (stored == b"" and one.is_optional):
            values[name] = None
        else:
            try:
                values[name] = codec.read(one.value_type, stored, one.fields)
            except ValueConversionError as error:
                raise not_convertible((name,), stored, error.reason) from error
    return values


def _result_of(function: Function, given: Values, source: Shape) -> Values:
    """Return the result of a function for its values. Raises NotConvertibleError."""
    original = copy.deepcopy(given)
    names = ", ".join(source.fields)
    try:
        result = function(given)
    except (
        Exception,
        SystemExit,
    ) as error:  # it may raise anything; sys.exit(0) would look like success
        raise NotConvertibleError(
            names, shortened(original), f"{_name(function)}() raised {type(error).__name__}: {error}"
        ) from error
    if given != original:
        changed = [name for name in {**original, **given} if given.get(name) != original.get(name)]
        reason = f"{_name(function)}() changed its argument; it has to return a new dict"
        raise NotConvertibleError(", ".join(changed) or names, shortened(original), reason)
    if not isinstance(result, dict):
        reason = f"{_name(function)}() returned {shortened(result)} instead of a dict"
        raise NotConvertibleError(names, shortened(original), reason)
    return result


def _store(
    document: Document, one: FieldState, value: Any, model: ModelState, *, is_new: bool, is_given: bool
) -> None:
    """Store a value that a function returned. Raises NotConvertibleError."""
    name = one.name
    if not is_given or (value is None and document.storage is Storage.HASH):
        _ = document.root.pop(name, None)
        return
    try:
        stored = None if value is None else codec_of(model).write_as(one.value_type, value)
    except ValueConversionError as error:
        raise NotConvertibleError(name, shortened(value), error.reason) from error
    if is_new and name in document.root and not is_same(document.root[name], stored):
        raise not_convertible((name,), document.root[name], "it exists already and has another value")
    document.root[name] = stored


def _name(function: Function) -> str:
    return getattr(function, "__name__", "the function")


@dataclass(frozen=True)
class RunPython(Operation):
    """Call a function of the migration file, for everything that is not a change of documents one by one.

    What it does is not in the undo log.

    Args:
        up: the function. Its arguments are a client of redis-py, and the name of the step if there are `steps`.
        down: a function that undoes `up`; None if there is none. Then the migration cannot be rolled back.
        steps: names of the steps in which the function works. It is called once for each of them, and not again for a
            step that was completed before an interruption. None: it is called once.
    """

    up: Function
    down: Function | None = None
    steps: Sequence[str] = dataclasses.field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.steps, str):
            raise MigrationStateError(f"The steps of RunPython have to be a list, got {self.steps!r}.")
        steps = tuple(self.steps)
        if len(set(steps)) < len(steps) or not all(isinstance(one, str) and one for one in steps):
            raise MigrationStateError("The steps of RunPython have to be different names.")
        object.__setattr__(self, "steps", steps)

    @property
    def is_reversible(self) -> bool:
        """Return whether there is an inverse."""
        return self.down is not None

    def describe(self) -> str:
        """Return what the operation does, in one sentence."""
        steps = f" in {len(self.steps)} steps" if self.steps else ""
        return f"Call {_name(self.up)}(){steps}, outside the undo log."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the same models."""
        return state

    def inverse(self, before: ProjectState) -> "RunPython | None":  # noqa: ARG002 - it has no model
        """Return the operation with both functions exchanged; None without `down`."""
        return None if self.down is None else RunPython(self.down, self.up, steps=self.steps[::-1])
