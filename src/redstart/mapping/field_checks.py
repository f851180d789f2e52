"""Check that the fields of a model can be stored: their types, and the restrictions of hashes."""

import collections.abc
import dataclasses
import typing
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import typing_extensions
from pydantic import (
    BaseModel,
    EncodedBytes,
    EncodedStr,
    Json,
    NameEmail,
    Secret,
    SecretBytes,
    SecretStr,
    TypeAdapter,
)
from pydantic.errors import PydanticSchemaGenerationError
from typing_extensions import is_typeddict

from redstart.errors import RedisModelError
from redstart.mapping.base_model import model_name
from redstart.mapping.fields import field_options
from redstart.mapping.pydantic_internals import decorators_of, has_core_schema
from redstart.mapping.type_tree import alternatives, elements_of, is_named_tuple, name_of

COMMON: Final = frozenset(
    {str, int, float, bool, bytes, type(None), list, dict, set, tuple, frozenset, object, Any}
)
"""Types that need no check by pydantic, which is slower."""

CODE: Final = (type, collections.abc.Callable, typing.Callable)
"""Types that pydantic validates and cannot serialize."""

LAZY: Final = (collections.abc.Iterable, collections.abc.Iterator, collections.abc.Generator)
"""Types whose values are exhausted when they are stored, so that the next save stores nothing."""

UNREADABLE: Final = {
    Json: "a Json field accepts JSON text, but its value is not text",
    NameEmail: "the type NameEmail is not supported",
    Secret: "Secret hides its value",
    SecretBytes: "SecretBytes hides its value",
    SecretStr: "SecretStr hides its value",
    ZoneInfo: "the type ZoneInfo is not supported",
}
"""Types that pydantic serializes as values that it does not accept, with the reason why a field cannot have them."""

STORABLE: Final = (
    "Use str, a number, bool, bytes, datetime, date, time, timedelta, Decimal, UUID, Enum, Literal, Path, "
    "Coordinates or a type that pydantic derives from these; in a JsonModel also a list, set, tuple, map, dataclass or "
    "EmbeddedJsonModel."
)


def refuse_unstorable_types(model: type[BaseModel]) -> None:
    """Check that pydantic can write and read the type of each field that is stored.

    Models allow arbitrary types, but types that pydantic does not support have no stored format. Fields with validators
    or serializers are accepted. So are fields of such types that are excluded from the output, because they are not
    stored.

    Raises:
        RedisModelError: a type that cannot be stored.
    """
    decorators = decorators_of(model)
    handled = {
        name
        for group in (decorators.field_serializers, decorators.field_validators)
        for decorator in group.values()
        for name in decorator.info.fields
    }
    for name, field in model.model_fields.items():
        if any(isinstance(item, Json | EncodedBytes | EncodedStr) for item in field.metadata):
            raise RedisModelError(
                f"{model_name(model)}.{name} cannot be stored: each save would decode its value again.",
                "Declare the type of the decoded value.",
            )
        described = any(hasattr(item, "__get_pydantic_core_schema__") for item in field.metadata)
        if described or field.exclude or not handled.isdisjoint((name, "*")):
            continue
        for kind in _unstorable(field.annotation, []):
            raise RedisModelError(
                f"{model_name(model)}.{name} cannot be stored: {_reason(kind)}.",
                f"{STORABLE} For other types add a field_serializer and a field_validator.",
            )


def is_storable(annotation: Any) -> bool:
    """Return whether pydantic can write and read a type."""
    return next(_unstorable(annotation, []), None) is None


def _unstorable(annotation: Any, above: list[Any]) -> Iterator[Any]:
    for kind in alternatives(annotation):
        origin = typing.get_origin(kind)
        if kind in above:
            continue  # an alias that refers to itself, inside a list
        if origin in CODE or kind in CODE or _reason_of(kind) is not None:
            yield kind
        elif origin is not None and origin is not typing.Literal:
            for argument in typing.get_args(kind):
                yield from _unstorable(argument, [*above, kind])
        elif isinstance(kind, type) and kind not in COMMON and not _is_known(kind):
            yield kind


def _reason_of(kind: Any) -> str | None:
    """Return why a type that pydantic supports cannot be stored, or None."""
    origin = typing.get_origin(kind) or kind
    if origin in LAZY:
        return f"a {name_of(kind)} is exhausted by storing it; use a list"
    return UNREADABLE.get(origin) if isinstance(origin, type) else None


def _reason(kind: Any) -> str:
    return _reason_of(kind) or f"the type {name_of(kind)} is not supported"


@cache
def _is_known(kind: type) -> bool:
    if has_core_schema(kind):
        return True
    if issubclass(kind, Enum) or dataclasses.is_dataclass(kind) or is_named_tuple(kind) or is_typeddict(kind):
        return True  # their members may be defined later
    try:
        _ = TypeAdapter(kind)
    except PydanticSchemaGenerationError:
        return False
    return True


def refuse_compound_fields(model: type[BaseModel]) -> None:
    """Check that each field of a hash model can be stored as one text.

    Annotations that name a class that does not exist yet are accepted, and checked again before use.

    Raises:
        RedisModelError: a list, set, mapping, model or dataclass.
    """
    for name, field in model.model_fields.items():
        if field_options(field).vector_options is not None:
            continue
        for kind in alternatives(field.annotation):
            refused = _refused_as(kind)
            if refused is not None:
                raise RedisModelError(
                    f"HashModels cannot index {refused} fields. Field: {name}",
                    f"Make {model.__module__}.{model.__qualname__} a JsonModel to store such values.",
                )


def _refused_as(kind: Any) -> str | None:
    origin = typing.get_origin(kind) or kind
    if not isinstance(origin, type):
        return None
    if issubclass(origin, BaseModel):
        return "embedded model"
    if dataclasses.is_dataclass(origin):
        return "dataclass"
    if elements_of(kind) is not None or typing_extensions.is_typeddict(origin):
        return "set, list, or mapping"
    return None
