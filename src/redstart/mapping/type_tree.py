"""The structure of documents according to annotations.

It is a tree of paths, with the types of each. An annotation has alternatives; structured types have fields.
"""

import dataclasses
import sys
import types
import typing
from collections import abc, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    NewType,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import typing_extensions
from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    RootModel,
)
from pydantic.fields import FieldInfo

from redstart.errors import RedisModelError
from redstart.mapping.pydantic_internals import fields_described, is_complete
from redstart.mapping.value_paths import Each, Segment
from redstart.values.types import TemporalKind

UNIONS: Final = (Union, types.UnionType)
ALIAS_TYPES: Final = tuple(
    {typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType)}
)
QUALIFIERS: Final = (Annotated, Final, Required, NotRequired, typing_extensions.ReadOnly)
"""Qualifiers of a type, which are not types themselves."""


def first_field(
    names: Collection[str], path: str, separators: Sequence[str] = ("__",)
) -> tuple[str, str | None]:
    """Return the first field of a path, and the rest of the path or None.

    Of several possible fields, it is the one with the longest name.
    """
    if path in names:
        return path, None
    fitting = [
        (name, path[len(name) + len(one) :])
        for name in names
        for one in separators
        if path.startswith(name + one)
    ]
    if fitting:
        return max(fitting, key=lambda found: len(found[0]))
    at = min((found for one in separators if (found := path.find(one)) > 0), default=len(path))
    rest = path[at:]
    return path[:at], next((rest.removeprefix(one) for one in separators if rest.startswith(one)), None)


def alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the plain types that an annotation allows.

    Unions are split; Annotated, NewType, type aliases and type variables are resolved. None, `list[X]`, classes, and
    the text of a name that does not exist yet are returned unchanged.
    """
    origin = typing.get_origin(annotation)
    if origin in UNIONS:
        for member in typing.get_args(annotation):
            yield from alternatives(member)
    elif origin in QUALIFIERS:
        yield from alternatives(typing.get_args(annotation)[0])
    elif isinstance(annotation, NewType):
        yield from alternatives(annotation.__supertype__)
    elif isinstance(annotation, ALIAS_TYPES):
        yield from alternatives(_value_of_alias(annotation))
    elif isinstance(origin, ALIAS_TYPES):
        arguments = dict(zip(origin.__type_params__, typing.get_args(annotation), strict=False))
        yield from alternatives(substitute(_value_of_alias(origin), arguments))
    elif isinstance(annotation, TypeVar):
        yield from _of_type_variable(annotation)
    else:
        yield type(None) if annotation is None else annotation


def _value_of_alias(alias: Any) -> Any:
    """Return the value of a type alias, with quoted names resolved in the module of the alias."""
    carrier = type("Carrier", (), {"__annotations__": {"value": alias.__value__}})
    module = sys.modules.get(alias.__module__)
    try:
        hints = typing_extensions.get_type_hints(carrier, vars(module) if module else {}, include_extras=True)
    except NameError:
        return alias.__value__
    return hints["value"]


def _of_type_variable(variable: TypeVar) -> Iterator[Any]:
    default = getattr(variable, "__default__", None)
    if default is not None and default is not typing_extensions.NoDefault:
        yield from alternatives(default)
    elif variable.__bound__ is not None:
        yield from alternatives(variable.__bound__)
    elif variable.__constraints__:
        for constraint in variable.__constraints__:
            yield from alternatives(constraint)
    else:
        yield Any


def substitute(annotation: Any, arguments: dict[Any, Any]) -> Any:
    """Return an annotation with its type variables replaced."""
    if isinstance(annotation, TypeVar):
        return arguments.get(annotation, annotation)
    variables = () if isinstance(annotation, type) else getattr(annotation, "__parameters__", ())
    if not variables:
        return annotation
    return annotation[tuple(arguments.get(variable, variable) for variable in variables)]


def annotated_metadata(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of `Annotated` in an annotation, its union members and aliases, but not in items of lists."""
    origin = typing.get_origin(annotation)
    if origin in UNIONS:
        for member in typing.get_args(annotation):
            yield from annotated_metadata(member)
    elif origin is Annotated:
        yield from annotated_metadata(typing.get_args(annotation)[0])
        yield from annotation.__metadata__
    elif isinstance(annotation, ALIAS_TYPES):
        yield from annotated_metadata(_value_of_alias(annotation))


