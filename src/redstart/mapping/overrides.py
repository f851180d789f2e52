"""Methods that an application overrides: called by Redstart, or never called."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from redstart.errors import RedisModelError
from redstart.mapping.base_model import MappedModel, model_name
from redstart.mapping.meta import named_database

LIBRARIES: Final = frozenset({"redstart", "pydantic", "redis_om", "aredis_om"})

_FOLLOWS: Final = "Remove the method, and use Field() and Meta, from which the index is derived."
NO_SCHEMA: Final = dict.fromkeys(("redisearch_schema", "schema_for_fields", "schema_for_type"), _FOLLOWS)
NEVER_CALLED: Final = NO_SCHEMA | {
    "get_annotations": "Remove the method, and annotate the fields.",
    "from_redis": "Remove the method, and change values in validators or in model_validate().",
    "_get_db": "Override db() instead.",
    "_delete": "Remove the method, and override delete() and delete_many().",
}
"""What redis-om calls and Redstart does not, and what to do instead."""


def overrides(model: type, name: str) -> bool:
    """Return whether an application puts something in place of a method of a library."""
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
    """Return whether a class overrides `model_validate`; cached, as it is asked for each document that is read."""
    return overrides(model, "model_validate")


def client_named(model: type[MappedModel]) -> Any:
    """Return the client that a model names: by its own `db()`, or in `Meta.database`; None if it names none."""
    return model.db() if overrides(model, "db") else named_database(model._meta)


def refuse_never_called(model: type, hints: Mapping[str, str] = NEVER_CALLED) -> None:
    """Raise RedisModelError if a class overrides a method that redis-om calls and Redstart does not."""
    for name, hint in hints.items():
        if overrides(model, name):
            raise RedisModelError(
                f"{model_name(model)} overrides {name}(), which Redstart never calls.",
                hint,
            )
