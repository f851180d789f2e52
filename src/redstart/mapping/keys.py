"""Keys of documents: `<global prefix>:<model prefix>:<primary key pattern>`, as in redis-om."""

from functools import cache
from string import Formatter
from typing import Any, Final

from redstart.errors import RedisModelError, RedstartError
from redstart.mapping.base_model import MappedModel, model_name, overrides
from redstart.mapping.meta import ModelMeta

PROBES: Final = ("0probe0", "1another1")
"""Primary keys that cannot occur in other parts of a key."""


@cache
def prefix_of(global_prefix: str, model_prefix: str) -> str:
    """Return both prefixes, each stripped of ":" and followed by one. An empty global prefix leaves the leading ":"."""
    return f"{global_prefix.strip(':')}:{model_prefix.strip(':')}:"


def key_affixes(model: type[MappedModel]) -> tuple[str, str]:
    """Return the parts of a model's keys before and after the primary key.

    If the model overrides the methods that make keys, these are called each time, because their results may change.

    Raises:
        RedisModelError: a key does not contain its primary key exactly once.
    """
    name = model_name(model)
    own = [method for method in ("make_primary_key", "make_key") if overrides(model, method)]
    if not own:
        return around_primary_key(model._meta, name)
    methods = " and ".join(f"{method}()" for method in own)
    affixes = {_around_probe(model, probe, methods) for probe in PROBES}
    before, after = affixes.pop() if len(affixes) == 1 else ("", "")
    if not before:
        raise RedisModelError(
            f"{name}: {methods} returned the key {model.make_primary_key(PROBES[0])!r} "
            f"for the primary key {PROBES[0]!r}.",
            "Return a key that consists of a fixed prefix and the unchanged primary key, once: "
            "the index, all_pks() and migrations find documents by the prefix.",
        )
    return before, after


def refuse_keys_elsewhere(model: type[MappedModel]) -> None:
    """Raise RedisModelError if an overridden `key()` returns keys that its index and migrations do not find.

    A `key()` that fails with text in all fields is not checked.
    """
    if not overrides(model, "key"):
        return
    before, after = key_affixes(model)
    values: dict[str, Any] = dict.fromkeys(model.model_fields, PROBES[0])
    try:
        key = model.model_construct(**values).key()
    except Exception:  # noqa: BLE001 - key() of the application may raise anything
        return
    if not (key.startswith(before) and key.endswith(after)):
        raise RedisModelError(
            f"{model_name(model)}: key() returned {key!r}, but keys of the model begin with {before!r}"
            + (f" and end with {after!r}." if after else "."),
            "Override make_key() or make_primary_key() instead: get(), delete(), the index and migrations use these.",
        )


def _around_probe(model: type[MappedModel], probe: str, methods: str) -> tuple[str, ...]:
    try:
        key: Any = model.make_primary_key(probe)
    except RedstartError:
        raise
    except Exception as error:  # methods of the application may raise anything
        raise RedisModelError(
            f"{model_name(model)}: {methods} raised {type(error).__name__}: {error}.",
            "Return a key for any primary key; Redstart derives the key prefix of the model from it.",
        ) from error
    return tuple(key.split(probe)) if isinstance(key, str) and key.count(probe) == 1 else (probe, repr(key))


def around_primary_key(meta: ModelMeta, model_name: str) -> tuple[str, str]:
    """Return the parts of a key before and after the primary key.

    Raises:
        RedisModelError: the pattern does not contain `{pk}` exactly once.
    """
    try:
        before, after = _around(meta.primary_key_pattern)
    except ValueError as error:
        raise RedisModelError(
            f"{model_name}: Meta.primary_key_pattern {meta.primary_key_pattern!r} is invalid: {error}.",
            'Use "{pk}" once, with plain text around it. Double a literal brace.',
        ) from error
    return f"{prefix_of(meta.global_key_prefix, meta.model_key_prefix)}{before}", after


@cache
def _around(pattern: str) -> tuple[str, str]:
    """Return the plain text before and after `{pk}`. Raises ValueError."""
    parts = [""]
    for literal, name, spec, conversion in Formatter().parse(pattern):
        parts[-1] += literal
        if name is not None:
            if name != "pk" or spec or conversion:
                raise ValueError("{pk} is the only placeholder allowed")
            parts.append("")
    if len(parts) != 2:
        raise ValueError("{pk} has to occur exactly once")
    return parts[0], parts[1]
