"""A whole migration and its undo under each driver: the same requests' answers must lead to the same end."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import redis

from redstart.demo.load import load_batches
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.demo.sample import generate
from redstart.effects import Op
from redstart.mapping.model_info import declare
from redstart.migrations.context import Context
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import make_plan
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.lease_state import this_process
from redstart.server.clients import open_async, open_sync
from tests.support.replies import send
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

T = TypeVar("T")

PLAN = make_plan([declare(model) for model in (Ringer, Visit, Sighting)], DatetimeConversion.of_zone("UTC"))
SAMPLE = tuple(generate(300, dirty_share=0.2))
OPTIONS = RunOptions(batch_documents=50)


def perform_sync(url: str, operation: Op[T]) -> T:
    with open_sync(url) as driver:
        return driver.run(operation)


def perform_async(url: str, operation: Op[T]) -> T:
    async def perform() -> T:
        async with open_async(url) as driver:
            return await driver.run(operation)

    return asyncio.run(perform())


@pytest.mark.parametrize("protocol", [2, 3])
def test_run_and_rollback_end_alike(client: redis.Redis, url: str, protocol: int) -> None:
    url = f"{url}?protocol={protocol}"
    by_sync = run_and_roll_back(client, url, perform_sync)
    by_async = run_and_roll_back(client, url, perform_async)

    assert by_sync["run"]["converted"] > 900
    assert by_sync["run"]["errors"] > 20
    assert by_sync["changed"] > 250
    assert by_async == by_sync


def run_and_roll_back(
    client: redis.Redis, url: str, perform: Callable[[str, Op[Any]], Any]
) -> dict[str, Any]:
    """What a run reports and leaves on a fresh sample; asserts that the undo is exact."""
    client.execute_command("FLUSHALL", "SYNC")
    for commands in load_batches(SAMPLE, field_expiries=True):
        send(client, commands)
    before = snapshot(client)

    result = perform(url, run(new_context(), PLAN, OPTIONS))
    after = snapshot(client, exclude_prefixes=STATE_PREFIXES)
    undone = perform(url, rollback(new_context()))

    assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []
    return {
        "run": counts(result),
        "rollback": counts(undone),
        "after": after,
        "changed": len(difference(before, after)),
    }


def new_context() -> Context:
    """The surroundings of one operation."""
    return Context(
        DatetimeConversion.of_zone("UTC"), this_process(), f"test {time.monotonic_ns()}", time.monotonic
    )


def counts(result: Any) -> dict[str, Any]:
    """A result without the times it took."""
    return {name: getattr(result, name) for name in result.__slots__ if name != "seconds"}