def allows_none(annotation: Any) -> bool:
    """Return whether None is a declared value."""
    return any(member is type(None) for member in alternatives(annotation))


def aliases_of(field: FieldInfo) -> list[str]:
    """Return the names other than its own under which a field is read."""
    names: list[str] = []
    for alias in (field.alias, field.validation_alias):
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names += [choice for choice in choices if isinstance(choice, str)]
    return names


def is_named_tuple(kind: Any) -> bool:
    """Return whether this class was made with NamedTuple."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def names_read(kind: Any) -> frozenset[str]:
    """Return the names by which the fields of a structured type are read: their own, and their aliases.

    Raises:
        See `fields_of`.
    """
    origin = typing.get_origin(kind) or kind
    described = fields_described(origin)
    aliases = {alias for field in described.values() for alias in aliases_of(field)}
    return frozenset(aliases).union(fields_of(kind) or ())


def fields_of(kind: Any) -> dict[str, Any] | None:
    """Return field names and annotations of a model, dataclass, TypedDict or NamedTuple; None for anything else.

    Raises:
        NameError: an annotation contains a name that is not defined where the class was created.
        RedisModelError: the same for a model.
    """
    origin = typing.get_origin(kind) or kind
    if not isinstance(origin, type):
        return None
    if issubclass(origin, BaseModel):
        return {name: field.annotation for name, field in complete_fields(origin).items()}
    if dataclasses.is_dataclass(origin):
        names = [field.name for field in dataclasses.fields(origin)]
        described = fields_described(origin)
        hints = {name: field.annotation for name, field in described.items()}
        if not described:
            hints = typing_extensions.get_type_hints(origin, include_extras=True)
    elif typing_extensions.is_typeddict(origin) or is_named_tuple(origin):
        hints = typing_extensions.get_type_hints(origin, include_extras=True)
        names = list(getattr(origin, "_fields", hints))
    else:
        return None
    arguments = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(kind), strict=False))
    return {name: substitute(hints.get(name, Any), arguments) for name in names}


def complete_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields, with every annotation resolved.

    Raises:
        RedisModelError: an annotation contains an undefined name.
    """
    if not is_complete(model):
        try:
            model.model_rebuild(raise_errors=True)
        except NameError as error:
            raise RedisModelError(
                f"{model.__module__}.{model.__qualname__}: cannot resolve an annotation: {error}.",
                "Import or define the name in the module of the model, then call model_rebuild() on the model.",
            ) from error
    return model.model_fields


DATETIME_TYPES: tuple[Any, ...] = (AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime)
DATE_TYPES: tuple[Any, ...] = (PastDate, FutureDate)

MAPS = (abc.Mapping,)
LISTS = (list, set, frozenset, deque, abc.Sequence, abc.Set)
ABSTRACT_LISTS = (abc.Iterable, abc.Iterator, abc.Collection)


@dataclass(slots=True)
class Shape:
    """The types that are possible at one path.

    Args:
        temporal: the date and datetime types, and the kind of each.
        others: names of other types without parts.
        optional: whether None is possible.
        steps: the paths inside, if an object, list or map is possible.
        names: the names by which an object is read: those of its fields, and their aliases.
        recursive: types that contain this path, and are possible at it again.
        unresolved: why an annotation could not be read.
    """

    temporal: dict[Any, TemporalKind] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    optional: bool = False
    steps: dict[Segment, "Shape"] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    recursive: list[Any] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    def also(self, other: "Shape") -> "Shape":
        """Return the union of both. Neither operand changes."""
        steps = {**self.steps, **other.steps}
        for segment in self.steps.keys() & other.steps.keys():
            steps[segment] = self.steps[segment].also(other.steps[segment])
        return Shape(
            temporal=self.temporal | other.temporal,
            others=list(dict.fromkeys(self.others + other.others)),
            optional=self.optional or other.optional,
            steps=steps,
            names=self.names | other.names,
            recursive=self.recursive + other.recursive,
            unresolved=self.unresolved + other.unresolved,
        )


