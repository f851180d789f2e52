"""Fields for which pydantic accepts UTF-8 bytes instead of text, with the same result.

For these, the bytes in a hash need not be decoded first. They are text, numbers and booleans without validators of
their own, which would see the difference. Source: the core schema that pydantic made of the model,
https://docs.pydantic.dev/latest/api/pydantic_core_schema/
"""

from typing import Any, Final

from redstart.mapping.models import RedisModel

PLAIN: Final = frozenset({"str", "int", "float", "bool"})
AROUND: Final = frozenset({"default", "nullable"})
"""Schemas that wrap the one of a value without looking at the value."""
OWN_VALIDATOR: Final = RedisModel.__dict__["_primary_key_given"].__func__
"""Generates a missing primary key; leaves a given one unchanged."""


def names_taken_as_bytes(model: type[RedisModel]) -> frozenset[str]:
    """Return the names of these fields."""
    fields = _fields(model.__pydantic_core_schema__)
    return frozenset(name for name, field in fields.items() if _is_plain(field["schema"]))


def _fields(schema: Any) -> dict[str, Any]:
    """Return the schemas of the fields; empty if a validator sees a document before its fields do."""
    # After the fields, a validator of the model sees what they made.
    while schema["type"] in {"definitions", "function-after"}:
        schema = schema["schema"]
    if schema["type"] != "model" or schema.get("custom_init") or schema.get("root_model"):
        return {}
    inside = schema["schema"]
    while inside["type"] == "function-after":
        inside = inside["schema"]
    fields: dict[str, Any] = inside["fields"] if inside["type"] == "model-fields" else {}
    # An AliasPath may lead into the value of a field: text has no items there, and bytes have numbers.
    has_paths = any(isinstance(field.get("validation_alias"), list) for field in fields.values())
    return {} if has_paths else fields


def _is_plain(schema: Any) -> bool:
    while schema["type"] in AROUND or _is_own(schema):
        if schema.get("on_error", "raise") != "raise":
            return False  # what is no text would pass for a value that does not fit
        schema = schema["schema"]
    return schema["type"] in PLAIN and not schema.get("strict")


def _is_own(schema: Any) -> bool:
    function = schema.get("function", {}).get("function")
    return schema["type"] == "function-before" and getattr(function, "__func__", None) is OWN_VALIDATOR
