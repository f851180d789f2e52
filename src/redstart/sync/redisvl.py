# Generated from redstart/aio/redisvl.py: change that, then `python -m tools.generate_sync`.
"""RedisVL schemas and indexes of models."""

from typing import Any

from redstart.documents.redisvl import redisvl_schema
from redstart.mapping.models import RedisModel
from redstart.sync.connections import client_of
from redstart.unavailable_names import attribute_of


def to_redisvl_schema(model_cls: type[RedisModel]) -> Any:
    """Return the index of a model as a `redisvl.schema.IndexSchema`.

    Args:
        model_cls: the model class.

    Raises:
        ConfigurationError: redisvl is not installed.
        RedisModelError: the model has no index.
    """
    from redstart.server.redisvl import index_schema  # noqa: PLC0415 - as in redstart.sync.connections

    return index_schema(redisvl_schema(model_cls))


def get_redisvl_index(model_cls: type[RedisModel], async_client: bool = True) -> Any:
    """Return a RedisVL index of the documents of a model, with the client of the model.

    Args:
        model_cls: the model class.
        async_client: return an `AsyncSearchIndex` if the client is asynchronous; otherwise a `SearchIndex`.

    Raises:
        ConfigurationError: redisvl is not installed.
        RedisModelError: the model has no index.
    """
    from redstart.server.redisvl import index_on  # noqa: PLC0415 - as above

    return index_on(redisvl_schema(model_cls), client_of(model_cls), asynchronous=async_client)


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