class ShapeReader:
    """Derives shapes from annotations. `shapes_of_types` caches the shape of each structured type."""

    def __init__(self) -> None:
        self.shapes_of_types: list[tuple[Any, Shape]] = []
        # A list, for types such as list[Annotated[int, {}]] cannot be hashed.
        self._in_progress: list[Any] = []

    def read(self, annotation: Any) -> Shape:
        """Return the shape of an annotation."""
        shape = Shape()
        for kind in alternatives(annotation):
            shape = shape.also(self._read_plain(kind))
        return shape

    def _read_plain(self, kind: Any) -> Shape:
        if kind is type(None):
            return Shape(optional=True)
        if isinstance(kind, str | ForwardRef):
            return Shape(unresolved=[f"cannot resolve the annotation {name_of(kind)}"])
        temporal = temporal_kind(kind)
        if temporal is not None:
            return Shape(temporal={kind: temporal})
        if kind in self._in_progress:
            return Shape(recursive=[kind])
        self._in_progress.append(kind)
        try:
            shape = self._read_structure(kind)
        except NameError as error:
            return Shape(unresolved=[f"cannot resolve an annotation of {name_of(kind)}: {error}"])
        finally:
            self._in_progress.pop()
        self.shapes_of_types.append((kind, shape))
        return shape

    def _read_structure(self, kind: Any) -> Shape:
        if isinstance(kind, type) and issubclass(kind, RootModel):
            return self.read(complete_fields(kind)["root"].annotation)
        inside = parts_of(kind)
        if inside is None:
            return Shape(others=[name_of(kind)])
        steps = {segment: self.read(annotation) for segment, annotation in inside}
        return Shape(steps=steps, names=names_read(kind))


def temporal_kind(kind: Any) -> TemporalKind | None:
    """Return whether a plain type is a datetime or a date. In Python a datetime is a date, so it is checked first."""
    is_class = isinstance(kind, type)
    if kind in DATETIME_TYPES or (is_class and issubclass(kind, datetime)):
        return TemporalKind.DATETIME
    if kind in DATE_TYPES or (is_class and issubclass(kind, date)):
        return TemporalKind.DATE
    return None


def parts_of(kind: Any) -> Iterable[tuple[Segment, Any]] | None:
    """Return the steps into a structured type and the annotation of each; None for a type without parts."""
    fields = fields_of(kind)
    if fields is None:
        return elements_of(kind)
    # A NamedTuple is stored as the list of its values.
    return enumerate(fields.values()) if is_named_tuple(kind) else fields.items()


def elements_of(kind: Any) -> Iterable[tuple[Segment, Any]] | None:
    """Return the steps into a map, list, set or tuple and the annotation of each; None for anything else."""
    origin = get_origin(kind) or kind
    arguments = get_args(kind)
    if not isinstance(origin, type):
        return None
    if issubclass(origin, MAPS):
        return [(Each.VALUE, arguments[1] if len(arguments) > 1 else Any)]
    if issubclass(origin, tuple) and arguments and arguments[-1] is not ...:
        return enumerate(arguments)
    if issubclass(origin, str | bytes | bytearray | memoryview):
        return None
    if issubclass(origin, LISTS) or origin in ABSTRACT_LISTS:
        return [(Each.ITEM, arguments[0] if arguments else Any)]
    return None


def name_of(kind: Any) -> str:
    """Return the name of a type in messages."""
    return kind.__qualname__ if isinstance(kind, type) else str(kind).removeprefix("typing.")
