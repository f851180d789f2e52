"""pydantic's schema of a model: aliases, and fields that are excluded from the output."""

from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from redstart.errors import RedisModelError
from redstart.mapping.base_model import MappedModel, model_name
from redstart.mapping.field_checks import is_storable
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.pydantic_internals import (
    PYDANTIC_VERSION,
    core_schema_of,
    is_by_alias_alone,
    with_excluded_fields,
)
from redstart.mapping.type_tree import complete_fields, fields_of

BY_NAME: Final = {"by_alias": True, "by_name": True}
"""Options of pydantic's validators since 2.11."""


@cache
def by_name(model: type[BaseModel]) -> dict[str, Any]:
    """Return the options that make pydantic accept values by field name, as stored; {} if that is its default.

    Raises:
        RedisModelError: this version of pydantic does not support this, so the fields would be read as missing.
    """
    if not is_by_alias_alone(schema_of(model)):
        return {}
    if PYDANTIC_VERSION < (2, 11):
        raise RedisModelError(
            f"{model_name(model)} has aliases and does not accept field names, by which documents are stored.",
            "Set populate_by_name=True in its model_config and in those of embedded models, or install pydantic 2.11.",
        )
    return BY_NAME


def schema_of(model: type[BaseModel]) -> Any:
    """Return pydantic's schema of a model. Raises RedisModelError if an annotation cannot be resolved."""
    _ = complete_fields(model)
    return core_schema_of(model)


class LeftOut(NamedTuple):
    """A field that pydantic omits from its output, and its class."""

    holder: Any
    name: str

    def __str__(self) -> str:
        return f"{self.holder.__name__}.{self.name}"


def schema_with_all(model: type[BaseModel]) -> tuple[Any, list[LeftOut]]:
    """Return a schema of a model that omits no field from the output, and the fields that were omitted.

    Fields that cannot be stored are still omitted: the `pk` of embedded documents, and types without a stored format.
    """
    left_out: list[LeftOut] = []

    def is_included(holder: Any, name: str) -> bool:
        can_be_stored = _can_be_stored(holder, name)
        if can_be_stored:
            left_out.append(LeftOut(holder, name))
        return can_be_stored

    return with_excluded_fields(schema_of(model), model, is_included), left_out


def _can_be_stored(holder: Any, name: str) -> bool:
    if name == DEFAULT_NAME and issubclass(holder, MappedModel) and holder._meta.embedded:
        return False
    return is_storable((fields_of(holder) or {}).get(name, Any))
