"""A run of `redstart.aio` that is cancelled, or runs out of time, at any request: it ends there, and can be resumed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from redstart.aio import DateMigration
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.errors import LeaseHeldError
from redstart.migrations import lease
from redstart.migrations.outcomes import Outcome
from redstart.server.async_driver import AsyncDriver
from tests.migrations.indexes.conftest import drop_all, make_legacy_indexes
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, Snapshot, difference, snapshot

MODELS = (Ringer, Visit, Sighting)
EVERY = 97
"""Requests between two cancellations: a prime, so that all kinds of requests are met."""

pytestmark = pytest.mark.filterwarnings("error")


def prepare(client: redis.Redis) -> Snapshot:
    drop_all(client)
    client.flushall()
    load_sample(client, 20)
    make_legacy_indexes(client)
    return documents(client)


def documents(client: redis.Redis) -> Snapshot:
    return snapshot(client, exclude_prefixes=STATE_PREFIXES)


@pytest.fixture
def at_request(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], list[int]]:
    """Does something when request number `at` begins; the returned list has one item for each request."""
    take: Any = AsyncDriver._take

    def arrange(at: int, act: Callable[[], object]) -> list[int]:
        seen: list[int] = []

        async def counted(self: AsyncDriver, step: Any) -> Any:
            seen.append(len(seen))
            if len(seen) == at:
                act()
            return await take(self, step)

        monkeypatch.setattr(AsyncDriver, "_take", counted)
        return seen

    return arrange


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait ten seconds for the lease of a cancelled run."""
    monkeypatch.setattr(lease, "LEASE_MS", 100)
    monkeypatch.setattr(lease, "_POLL_SECONDS", 0.02)


async def perform(url: str, call: str) -> Outcome:
    client = redis.asyncio.Redis.from_url(url)
    try:
        result = await getattr(DateMigration(MODELS, client=client), call)(batch_size=10)
        outcome: Outcome = result.outcome
        return outcome
    finally:
        await client.aclose()


@pytest.mark.sample(1)
@pytest.mark.usefixtures("short_lease")
@pytest.mark.parametrize("call", ["run", "rollback"])
def test_a_cancelled_task_ends_and_the_next_one_finishes_the_work(
    url: str, client: redis.Redis, at_request: Callable[..., list[int]], call: str
) -> None:
    at, cancelled = 20, 0
    while True:
        before = prepare(client)
        if call == "rollback":
            assert asyncio.run(perform(url, "run")) is not Outcome.STOPPED

        async def cancel_in_the_middle(at: int = at) -> bool:
            task = asyncio.create_task(perform(url, call))
            at_request(at, task.cancel)
            await asyncio.wait([task])
            return task.cancelled()

        if not asyncio.run(cancel_in_the_middle()):
            break
        cancelled += 1
        at_request(0, int)
        # In a new event loop, which knows nothing of the cancelled task.
        if call == "run":
            assert asyncio.run(perform(url, "run")) in (Outcome.DONE, Outcome.CUTOVER_REFUSED)
        assert asyncio.run(perform(url, "rollback")) in (Outcome.DONE, Outcome.NOTHING_TO_DO)
        assert difference(before, documents(client)) == []
        at += EVERY
    assert cancelled >= 3


@pytest.mark.usefixtures("short_lease")
def test_a_time_limit_is_kept(url: str, client: redis.Redis, at_request: Callable[..., list[int]]) -> None:
    before = prepare(client)

    async def limited() -> int:
        async with asyncio.timeout(60) as limit:
            now = asyncio.get_running_loop().time()
            seen = at_request(300, lambda: limit.reschedule(now))
            with pytest.raises(asyncio.CancelledError):
                await perform(url, "run")
            raise TimeoutError(len(seen))

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(limited())
    assert 300 <= caught.value.args[0] < 310
    at_request(0, int)
    assert asyncio.run(perform(url, "run")) in (Outcome.DONE, Outcome.CUTOVER_REFUSED)
    assert asyncio.run(perform(url, "rollback")) is Outcome.DONE
    assert difference(before, documents(client)) == []


def test_two_runs_in_one_event_loop_do_not_collide(url: str, client: redis.Redis) -> None:
    before = prepare(client)

    async def both() -> list[Any]:
        return await asyncio.gather(perform(url, "run"), perform(url, "run"), return_exceptions=True)

    ended = asyncio.run(both())
    assert all(isinstance(one, Outcome | LeaseHeldError) for one in ended), ended
    assert any(isinstance(one, Outcome) for one in ended), ended
    asyncio.run(perform(url, "run"))
    assert asyncio.run(perform(url, "rollback")) is Outcome.DONE
    assert difference(before, documents(client)) == []
