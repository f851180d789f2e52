"""Objects of RedisVL, an optional dependency."""

from importlib import import_module
from types import ModuleType
from typing import Any

import redis
import redis.asyncio

from redstart.errors import ConfigurationError
from redstart.server.pools import pool_like


def index_schema(described: dict[str, Any]) -> Any:
    """Return an `IndexSchema`. Raises ConfigurationError."""
    return _module("redisvl.schema").IndexSchema.from_dict(described)


def index_on(described: dict[str, Any], client: Any, *, asynchronous: bool) -> Any:
    """Return an index with a sync or async client.

    Args:
        asynchronous: an `AsyncSearchIndex` if the client is of asyncio; else a `SearchIndex`.

    Raises:
        ConfigurationError: redisvl is not installed, or the client is none.
    """
    kinds, schema = _module("redisvl.index"), index_schema(described)
    if isinstance(client, redis.asyncio.Redis):
        if asynchronous:
            return kinds.AsyncSearchIndex(schema, redis_client=client)
        client = redis.Redis(connection_pool=pool_like(client))
    return kinds.SearchIndex(schema, redis_client=client)


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed.", "Install it with: pip install redisvl"
        ) from error
