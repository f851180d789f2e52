"""Memory does not grow with the data: at most two batches of documents are held at once."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.context import Context
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.lease_state import this_process
from redstart.server.clients import open_sync
from redstart.values.types import Storage, TemporalKind
from tests.support.replies import send

PREFIX = "memory:"
PATHS = tuple(
    ValuePath((name,), TemporalKind.DATETIME, optional=False) for name in ("created_at", "updated_at")
)
UTC = DatetimeConversion.of_zone("UTC")
PLAN = Plan((PlannedModel("memory.Order", PREFIX, "", Storage.HASH, PATHS),), UTC.settings)

FEW, MANY = 2_000, 10_000
BATCH_DOCUMENTS = 200


@pytest.fixture
def url(own_server: Callable[..., EmbeddedServer]) -> str:
    """Of a fresh server: one whose table of keys is growing can answer a SCAN with all keys, which takes memory."""
    return own_server().url


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url) as client:
        yield client


@pytest.mark.sample(0)
def test_five_times_the_documents_need_no_more_memory(client: redis.Redis, url: str) -> None:
    peaks_of_few = peaks(client, url, FEW)
    peaks_of_many = peaks(client, url, MANY)

    for of_many, of_few in zip(peaks_of_many, peaks_of_few, strict=True):
        assert of_many < 1.5 * of_few


@pytest.mark.sample(0)
def test_the_measure_sees_a_larger_batch(client: redis.Redis, url: str) -> None:
    """Or else the test above could not fail."""
    assert peaks(client, url, FEW, batch_documents=FEW)[0] > 2 * peaks(client, url, FEW)[0]


def peaks(
    client: redis.Redis, url: str, documents: int, batch_documents: int = BATCH_DOCUMENTS
) -> tuple[int, int]:
    """The most bytes that Python held more than before: during a run, and during its undo."""
    load(client, documents)
    options = RunOptions(batch_documents=batch_documents)
    with open_sync(url) as driver:
        driver.run(run(new_context(), PLAN, RunOptions(limit_documents=1)))  # what is made once is made now
        load(client, documents)
        tracemalloc.start()
        try:
            found = []
            for operation in (run(new_context(), PLAN, options), rollback(new_context())):
                gc.collect()
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
                assert driver.run(operation).documents == documents
                found.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
    return found[0], found[1]


def load(client: redis.Redis, documents: int) -> None:
    """An empty database, then documents whose every value will be converted."""
    client.execute_command("FLUSHALL", "SYNC")
    for start in range(0, documents, 1_000):
        send(client, [_write(number) for number in range(start, start + 1_000)])


def _write(number: int) -> tuple[str, ...]:
    text = f"2021-05-04T03:02:{number % 60:02}.{number:06}"
    return ("HSET", f"{PREFIX}{number}", "name", "x" * 50, "created_at", text, "updated_at", text)


def new_context() -> Context:
    """The surroundings of one operation."""
    return Context(UTC, this_process(), f"test {time.monotonic_ns()}", time.monotonic)
