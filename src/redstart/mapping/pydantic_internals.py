"""Undocumented parts of pydantic. No other module uses them.

`make test-pydantic` tests this with each minor version from the oldest that pyproject.toml permits.

A new version of pydantic may change:

- `pydantic._internal._model_construction.ModelMetaclass`: the class of model classes, for `Customer.age > 18`;
- `__pydantic_fields__`: the fields of a model or a dataclass, without the detour of `model_fields`;
- `__pydantic_complete__`: whether all annotations of a model are resolved;
- `__pydantic_decorators__`: the validators, serializers and computed fields of a model;
- `__pydantic_post_init__`: whether a model has `model_post_init`;
- `__pydantic_core_schema__`: the core schema of a model. Its words are those of `pydantic_core.core_schema`; which of
  them pydantic uses for an annotation is not documented;
- `__pydantic_validator__` and `__pydantic_serializer__`, called directly: `model_validate()` and `model_dump()` take as
  long for their options as for the work;
- `__pydantic_extra__` and `__pydantic_fields_set__` of an instance;
- `_use_prebuilt`, an argument of `pydantic_core.SchemaSerializer` since pydantic 2.13;
- `FieldInfo.__slots__`: the attributes of the description of a field;
- that pydantic looks up attributes of a class in a function of its own, without one of another library in between.
"""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pydantic.fields
from pydantic import VERSION, BaseModel
from pydantic._internal._model_construction import ModelMetaclass as ModelMetaclass  # noqa: PLC0414 - for mypy
from pydantic_core import SchemaSerializer, SchemaValidator

if TYPE_CHECKING:
    from pydantic.plugin._schema_validator import PluggableSchemaValidator

PYDANTIC_VERSION: Final = tuple(map(int, VERSION.split(".")[:2]))

REUSES_SERIALIZERS: Final = (2, 11) <= PYDANTIC_VERSION < (2, 13)
"""Whether `new_serializer` uses the serializers of the models in a core schema in place of what the schema says."""


def fields_in_class(model: type) -> dict[str, pydantic.fields.FieldInfo]:
    """Return the fields of a model class; empty while pydantic creates the class."""
    fields: dict[str, pydantic.fields.FieldInfo] = model.__dict__.get("__pydantic_fields__", {})
    return fields


def fields_described(kind: Any) -> dict[str, pydantic.fields.FieldInfo]:
    """Return the fields of a model, or of a dataclass of pydantic; empty for anything else."""
    fields: dict[str, pydantic.fields.FieldInfo] = getattr(kind, "__pydantic_fields__", {})
    return fields


def copy_attributes(source: pydantic.fields.FieldInfo, target: pydantic.fields.FieldInfo) -> None:
    """Copy the attributes of the description of a field."""
    for slot in pydantic.fields.FieldInfo.__slots__:
        if hasattr(source, slot):
            setattr(target, slot, getattr(source, slot))


def is_complete(model: type[BaseModel]) -> bool:
    """Return whether all annotations of a model are resolved."""
    return model.__pydantic_complete__


def decorators_of(model: type[BaseModel]) -> Any:
    """Return the validators, serializers and computed fields of a model, by name in an attribute for each kind."""
    return model.__pydantic_decorators__


def has_post_init(model: type[BaseModel]) -> bool:
    """Return whether a model has `model_post_init`, or private attributes."""
    return model.__pydantic_post_init__ is not None


def validator_of(model: type[BaseModel]) -> "SchemaValidator | PluggableSchemaValidator":
    """Return the validator of a complete model."""
    return model.__pydantic_validator__


def serializer_of(model: type[BaseModel]) -> SchemaSerializer:
    """Return the serializer of a complete model."""
    return model.__pydantic_serializer__


def new_serializer(schema: Any) -> SchemaSerializer:
    """Return a serializer of a core schema, without the serializers of the models in it; see `REUSES_SERIALIZERS`."""
    return (
        SchemaSerializer(schema, _use_prebuilt=False)
        if PYDANTIC_VERSION >= (2, 13)
        else SchemaSerializer(schema)
    )


def extra_of(document: BaseModel) -> dict[str, Any]:
    """Return the values of an instance that are not in fields of its model."""
    return document.__pydantic_extra__ or {}


def fields_set_of(document: BaseModel) -> set[str]:
    """Return the names of the fields that were set, as the set that the instance keeps."""
    return document.__pydantic_fields_set__


def has_core_schema(kind: type) -> bool:
    """Return whether a class defines its core schema, or has one."""
    return hasattr(kind, "__get_pydantic_core_schema__") or hasattr(kind, "__pydantic_core_schema__")


