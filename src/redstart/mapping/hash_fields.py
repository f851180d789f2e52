"""Check of the fields of a hash: one text value per field, and no nested values."""

import dataclasses
import typing
from typing import Any

import typing_extensions
from pydantic import BaseModel

from redstart.errors import RedisModelError
from redstart.mapping.annotations import alternatives
from redstart.mapping.fields import field_options
from redstart.mapping.type_tree import elements_of


def refuse_compound_fields(model: type[BaseModel]) -> None:
    """Check that each field of a hash model fits into one text.

    Annotations that name a class which does not exist yet pass; they are checked again before use.

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
