"""Clients and servers of models: the client of a model, or the one for REDIS_OM_URL."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from redstart.errors import ConfigurationError
from redstart.mapping.base_model import client_named, model_name
from redstart.mapping.meta import named_database
from redstart.mapping.models import RedisModel
from redstart.settings import server_url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    import redis.asyncio

    from redstart.server.async_executor import AsyncExecutor


def __getattr__(name: str) -> object:
    """Return `URL`, the default server in its current setting, or `redis`, the module of clients."""
    if name == "redis":
        return import_module("redis.asyncio")
    if name != "URL":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return server_url()


def get_redis_connection(**options: Any) -> "redis.asyncio.Redis":
    """Return a redis-py client that connects on first use. It decodes replies, unless `decode_responses=False`.

    Args:
        options: `url`, or `host` and other options of redis-py. By default the client uses REDIS_OM_URL or localhost.

    Raises:
        ConfigurationError: the URL is not valid.
    """
    from redstart.server.clients import async_client  # noqa: PLC0415 - a model costs no client until it is used

    return async_client(server_url(), **{"decode_responses": True} | options)


def client_of(model: type[RedisModel]) -> "redis.asyncio.Redis":
    """Return the client of an overridden `db()`, of `Meta.database`, or the shared one for REDIS_OM_URL."""
    return _or_shared(client_named(model))


def client_in_meta(model: type[RedisModel]) -> "redis.asyncio.Redis":
    """Return the client in `Meta.database`, or the shared one for REDIS_OM_URL."""
    return _or_shared(named_database(model._meta))


def _or_shared(client: "redis.asyncio.Redis | None") -> "redis.asyncio.Redis":
    return shared_client() if client is None else client


def shared_client() -> "redis.asyncio.Redis":
    """Return the shared client of models without their own: that for REDIS_OM_URL."""
    from redstart.server.async_executor import default_client  # noqa: PLC0415 - as above

    return default_client(server_url())


def server_of_client(client: "redis.asyncio.Redis") -> "AsyncExecutor":
    """Return the executor of operations on the server of a client.

    Raises:
        ConfigurationError: the client is not a redis-py client.
    """
    from redstart.server.async_executor import server_of  # noqa: PLC0415 - as above

    return server_of(client)


def client_for_functions(client: "redis.asyncio.Redis") -> "AbstractContextManager[Any]":
    """Open a client of redis-py without coroutines, of the same server, for functions of migration files.

    Raises:
        ConfigurationError: the client is not a redis-py client.
    """
    from redstart.server.pools import decoding_client, pool_of  # noqa: PLC0415 - as above

    return decoding_client(pool_of(client))


def server_of_model(model: type[RedisModel], client: Any = None) -> "AsyncExecutor":
    """Return the executor of operations on documents of a model: on the server of `model.db()`.

    Args:
        client: the client in the argument `pipeline`; see `queue_of`.

    Raises:
        ConfigurationError: the client is not a redis-py client.
    """
    return server_of_client(model.db() if client is None else client)


def queue_of(pipeline: Any) -> Any:
    """Return the pipeline on which to queue commands; None if they are sent immediately, also for a client.

    redis-om accepts a client in place of a pipeline. Its server then receives the commands.
    """
    if pipeline is None:
        return None
    from redstart.server.pools import is_client  # noqa: PLC0415 - as above

    return None if is_client(pipeline) else pipeline


def server_of_all(
    model: type[RedisModel], documents: "Iterable[RedisModel]", client: Any = None
) -> "AsyncExecutor":
    """Return the executor of operations on documents of several models: on the server of `model`, or of a client.

    Raises:
        ConfigurationError: the model of one document uses another server.
    """
    if client is not None:
        return server_of_client(client)
    server = server_of_model(model)
    for other in {type(document) for document in documents} - {model}:
        where = server_of_model(other).where
        if where != server.where:
            raise ConfigurationError(
                f"Documents of {model_name(other)} are on {where} and those of {model_name(model)} on {server.where}; "
                "one call cannot use both servers.",
                f"Call the method of {other.__name__} for its documents.",
            )
    return server
