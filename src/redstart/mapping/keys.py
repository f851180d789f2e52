"""Keys of documents: `<global prefix>:<model prefix>:<primary key pattern>`, as redis-om makes them."""

from functools import cache
from string import Formatter

from redstart.errors import RedisModelError
from redstart.mapping.meta import ModelMeta


def key_of(meta: ModelMeta, part: str) -> str:
    """The prefixes, each stripped of ":", and `part`. An empty global prefix leaves the leading ":"."""
    return f"{_prefix(meta.global_key_prefix, meta.model_key_prefix)}{part}"


@cache
def _prefix(global_prefix: str, model_prefix: str) -> str:
    return f"{global_prefix.strip(':')}:{model_prefix.strip(':')}:"


def key_of_document(meta: ModelMeta, primary_key: object) -> str:
    """The key of the document with this primary key."""
    pattern = meta.primary_key_pattern
    return key_of(meta, f"{primary_key}" if pattern == "{pk}" else pattern.format(pk=primary_key))


def around_primary_key(meta: ModelMeta, model_name: str) -> tuple[str, str]:
    """What stands in a key before the primary key, and after it.

    Raises:
        RedisModelError: the pattern does not hold `{pk}` exactly once, so keys cannot be told apart.
    """
    try:
        before, after = _around(meta.primary_key_pattern)
    except ValueError as error:
        raise RedisModelError(
            f"{model_name}: Meta.primary_key_pattern {meta.primary_key_pattern!r} cannot be used: {error}.",
            'Write it as "{pk}" with plain text around it; a literal brace is doubled.',
        ) from error
    return key_of(meta, before), after


@cache
def _around(pattern: str) -> tuple[str, str]:
    """The plain text before and after `{pk}`. Raises ValueError."""
    parts = [""]
    for literal, name, spec, conversion in Formatter().parse(pattern):
        parts[-1] += literal
        if name is not None:
            if name != "pk" or spec or conversion:
                raise ValueError("only {pk} may stand in it")
            parts.append("")
    if len(parts) != 2:
        raise ValueError("{pk} must stand in it once")
    return parts[0], parts[1]
