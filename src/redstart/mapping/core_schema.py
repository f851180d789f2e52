"""pydantic's schema of a model: aliases, and fields that are excluded from the output."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import VERSION, BaseModel

from redstart.errors import RedisModelError
from redstart.mapping.annotations import complete_fields, fields_of
from redstart.mapping.base_model import MappedModel, model_name
from redstart.mapping.field_checks import is_storable
from redstart.mapping.primary_keys import DEFAULT_NAME

HOLDERS: Final = ("model", "dataclass", "typed-dict")
"""Schemas of what has fields."""

NO_SCHEMAS: Final = ("cls", "default", "expected", "metadata")
"""Members of a schema that are values."""

EXCLUDING: Final = ("serialization_exclude", "serialization_exclude_if")
"""What leaves a field out of the output."""

PYDANTIC_VERSION: Final = tuple(map(int, VERSION.split(".")[:2]))

BY_NAME: Final = {"by_alias": True, "by_name": True}
"""Options of pydantic's validators since 2.11."""


@cache
def by_name(model: type[BaseModel]) -> dict[str, Any]:
    """Return the options with which pydantic takes values by field name, as they are stored; {} if it does so anyway.

    Raises:
        RedisModelError: this version of pydantic cannot, so the fields would be read as missing.
    """
    if not _is_by_alias_alone(schema_of(model), by_alias_alone=False):
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
    return model.__pydantic_core_schema__


def models_in(schema: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in a schema."""
    if isinstance(schema, list | tuple):
        for item in schema:
            yield from models_in(item)
    elif isinstance(schema, dict):
        if schema.get("type") == "model":
            yield schema["cls"]
        for key, inner in schema.items():
            if key not in NO_SCHEMAS:
                yield from models_in(inner)


def _is_by_alias_alone(schema: Any, *, by_alias_alone: bool) -> bool:
    """Return whether a field, here or further inside, is taken by its alias and not by its name."""
    if isinstance(schema, list):
        return any(_is_by_alias_alone(item, by_alias_alone=by_alias_alone) for item in schema)
    if not isinstance(schema, dict):
        return False
    if schema.get("type") in HOLDERS:
        config = schema.get("config") or {}
        by_alias_alone = not (config.get("validate_by_name") or config.get("populate_by_name"))
    if by_alias_alone and "validation_alias" in schema:
        return True
    return any(
        _is_by_alias_alone(inner, by_alias_alone=by_alias_alone)
        for key, inner in schema.items()
        if key not in NO_SCHEMAS
    )


class LeftOut(NamedTuple):
    """A field that pydantic leaves out of its output, and the class that has it."""

    holder: Any
    name: str

    def __str__(self) -> str:
        return f"{self.holder.__name__}.{self.name}"


def schema_with_all(model: type[BaseModel]) -> tuple[Any, list[LeftOut]]:
    """Return a model's schema in which no field is left out of the output, and those that were.

    What cannot be stored stays left out: the `pk` of embedded documents, and types that have no stored form.
    """
    left_out: list[LeftOut] = []
    return _with_all(schema_of(model), "", model, left_out), left_out


def _with_all(schema: Any, name: str, holder: Any, left_out: list[LeftOut]) -> Any:
    """Return a part of a schema with all fields.

    Args:
        name: under which it stands in the one around it; of a field its own name.
        holder: the class whose field it is, or is part of.
        left_out: gets the fields that were left out.
    """
    if isinstance(schema, list):
        return [_with_all(item, name, holder, left_out) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in HOLDERS:
        holder = schema["cls"]
    name = schema.get("name", name)
    if any(word in schema for word in EXCLUDING) and _can_be_stored(holder, name):
        left_out.append(LeftOut(holder, name))
        schema = {key: inner for key, inner in schema.items() if key not in EXCLUDING}
    return {
        key: inner if key in NO_SCHEMAS else _with_all(inner, key, holder, left_out)
        for key, inner in schema.items()
    }


def _can_be_stored(holder: Any, name: str) -> bool:
    if name == DEFAULT_NAME and issubclass(holder, MappedModel) and holder._meta.embedded:
        return False
    return is_storable((fields_of(holder) or {}).get(name, Any))
