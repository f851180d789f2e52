"""Models whose key prefix begins with that of another model, whose index then contains their documents."""

import warnings
from functools import cache
from typing import Final

from redstart.errors import OverlappingPrefixesWarning, RedisModelError
from redstart.mapping.base_model import client_named, model_name, model_registry, registered_models
from redstart.mapping.keys import key_affixes
from redstart.mapping.models import RedisModel

STACK_LEVEL: Final = 7
"""From `_warn` to the caller of `Model.find()`."""


def models_inside(model: type[RedisModel]) -> dict[str, str]:
    """Return the names of the models whose documents queries of this model also find, by their key prefixes.

    Without subclasses of the model and models with the same prefix, which share documents on purpose.
    Warns OverlappingPrefixesWarning, once for each pair of models.
    """
    return _models_inside(model, len(model_registry))


@cache
def _models_inside(model: type[RedisModel], _registered: int) -> dict[str, str]:
    outer = key_prefix_of(model)
    inside = {
        prefix: model_name(other)
        for other in registered_models()
        if outer
        and other._storage is model._storage
        and not issubclass(other, model)
        and (prefix := key_prefix_of(other)) != outer
        and prefix.startswith(outer)
        and client_named(other) is client_named(model)
    }
    for prefix, name in inside.items():
        _warn(model_name(model), outer, name, prefix)
    return inside


@cache
def _warn(outer: str, outer_prefix: str, inner: str, inner_prefix: str) -> None:
    warnings.warn(
        OverlappingPrefixesWarning(outer, outer_prefix, inner, inner_prefix), stacklevel=STACK_LEVEL
    )


def key_prefix_of(model: type[RedisModel]) -> str:
    """Return the key prefix of a model; "" if keys of its overridden methods have none."""
    try:
        return key_affixes(model)[0]
    except RedisModelError:
        return ""