def is_asked_by_pydantic() -> bool:
    """Return whether pydantic called the function that calls this one."""
    caller = str(sys._getframe(2).f_globals.get("__name__"))
    return caller.partition(".")[0] == "pydantic"


HOLDERS: Final = ("model", "dataclass", "typed-dict")
"""Types of core schemas with fields."""

NO_SCHEMAS: Final = ("cls", "default", "expected", "metadata")
"""Members of a core schema that are values."""

EXCLUDING: Final = ("serialization_exclude", "serialization_exclude_if")
"""Settings that omit a field from the output."""

_PLAIN: Final = frozenset({"str", "int", "float", "bool"})
_AROUND: Final = frozenset({"default", "nullable"})
"""Types of core schemas that wrap the schema of a value without examining the value."""


def core_schema_of(model: type[BaseModel]) -> Any:
    """Return the core schema of a complete model."""
    return model.__pydantic_core_schema__


def models_in(schema: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in a core schema."""
    if isinstance(schema, list | tuple):
        for item in schema:
            yield from models_in(item)
    elif isinstance(schema, dict):
        if schema.get("type") == "model":
            yield schema["cls"]
        for key, inner in schema.items():
            if key not in NO_SCHEMAS:
                yield from models_in(inner)


def is_by_alias_alone(schema: Any, *, by_alias_alone: bool = False) -> bool:
    """Return whether a field, at any depth, is read by its alias and not by its name."""
    if isinstance(schema, list):
        return any(is_by_alias_alone(item, by_alias_alone=by_alias_alone) for item in schema)
    if not isinstance(schema, dict):
        return False
    if schema.get("type") in HOLDERS:
        config = schema.get("config") or {}
        by_alias_alone = not (config.get("validate_by_name") or config.get("populate_by_name"))
    if by_alias_alone and "validation_alias" in schema:
        return True
    return any(
        is_by_alias_alone(inner, by_alias_alone=by_alias_alone)
        for key, inner in schema.items()
        if key not in NO_SCHEMAS
    )


def with_excluded_fields(
    schema: Any, holder: Any, is_included: Callable[[Any, str], bool], *, name: str = ""
) -> Any:
    """Return a core schema whose output includes excluded fields.

    Args:
        holder: the class whose schema it is.
        is_included: called with the class and the name of each excluded field; whether to include it in the output.
        name: its name in the enclosing schema; for a field, its own name.
    """
    if isinstance(schema, list):
        return [with_excluded_fields(item, holder, is_included, name=name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in HOLDERS:
        holder = schema["cls"]
    name = schema.get("name", name)
    if any(word in schema for word in EXCLUDING) and is_included(holder, name):
        schema = {key: inner for key, inner in schema.items() if key not in EXCLUDING}
    return {
        key: inner if key in NO_SCHEMAS else with_excluded_fields(inner, holder, is_included, name=key)
        for key, inner in schema.items()
    }


def fields_taking_bytes(model: type[BaseModel], own_validator: object) -> frozenset[str]:
    """Return the fields that accept the bytes of a text like the text itself.

    Args:
        own_validator: the function of a validator that returns such values unchanged.
    """
    fields = _fields_alone(core_schema_of(model))
    return frozenset(name for name, field in fields.items() if _takes_bytes(field["schema"], own_validator))


def _fields_alone(schema: Any) -> dict[str, Any]:
    """Return the core schemas of the fields; empty if a validator sees a document before its fields do."""
    # A validator of the model runs after its fields, and gets their values.
    while schema["type"] in {"definitions", "function-after"}:
        schema = schema["schema"]
    if schema["type"] != "model" or schema.get("custom_init") or schema.get("root_model"):
        return {}
    inside = schema["schema"]
    while inside["type"] == "function-after":
        inside = inside["schema"]
    fields: dict[str, Any] = inside["fields"] if inside["type"] == "model-fields" else {}
    # An AliasPath may refer to an item in the value of a field: text has none, and the items of bytes are numbers.
    has_paths = any(isinstance(field.get("validation_alias"), list) for field in fields.values())
    return {} if has_paths else fields


def _takes_bytes(schema: Any, own_validator: object) -> bool:
    while schema["type"] in _AROUND or _is_validator(schema, own_validator):
        if schema.get("on_error", "raise") != "raise":
            return False  # bytes that are not valid text would be replaced without an error
        schema = schema["schema"]
    return schema["type"] in _PLAIN and not schema.get("strict")


def _is_validator(schema: Any, function: object) -> bool:
    called = schema.get("function", {}).get("function")
    return schema["type"] == "function-before" and getattr(called, "__func__", None) is function
