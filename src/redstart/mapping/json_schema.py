"""JSON Schema of models, for OpenAPI: the primary key is optional in input, and always present in output."""

from typing import TYPE_CHECKING, Any

from redstart.mapping.base_model import MappedModel

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaMode


def settle_primary_key(model: type[MappedModel], schema: dict[str, Any], mode: "JsonSchemaMode") -> None:
    """Correct what pydantic says of `pk`: it knows neither that it is made nor that embedded documents have none."""
    properties: dict[str, Any] = schema.get("properties", {})
    name = model._primary_key_name
    if name not in properties:
        return
    if model._meta.embedded:
        del properties[name]
    elif mode == "serialization":
        properties[name] = _never_null(properties[name])
        required = schema.get("required", [])
        schema["required"] = [one for one in properties if one in (name, *required)]


def _never_null(described: dict[str, Any]) -> dict[str, Any]:
    ways: list[dict[str, Any]] = [way for way in described.get("anyOf", ()) if way != {"type": "null"}]
    if len(ways) != 1:
        return described
    return ways[0] | {word: text for word, text in described.items() if word not in ("anyOf", "default")}
