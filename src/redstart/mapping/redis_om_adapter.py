"""Models declared with redis-om, as models of Redstart with the same documents and keys.

This module never imports redis-om: it reads the classes of a program that has imported it. Validators are ignored,
because Redstart creates no documents with such models.
"""

import sys
import types
import typing
from collections.abc import Iterator
from dataclasses import fields as dataclass_fields
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal, Union

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from redstart.errors import ConfigurationError
from redstart.mapping.base_model import NO_SCHEMA, model_name, overrides, refuse_never_called
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.fields import Field, FieldOptions
from redstart.mapping.meta import ModelMeta
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel, RedisModel
from redstart.mapping.type_tree import UNIONS, complete_fields
from redstart.mapping.vectors import VectorFieldOptions

LIBRARIES: Final = ("redis_om", "aredis_om")
THEIR_BASES: Final = (
    ("EmbeddedJsonModel", EmbeddedJsonModel),
    ("JsonModel", JsonModel),
    ("HashModel", HashModel),
)
PYDANTIC_OPTIONS: Final = ("alias", "validation_alias", "serialization_alias", "exclude")


def redis_om_models() -> tuple[type[BaseModel], ...]:
    """Return the models that this program declared with redis-om; `translated` returns their replacements.

    Raises:
        ConfigurationError: they are of redis-om 0.x, which stores dates in text format.
    """
    declared = tuple(model for library in LIBRARIES for model in _registry_of(library))
    if declared and int(version("redis-om").partition(".")[0]) < 1:
        raise ConfigurationError(
            f"{model_name(declared[0])} is declared with redis-om {version('redis-om')}, which stores dates as text.",
            "Declare the model with redstart or redis-om 1.x, as in the new version of the application.",
        )
    return declared


def _registry_of(library: str) -> Iterator[type[BaseModel]]:
    module = sys.modules.get(f"{library}.model.model")
    registry: dict[str, type[BaseModel]] = getattr(module, "model_registry", {})
    return iter(registry.values())


@cache
def translated(model: type[BaseModel]) -> type[RedisModel]:
    """Return a model of Redstart in place of one of redis-om. Raises RedisModelError."""
    base = _base_of(model)
    assert base is not None  # otherwise it would not be registered
    fields = {
        name: field for name, field in complete_fields(model).items() if not _is_default_key(name, field)
    }
    body: dict[str, Any] = {
        "__module__": model.__module__,
        "__qualname__": model.__qualname__,
        "__annotations__": {name: _annotation(field) for name, field in fields.items()},
        "Meta": type("Meta", (), _settings(model)),
        "model_config": ConfigDict(**{**model.model_config, "arbitrary_types_allowed": True}),
        **{name: _described(field) for name, field in fields.items()},
    }
    refuse_never_called(model, NO_SCHEMA)
    body |= {
        name: _calling(model, name)
        for name in ("make_key", "make_primary_key", "db")
        if overrides(model, name)
    }
    if overrides(model, "key"):
        body["key"] = model.key  # type: ignore[attr-defined]  # theirs
    keywords = {} if base is EmbeddedJsonModel else {"index": True}
    metaclass: Any = type(base)
    made: type[RedisModel] = metaclass(model.__name__, (base,), body, **keywords)
    return made


def _calling(model: Any, name: str) -> Any:
    """Return a class method that calls the one of this name that an application overrides in its model."""
    return classmethod(lambda _cls, *arguments: getattr(model, name)(*arguments))


def _base_of(kind: Any) -> type[RedisModel] | None:
    """Return the class of Redstart to be used as the base; None for a class that is not a model of redis-om."""
    if not isinstance(kind, type) or not issubclass(kind, BaseModel):
        return None
    for library in LIBRARIES:
        module = sys.modules.get(f"{library}.model.model")
        for name, base in THEIR_BASES if module else ():
            if issubclass(kind, getattr(module, name)):
                return EmbeddedJsonModel if getattr(kind._meta, "embedded", False) else base  # type: ignore[attr-defined]  # theirs
    return None


def _is_default_key(name: str, field: FieldInfo) -> bool:
    """Return whether it is the key that redis-om adds, as Redstart does."""
    return name == "pk" and set(typing.get_args(field.annotation)) == {str, type(None)}


def _settings(model: Any) -> dict[str, Any]:
    names = [field.name for field in dataclass_fields(ModelMeta)]
    declared_values = {name: getattr(model._meta, name) for name in names if hasattr(model._meta, name)}
    # Declared as a class inside the model: pydantic would treat other attributes as fields.
    return declared_values | {"__module__": model.__module__, "__qualname__": f"{model.__qualname__}.Meta"}


def _described(field: FieldInfo) -> Any:
    declared_values = {
        option.name: getattr(field, option.name, None) for option in dataclass_fields(FieldOptions)
    }
    options = {
        name: value
        for name, value in declared_values.items()
        if value is not None and value is not PydanticUndefined
    }
    if "vector_options" in options:
        options["vector_options"] = _vector_options(options["vector_options"])
    kept = {name: getattr(field, name) for name in PYDANTIC_OPTIONS if getattr(field, name) is not None}
    if field.default_factory is not None:
        return Field(default_factory=field.default_factory, **options, **kept)
    return Field(field.default, **options, **kept)


def _vector_options(theirs: Any) -> VectorFieldOptions:
    declared_values = {
        field.name: getattr(theirs, field.name) for field in dataclass_fields(VectorFieldOptions)
    }
    return VectorFieldOptions(
        **declared_values
        | {
            "algorithm": VectorFieldOptions.ALGORITHM(theirs.algorithm.value),
            "type": VectorFieldOptions.TYPE(theirs.type.value),
            "distance_metric": VectorFieldOptions.DISTANCE_METRIC(theirs.distance_metric.value),
        }
    )


def _annotation(field: FieldInfo) -> Any:
    if _is_place(field.annotation):
        return Coordinates
    annotation = _translated_type(field.annotation)
    return Annotated[(annotation, *field.metadata)] if field.metadata else annotation


def _translated_type(annotation: Any) -> Any:
    """Return an annotation with Redstart's classes in place of redis-om's."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None:
        if _is_place(annotation):
            return Coordinates
        return annotation if _base_of(annotation) is None else translated(annotation)
    if origin is Literal or not any(map(_holds_theirs, arguments)):
        return annotation
    inside = tuple(map(_translated_type, arguments))
    if origin is Annotated:
        return inside[0] if inside[0] is Coordinates else Annotated[(inside[0], *annotation.__metadata__)]
    if origin in UNIONS or origin is types.UnionType:
        return Union[inside]  # noqa: UP007 - of types that are known only here
    return origin[inside]


def _holds_theirs(annotation: Any) -> bool:
    if typing.get_origin(annotation) is None:
        return _is_place(annotation) or _base_of(annotation) is not None
    return any(map(_holds_theirs, typing.get_args(annotation)))


def _is_place(kind: Any) -> bool:
    """Return whether this is the annotation of redis-om's Coordinates."""
    return (
        isinstance(kind, type)
        and f"{kind.__module__}.{kind.__name__}" == "pydantic_extra_types.coordinate.Coordinate"
    )
