"""Fields of model classes as migration files describe them."""

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import PurePath
from re import Pattern
from typing import Any, ForwardRef, NotRequired
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AnyUrl,
    BaseModel,
    EmailStr,
    GetPydanticSchema,
    PlainSerializer,
    RootModel,
    WrapSerializer,
)
from pydantic.fields import FieldInfo
from pydantic_core import MultiHostUrl, PydanticUndefined, Url

from redstart.documents.value_encoder import ADDRESSES
from redstart.errors import MigrationStateError
from redstart.mapping.base_model import MappedModel, model_name
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.field_checks import is_storable
from redstart.mapping.fields import field_options
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.pydantic_internals import decorators_of
from redstart.mapping.renamed_fields import former_names
from redstart.mapping.type_tree import (
    alternatives,
    complete_fields,
    elements_of,
    fields_of,
    is_named_tuple,
    name_of,
    temporal_kind,
)
from redstart.mapping.value_paths import Each
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState, frozen_value
from redstart.migrations.operations.value_types import (
    ANY,
    MAP,
    OBJECT,
    RECURSIVE,
    SERIALIZED,
    TUPLE,
    UNION,
    VECTOR,
    ValueType,
    literal_type,
)

EMPTY: typing.Final = (list, dict, set, frozenset, tuple)
"""Factories of defaults that always make the same value."""

