"""Attributes of all model classes: settings, storage, primary key; and methods that applications override."""

import abc
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import BaseModel

from redstart.errors import RedisModelError
from redstart.mapping.meta import ModelMeta, named_database
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.values.types import Storage

if TYPE_CHECKING:
    from redstart.mapping.models import RedisModel


class MappedModel(BaseModel):
    """The base of RedisModel, and of nothing else."""

    _meta: ClassVar[ModelMeta] = ModelMeta()
    _primary_key_name: ClassVar[str] = DEFAULT_NAME
    _storage: ClassVar[Storage | None] = None
    _is_part: ClassVar[bool] = False
    """True for an EmbeddedJsonModel. Other models can have `Meta.embedded`, too: their keys are indexed."""

    @classmethod
    def _has_documents(cls) -> bool:
        """Return whether documents of exactly this class have keys of their own."""
        return cls._storage is not None and abc.ABC not in cls.__bases__ and not cls._meta.embedded

    if TYPE_CHECKING:  # they are created with classes of higher modules

        def key(self) -> str: ...
        @classmethod
        def db(cls) -> Any: ...
        @classmethod
        def make_key(cls, part: str) -> str: ...
        @classmethod
        def make_primary_key(cls, pk: Any) -> str: ...


model_registry: "dict[str, type[RedisModel]]" = {}
"""Sync and async models, by `package.module.Class`."""


def model_name(model: type) -> str:
    """Return `package.module.Class`: the name of a model in reports and in the registry."""
    return f"{model.__module__}.{model.__qualname__}"


def storage_of_documents(model: type[MappedModel]) -> Storage:
    """Return the storage of a model. Raises RedisModelError if it is abstract or embedded."""
    if model._storage is None or not model._has_documents():
        reason, hint = _reason_for_no_documents(model)
        raise RedisModelError(f"{model_name(model)} has no documents of its own: {reason}.", hint)
    return model._storage


def _reason_for_no_documents(model: type[MappedModel]) -> tuple[str, str]:
    if model._meta.embedded:
        return "it is embedded in other models", "Use the model that contains it."
    if model._storage is None:
        return "it is not a HashModel or JsonModel", "Derive the model from HashModel or JsonModel."
    return "it is abstract (abc.ABC is one of its bases)", "Use a model that is derived from it."


def register(model: "type[RedisModel]") -> None:
    """Add a model. It replaces a model of the same name, whose module was reloaded."""
    model_registry[model_name(model)] = model


def registered_models() -> "tuple[type[RedisModel], ...]":
    """Return all models, in the order of their declaration."""
    return tuple(model_registry.values())


def models_of_modules(*modules: str) -> "tuple[type[RedisModel], ...]":
    """Return the models declared in these modules, or in modules inside these packages."""
    return tuple(model for model in model_registry.values() if is_declared_in(model, *modules))


def is_declared_in(model: type, *modules: str) -> bool:
    """Return whether a class is declared in one of these modules, or in a module inside one of these packages."""
    return any(f"{model.__module__}.".startswith(f"{module}.") for module in modules)


LIBRARIES: Final = frozenset({"redstart", "pydantic", "redis_om", "aredis_om"})

_FOLLOWS: Final = "Remove the method, and use Field() and Meta, from which the index is derived."
NO_SCHEMA: Final = dict.fromkeys(("redisearch_schema", "schema_for_fields", "schema_for_type"), _FOLLOWS)
NEVER_CALLED: Final = NO_SCHEMA | {
    "get_annotations": "Remove the method, and annotate the fields.",
    "from_redis": "Remove the method, and change values in validators or in model_validate().",
    "_get_db": "Override db() instead.",
    "_delete": "Remove the method, and override delete() and delete_many().",
}
"""Methods that redis-om calls and Redstart does not, with the alternative of each."""


def overrides(model: type, name: str) -> bool:
    """Return whether an application overrides a method of a library."""
    for base in model.__mro__:
        held = base.__dict__.get(name)
        if held is not None:
            # A class of a library may be patched; not the __module__ of a method, as `mock` with autospec copies it.
            function = getattr(held, "__func__", held)
            modules = (base.__module__, getattr(function, "__globals__", {}).get("__name__", ""))
            return not all(module.partition(".")[0] in LIBRARIES for module in modules)
    return False


@cache
def validates_itself(model: type) -> bool:
    """Return whether a class overrides `model_validate`.

    Cached, because it is called for each document that is read.
    """
    return overrides(model, "model_validate")


def client_named(model: type[MappedModel]) -> Any:
    """Return the client that a model names, in an overridden `db()` or in `Meta.database`; None if it names none."""
    return model.db() if overrides(model, "db") else named_database(model._meta)


def refuse_never_called(model: type, hints: Mapping[str, str] = NEVER_CALLED) -> None:
    """Raise RedisModelError if a class overrides a method that redis-om calls and Redstart does not."""
    for name, hint in hints.items():
        if overrides(model, name):
            raise RedisModelError(
                f"{model_name(model)} overrides {name}(), which Redstart never calls.",
                hint,
            )
