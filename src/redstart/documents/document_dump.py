"""Serialized values of a document, before they are written as a hash or as JSON.

Fields that pydantic excludes from its output, with `Field(exclude=True)` or `exclude_if`, are stored nevertheless.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, PlainSerializer, WrapSerializer
from pydantic_core import SchemaSerializer

from redstart.documents.errors import encode_error
from redstart.errors import RedisModelError
from redstart.mapping.base_model import model_name, validates_itself
from redstart.mapping.core_schema import schema_of, schema_with_all
from redstart.mapping.models import ATOMIC_TYPES, RedisModel
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.pydantic_internals import (
    REUSES_SERIALIZERS,
    decorators_of,
    models_in,
    new_serializer,
    serializer_of,
)
from redstart.mapping.type_tree import aliases_of, complete_fields

_LEFT_OUT: Final = (
    "the model_serializer omits it, so the document could not be read back. Include it, or declare the field with "
    "exclude=True"
)


def dump_for_storage(document: RedisModel) -> dict[str, Any]:
    """Return the document's values by field name, with the model's own serializers applied.

    Raises DocumentEncodeError.
    """
    model = type(document)
    if model.model_dump is BaseModel.model_dump:
        # Called directly: model_dump() needs as much time for its options as for the serialization.
        serializer = _serializer_of_all(model) or serializer_of(model)
        values = serializer.to_python(document, by_alias=False)
    else:
        _refuse_left_out(model)
        values = document.model_dump(by_alias=False)
    if not isinstance(values, dict):
        raise encode_error(document, "the document", "the model_serializer did not return a dict")
    for name, names in _names_to_give(model):
        if names.isdisjoint(values):
            values[name] = _omitted(document, name, document, name)
    if _has_serializers_inside(model):
        for name in complete_fields(model):
            _check_inside(document, name, getattr(document, name), values.get(name))
    return values


def _check_inside(document: RedisModel, path: str, value: Any, written: Any) -> None:
    """Raise DocumentEncodeError if the serializer of an embedded model omits a value; see `_omitted`."""
    if isinstance(value, BaseModel) and isinstance(written, dict):
        for name, names in _names_of_embedded(type(value)):
            if names.isdisjoint(written):
                written[name] = _omitted(value, name, document, f"{path}.{name}")
        for name in type(value).model_fields:
            _check_inside(document, f"{path}.{name}", getattr(value, name), written.get(name))
    elif isinstance(value, Mapping) and isinstance(written, Mapping):
        for key, item in value.items():
            _check_inside(document, f"{path}[{key!r}]", item, written.get(key))
    elif isinstance(value, list | tuple) and isinstance(written, list | tuple) and len(value) == len(written):
        for position, item in enumerate(value):
            _check_inside(document, f"{path}[{position}]", item, written[position])


def _omitted(holder: BaseModel, name: str, document: RedisModel, path: str) -> Any:
    """Return the value of a field that the model_serializer omits: None or the default, which are read back unchanged.

    Raises:
        DocumentEncodeError: it is another value, so it would be lost.
    """
    value = getattr(holder, name)
    if value is not None and not _is_plain_default(type(holder), name, value):
        raise encode_error(document, path, _LEFT_OUT)
    return value


def _is_plain_default(kind: type[BaseModel], name: str, value: Any) -> bool:
    """Return whether a value is the default of its field, and pydantic writes it unchanged."""
    field = complete_fields(kind)[name]
    if type(value) not in ATOMIC_TYPES or type(field.default) is not type(value) or field.default != value:
        return False
    if any(isinstance(one, PlainSerializer | WrapSerializer) for one in field.metadata):
        return False
    return not any(
        {name, "*"} & set(one.info.fields) for one in decorators_of(kind).field_serializers.values()
    )


@cache
def _has_serializers_inside(model: type[RedisModel]) -> bool:
    """Return whether an embedded model has a model_serializer."""
    return any(
        kind is not model and decorators_of(kind).model_serializers for kind in models_in(schema_of(model))
    )


@cache
def _names_of_embedded(kind: type[BaseModel]) -> list[tuple[str, frozenset[str]]]:
    """Return the fields that the model_serializer of an embedded model has to write; see `_names_to_give`."""
    if not decorators_of(kind).model_serializers or _may_make_fields(kind):
        return []
    key = DEFAULT_NAME if issubclass(kind, RedisModel) else None
    return [
        (name, frozenset({name, *aliases_of(field)}))
        for name, field in complete_fields(kind).items()
        if name != key and not field.exclude
    ]


def dumped_fields(document: RedisModel, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of these fields as in `model_dump()`, by field name, including those that pydantic omits."""
    model, included = type(document), set(names)
    if model.model_dump is not BaseModel.model_dump:
        return document.model_dump(include=included, by_alias=False)
    serializer = _serializer_of_all(model) or serializer_of(model)
    values: dict[str, Any] = serializer.to_python(document, include=included, by_alias=False)
    return values


@cache
def _serializer_of_all(model: type[RedisModel]) -> SchemaSerializer | None:
    """Return a serializer of all fields of a model and its embedded models; None if pydantic's serializer does that."""
    schema, left_out = schema_with_all(model)
    if not left_out:
        return None
    if REUSES_SERIALIZERS and (
        schema["type"] == "definitions" or {one.holder for one in left_out} != {model}
    ):
        raise RedisModelError(
            f"{model_name(model)}: {left_out[0]} has exclude=True, and pydantic 2.11 and 2.12 cannot store such "
            "fields.",
            "Remove exclude=True from the field, or install pydantic 2.13.",
        )
    return new_serializer(schema)


@cache
def _names_to_give(model: type[RedisModel]) -> list[tuple[str, frozenset[str]]]:
    """Return the fields that the output of a model's own serializer has to contain, each with its possible names.

    Empty if pydantic makes the output, or if a validator may compute the fields from other input.
    """
    decorators = decorators_of(model)
    is_own = model.model_dump is not BaseModel.model_dump or decorators.model_serializers
    if not is_own or _may_make_fields(model):
        return []
    return [
        (name, frozenset({name, *aliases_of(field)}))
        for name, field in complete_fields(model).items()
        if name != model._primary_key_name and not field.exclude
    ]


def _may_make_fields(model: type[BaseModel]) -> bool:
    """Return whether a validator may compute the fields of a model from other input."""
    decorators = decorators_of(model)
    before = any(one.info.mode in ("before", "wrap") for one in decorators.model_validators.values())
    return bool(before or decorators.root_validators or validates_itself(model))


@cache
def _refuse_left_out(model: type[RedisModel]) -> None:
    """Raise RedisModelError for a field that a model's own `model_dump` would omit."""
    _, left_out = schema_with_all(model)
    if left_out:
        raise RedisModelError(
            f"{model_name(model)} overrides model_dump() and excludes {left_out[0]}: "
            "the field would not be stored.",
            "Remove exclude=True from the field, or replace model_dump() with a model_serializer.",
        )