OF_CLASSES: typing.Final[tuple[tuple[Any, str], ...]] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (EmailStr, "EmailStr"),
    (str, "str"),
    ((bytes, bytearray, memoryview), "bytes"),
    (Decimal, "Decimal"),
    (UUID, "UUID"),
    (time, "time"),
    (timedelta, "timedelta"),
    (PurePath, "Path"),
    (Coordinates, "Coordinates"),
    (ZoneInfo, "ZoneInfo"),
    (Pattern, "Pattern"),
    ((AnyUrl, Url), "Url"),
    (MultiHostUrl, "MultiHostUrl"),
    *((kind, kind.__name__) for kind in ADDRESSES),
)
"""Names of types, by class; subclasses are stored alike. In this order: a bool is an int to Python."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """The contents of an annotation: its types without None, and the fields of embedded models."""

    types: tuple[ValueType, ...]
    is_optional: bool = False
    fields: tuple[FieldState, ...] = ()

    @property
    def type(self) -> ValueType:
        distinct = tuple(dict.fromkeys(self.types))
        return distinct[0] if len(distinct) == 1 else ValueType(UNION, distinct)


def fields_of_model(model: type[BaseModel]) -> tuple[FieldState, ...]:
    """Return the fields of a model, in the order of declaration.

    Raises:
        MigrationStateError: a type or a default that a migration file cannot contain.
    """
    return _Reader(()).fields(model, model_name(model))


def field_of_annotation(name: str, annotation: Any, owner: str) -> FieldState:
    """Return a field with this annotation and no default. Raises MigrationStateError."""
    is_required = typing.get_origin(annotation) is not NotRequired
    return _Reader(()).field(name, annotation, f"{owner}.{name}", is_generated=not is_required)


class _Reader:
    """Reads annotations.

    Args:
        above: the embedded models around the annotation.
    """

    def __init__(self, above: tuple[Any, ...]) -> None:
        self._above = above

    def fields(self, kind: Any, owner: str) -> tuple[FieldState, ...]:
        """Return the fields of a model, dataclass or TypedDict that are stored."""
        former = former_names(kind)
        return tuple(
            one.with_former_name(former[one.name]) if one.name in former else one
            for one in self._fields(kind, owner)
        )

    def _fields(self, kind: Any, owner: str) -> Iterator[FieldState]:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from self._fields_of_model(kind, owner)
            return
        defaults = _defaults(kind)
        for name, annotation in (fields_of(kind) or {}).items():
            yield self.field(
                name,
                annotation,
                f"{owner}.{name}",
                default=defaults.get(name, NO_DEFAULT),
                is_generated=name in _not_required(kind),
            )

    def field(
        self, name: str, annotation: Any, label: str, *, default: Any = NO_DEFAULT, is_generated: bool = False
    ) -> FieldState:
        """Return one field.

        Args:
            label: its model and name, for messages.
        """
        declared = self._read(annotation, label)
        return FieldState(
            name,
            str(declared.type),
            default=default,
            is_optional=declared.is_optional,
            is_generated=is_generated,
            fields=declared.fields,
        )

    def _fields_of_model(self, model: type[BaseModel], owner: str) -> Iterator[FieldState]:
        for name, info in complete_fields(model).items():
            if _is_default_key(model, name, info) or (info.exclude and not is_storable(info.annotation)):
                continue
            label = f"{owner}.{name}"
            default, is_generated = _default_of(info)
            vector = field_options(info).vector_options
            if vector is not None:
                kind = str(ValueType(VECTOR, choices=(vector.type.value, vector.dimension)))
                yield FieldState(name, kind, default=default, is_generated=is_generated)
            elif _is_serialized(model, name, info):
                yield self._serialized(name, info, label, default, is_generated=is_generated)
            else:
                yield self.field(name, info.annotation, label, default=default, is_generated=is_generated)

    def _serialized(
        self, name: str, info: FieldInfo, label: str, default: Any, *, is_generated: bool
    ) -> FieldState:
        try:
            declared = self._read(info.annotation, label)
            _ = frozen_value(default)
        except (MigrationStateError, ValueError):  # the stored value depends on its serializer
            declared, default, is_generated = (
                _Declared((ValueType(ANY),)),
                NO_DEFAULT,
                default is not NO_DEFAULT,
            )
        return FieldState(
            name,
            str(ValueType(SERIALIZED, (declared.type,))),
            default=default,
            is_optional=declared.is_optional,
            is_generated=is_generated,
        )

    def _read(self, annotation: Any, label: str) -> _Declared:
        types: list[ValueType] = []
        fields: dict[str, FieldState] = {}
        is_optional = False
        for kind in alternatives(annotation):
            if kind is type(None):
                is_optional = True
                continue
            found = self._plain(kind, label)
            types += found.types
            for one in found.fields:
                if fields.setdefault(one.name, one) != one:
                    raise MigrationStateError(
                        f"{label} cannot be part of a migration file: its alternatives declare the field "
                        f"{one.name!r} differently."
                    )
        return _Declared(tuple(types or [ValueType(ANY)]), is_optional, tuple(fields.values()))

    def _plain(self, kind: Any, label: str) -> _Declared:
        """Return the contents of a type that is not a union."""
        if isinstance(kind, str | ForwardRef):
            raise MigrationStateError(f"{label}: cannot resolve the annotation {name_of(kind)}.")
        if any(kind is one for one in self._above):
            return _Declared((ValueType(RECURSIVE, choices=(kind.__name__,)),))
        if isinstance(kind, type) and issubclass(kind, RootModel):
            return self._inside(kind).read(complete_fields(kind)["root"].annotation, label)
        if is_named_tuple(kind):
            return self._tuple((fields_of(kind) or {}).values(), label)
        if fields_of(kind) is not None:
            return _Declared((ValueType(OBJECT),), fields=self._inside(kind).fields(kind, label))
        elements = elements_of(kind)
        if elements is not None:
            return self._elements(kind, list(elements), label)
        return _Declared((_scalar(kind, label),))

    def read(self, annotation: Any, label: str) -> _Declared:
        """Return the contents of an annotation."""
        return self._read(annotation, label)

    def _inside(self, kind: Any) -> "_Reader":
        return _Reader((*self._above, kind))

    def _elements(self, kind: Any, elements: Sequence[tuple[Any, Any]], label: str) -> _Declared:
        segment = elements[0][0] if elements else Each.ITEM
        if isinstance(segment, int):
            return self._tuple([annotation for _, annotation in elements], label)
        item = self._read(elements[0][1], label)
        type_of_item = _with_none(item)
        if segment is Each.VALUE:
            return _Declared((ValueType(MAP, (ValueType("str"), type_of_item)),), fields=item.fields)
        origin = typing.get_origin(kind) or kind
        name = next((one.__name__ for one in (frozenset, set) if origin is one), "list")
        return _Declared((ValueType(name, (type_of_item,)),), fields=item.fields)

    def _tuple(self, annotations: Iterable[Any], label: str) -> _Declared:
        items = [self._read(annotation, label) for annotation in annotations]
        if any(item.fields for item in items):
            raise MigrationStateError(
                f"{label} cannot be part of a migration file: it is a tuple with an embedded model.",
                "Use a list, or an embedded model with a field for each position.",
            )
        return _Declared((ValueType(TUPLE, tuple(map(_with_none, items))),))


def _with_none(item: _Declared) -> ValueType:
    """Return the type of an item. None among the items is a separate alternative."""
    return ValueType(UNION, (item.type, ValueType("None"))) if item.is_optional else item.type


def _scalar(kind: Any, label: str) -> ValueType:
    temporal = temporal_kind(kind)
    if temporal is not None:
        return ValueType(temporal.value)
    if kind in (Any, object):
        return ValueType(ANY)
    if typing.get_origin(kind) is typing.Literal:
        return _literal(typing.get_args(kind), label)
    origin = typing.get_origin(kind) or kind
    if isinstance(origin, type):
        if issubclass(origin, Enum) and not issubclass(origin, Flag):
            return _literal([member.value for member in origin], label)
        name = next((name for classes, name in OF_CLASSES if issubclass(origin, classes)), None)
        if name is not None:
            return ValueType(name)
    raise MigrationStateError(
        f"{label} cannot be part of a migration file: nothing is known of the stored form of {name_of(kind)}.",
        "Give the field a field_serializer, or another type, such as str.",
    )


def _literal(values: Iterable[Any], label: str) -> ValueType:
    choices: list[Any] = []
    for value in values:
        frozen = value.value if isinstance(value, Enum) else value
        if type(frozen) not in (str, int, float, bool, bytes, type(None)):
            raise MigrationStateError(
                f"{label} cannot be part of a migration file: the value {frozen!r} of its Enum is not text or a number."
            )
        choices.append(frozen)
    return literal_type(choices)


def _is_default_key(model: type[BaseModel], name: str, info: FieldInfo) -> bool:
    return name == DEFAULT_NAME and issubclass(model, MappedModel) and not field_options(info).primary_key


def _default_of(info: FieldInfo) -> tuple[Any, bool]:
    """Return the default of a field, and whether a function makes it."""
    if info.default_factory is None:
        return (NO_DEFAULT if info.default is PydanticUndefined else info.default), False
    if info.default_factory in EMPTY:
        return info.default_factory(), False
    return NO_DEFAULT, True


def _is_serialized(model: type[BaseModel], name: str, info: FieldInfo) -> bool:
    """Return whether the stored value of a field depends on a serializer of the application."""
    decorators = decorators_of(model)
    own = [one.info.fields for one in decorators.field_serializers.values()]
    return (
        bool(decorators.model_serializers)
        or model.model_dump is not BaseModel.model_dump
        or any({name, "*"} & set(fields) for fields in own)
        or any(isinstance(one, PlainSerializer | WrapSerializer | GetPydanticSchema) for one in info.metadata)
    )


def _defaults(kind: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(kind):
        return {}
    found = {}
    for one in dataclasses.fields(kind):
        if one.default is not dataclasses.MISSING:
            found[one.name] = one.default.default if isinstance(one.default, FieldInfo) else one.default
        elif one.default_factory in EMPTY:
            found[one.name] = one.default_factory()
    return found


def _not_required(kind: Any) -> frozenset[str]:
    """Return the fields of a dataclass or TypedDict that documents may lack although they have no default."""
    if dataclasses.is_dataclass(kind):
        return frozenset(
            one.name
            for one in dataclasses.fields(kind)
            if one.default_factory is not dataclasses.MISSING and one.default_factory not in EMPTY
        )
    return frozenset(getattr(kind, "__optional_keys__", ()))
