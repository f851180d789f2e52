"""Models on the server of the tests, and redis-om's names for the conversion of dates in both colours."""

import asyncio
import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import redis

from redstart.mapping import base_model
from tests.migrations.indexes.conftest import MODELS
from tests.support.models import registry_of_its_own

VISIT = "station:visit:broken"

COUNTS = ("processed_keys", "converted_fields", "skipped_fields", "failed_conversions", "error_count")
"""What `get_migration_stats()` counts."""


@pytest.fixture
def models_url(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server of all models that name none; it is empty."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    return url


@pytest.fixture
def station_models(models_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The station's models, for programs and for `om`, and no others."""
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    with registry_of_its_own():
        for model in MODELS:
            base_model.register(model)
        yield


@pytest.fixture(params=["redstart", "redstart.aio"])
def built_in(request: pytest.FixtureRequest) -> Any:
    """`model.migrations.data.builtin` of one colour."""
    return import_module(f"{request.param}.model.migrations.data.builtin")


def break_a_visit(client: redis.Redis, number: int = 1) -> None:
    """Write visits whose arrival will not convert."""
    for one in range(number):
        client.hset(f"{VISIT}-{one}", mapping={"visit_code": f"broken-{one}", "arrived_at": "never"})


def result(value: Any) -> Any:
    """Return the result of a call of either package; a coroutine is run to its end."""

    async def of(awaitable: Any) -> Any:
        return await awaitable

    return asyncio.run(of(value)) if inspect.isawaitable(value) else value
