"""Models for RedisVL, whose own index and query classes can search the documents of a model."""

from typing import Any

from redstart.aio.connections import client_of
from redstart.documents.redisvl_schema import redisvl_schema
from redstart.left_out import attribute_of
from redstart.mapping.models import RedisModel


def to_redisvl_schema(model_cls: type[RedisModel]) -> Any:
    """The index of a model as a `redisvl.schema.IndexSchema`.

    Raises:
        ConfigurationError: redisvl is not installed.
        RedisModelError: the model has no index.
    """
    from redstart.server.redisvl_index import index_schema  # noqa: PLC0415 - as in redstart.aio.connections

    return index_schema(redisvl_schema(model_cls))


def get_redisvl_index(model_cls: type[RedisModel], async_client: bool = True) -> Any:
    """A RedisVL index on the documents of a model, with the client of the model.

    Args:
        model_cls: the model.
        async_client: return an `AsyncSearchIndex` if that client is asynchronous; in all other cases a `SearchIndex`.

    Raises:
        ConfigurationError: redisvl is not installed.
        RedisModelError: the model has no index.
    """
    from redstart.server.redisvl_index import index_on  # noqa: PLC0415 - as above

    return index_on(redisvl_schema(model_cls), client_of(model_cls), asynchronous=async_client)


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
