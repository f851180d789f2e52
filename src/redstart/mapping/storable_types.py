"""Which types can be stored at all: those that pydantic writes and reads as more than themselves."""

import collections.abc
import dataclasses
import typing
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

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
from redstart.mapping.annotations import alternatives, is_named_tuple
from redstart.mapping.registry import model_name
from redstart.mapping.shapes import name_of

COMMON: Final = frozenset(
    {str, int, float, bool, bytes, type(None), list, dict, set, tuple, frozenset, object, Any}
)
"""Known without asking pydantic, which takes a moment."""

CODE: Final = (type, collections.abc.Callable, typing.Callable)
"""What pydantic checks and cannot write."""

LAZY: Final = (collections.abc.Iterable, collections.abc.Iterator, collections.abc.Generator)
"""What is consumed when it is stored, so that the next save stores nothing."""

UNREADABLE: Final = {
    Json: "what a Json field holds is not JSON text, which the field takes",
    NameEmail: "there is no stored form for a NameEmail",
    Secret: "a Secret shows nothing of itself",
    SecretBytes: "a SecretBytes shows nothing of itself",
    SecretStr: "a SecretStr shows nothing of itself",
    ZoneInfo: "there is no stored form for a ZoneInfo",
}
"""Types of which pydantic writes something else than it reads, and why a field cannot have them."""

STORABLE: Final = (
    "Stored are str, numbers, bool, bytes, datetime, date, time, timedelta, Decimal, UUID, Enum, Literal, Path, "
    "Coordinates and what pydantic adds to these; in a JsonModel also lists, sets, tuples, maps, dataclasses and "
    "EmbeddedJsonModels."
)


def refuse_unstorable_types(model: type[BaseModel]) -> None:
    """Check that pydantic can write and read the type of each field that is stored.

    A type of which it knows nothing can stand in a document, for models allow arbitrary types; but it has no stored
    form. Fields with validators or serializers of their own pass.

    Raises:
        RedisModelError: a type that cannot be stored.
    """
    decorators = model.__pydantic_decorators__
    handled = {
        name
        for group in (decorators.field_serializers, decorators.field_validators)
        for decorator in group.values()
        for name in decorator.info.fields
    }
    for name, field in model.model_fields.items():
        if any(isinstance(item, Json | EncodedBytes | EncodedStr) for item in field.metadata):
            raise RedisModelError(
                f"{model_name(model)}.{name} cannot be stored: its value is decoded, and decoded again by a save.",
                "Declare the type that the decoded value has.",
            )
        described = any(hasattr(item, "__get_pydantic_core_schema__") for item in field.metadata)
        if described or field.exclude or not handled.isdisjoint((name, "*")):
            continue
        for kind in _unstorable(field.annotation, []):
            raise RedisModelError(
                f"{model_name(model)}.{name} cannot be stored: {_reason(kind)}.",
                f"{STORABLE} Of another type say how: with a field_serializer and a field_validator.",
            )


def _unstorable(annotation: Any, above: list[Any]) -> Iterator[Any]:
    for kind in alternatives(annotation):
        origin = typing.get_origin(kind)
        if kind in above:
            continue  # an alias that stands for itself, inside a list
        if origin in CODE or kind in CODE or _reason_of(kind) is not None:
            yield kind
        elif origin is not None and origin is not typing.Literal:
            for argument in typing.get_args(kind):
                yield from _unstorable(argument, [*above, kind])
        elif isinstance(kind, type) and kind not in COMMON and not _is_known(kind):
            yield kind


def _reason_of(kind: Any) -> str | None:
    """Return why a type that pydantic knows cannot be stored, or None."""
    origin = typing.get_origin(kind) or kind
    if origin in LAZY:
        return f"a {name_of(kind)} is empty once it has been stored; a list is not"
    return UNREADABLE.get(origin) if isinstance(origin, type) else None


def _reason(kind: Any) -> str:
    return _reason_of(kind) or f"there is no stored form for a {name_of(kind)}"


@cache
def _is_known(kind: type) -> bool:
    if hasattr(kind, "__get_pydantic_core_schema__") or hasattr(kind, "__pydantic_core_schema__"):
        return True
    if issubclass(kind, Enum) or dataclasses.is_dataclass(kind) or is_named_tuple(kind) or is_typeddict(kind):
        return True  # their own members may be defined later
    try:
        _ = TypeAdapter(kind)
    except PydanticSchemaGenerationError:
        return False
    return True
