"""What models need in tests: their indexes, and a registry without those of other tests."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from redstart.commands.search import ft_create, ft_info
from redstart.mapping.base_model import model_registry
from redstart.mapping.index_schema import index_of
from redstart.search.index_info import read_info
from redstart.search.schema import create_arguments


def create_indexes(client: redis.Redis, *models: Any) -> None:
    """Make the indexes of these models, and wait until what is there is in them."""
    for model in models:
        index = index_of(model)
        client.execute_command(*ft_create(create_arguments(index)).args)
        while read_info(client.execute_command(*ft_info(index.name).args)).indexing:
            time.sleep(0.01)


@contextmanager
def registry_of_its_own() -> Iterator[None]:
    """An empty registry; afterwards the previous one."""
    known = dict(model_registry)
    model_registry.clear()
    try:
        yield
    finally:
        model_registry.clear()
        model_registry.update(known)
