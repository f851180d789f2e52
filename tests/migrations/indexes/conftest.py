"""Documents and indexes as redis-om 0.3.5 leaves them, and readers that query all the time."""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis

from redstart.demo.models import Ringer, Sighting, Visit
from redstart.effects import Op
from redstart.mapping.index_schema import index_of
from redstart.mapping.model_info import declare
from redstart.migrations.context import Monitor
from redstart.migrations.coordinator import rollback_indexes
from redstart.migrations.indexes import build, migrator
from redstart.migrations.indexes.expand import ExpansionOptions, IndexResult
from redstart.migrations.indexes.migrator import Converted, IndexMigration
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes
from redstart.migrations.indexes.state import hash_key
from redstart.migrations.lease_state import this_process
from redstart.search.schema import FieldKind, Index, create_arguments, schema_hash, schema_text
from redstart.server import protocol
from redstart.server.clients import open_sync
from tests.support.migration import new_context
from tests.support.sample import load_sample

MODELS = (Ringer, Visit, Sighting)
DOCUMENTS = 300


def planned() -> list[PlannedIndex]:
    return planned_indexes(map(declare, MODELS))


def perform(url: str, operation: Op[Any]) -> Any:
    with open_sync(url) as driver:
        return driver.run(operation)


def migration() -> IndexMigration:
    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, Monitor())


def is_converted(prefixes: Collection[str]) -> Converted:
    """Return an operation that reads which key prefixes are converted, with this result."""

    def read() -> Op[Collection[str]]:
        yield from ()
        return prefixes

    return read


def expand(url: str, converted: set[str] | None = None, **options: bool) -> dict[str, IndexResult]:
    results = perform(
        url, migration().run(planned(), is_converted(converted or ()), ExpansionOptions(**options))
    )
    return {result.name: result for result in results}


def step_back(url: str) -> dict[str, Any]:
    """Roll back the indexes, as `om migrate rollback`."""
    _, done = perform(url, rollback_indexes(new_context(), migration()))
    return dict(done)


def serving(client: redis.Redis, name: str) -> str:
    """Return the name of the index that a name points to."""
    info = client.execute_command("FT.INFO", name)
    found = info[b"index_name"] if isinstance(info, dict) else info[1]
    return found.decode() if isinstance(found, bytes) else str(found)


def total(client: redis.Redis, name: str, query: str = "*") -> int:
    reply = client.execute_command("FT.SEARCH", name, query, "LIMIT", 0, 0)
    if isinstance(reply, dict):
        return int(reply.get(b"total_results", reply.get("total_results", -1)))
    return int(reply[0])


@pytest.fixture
def without_indexes(client: redis.Redis) -> Iterator[redis.Redis]:
    """A client of an empty server; indexes, which FLUSHALL leaves, are dropped before and after the test."""
    drop_all(client)
    yield client
    drop_all(client)


@pytest.fixture
def legacy(client: redis.Redis) -> Iterator[redis.Redis]:
    """A client; documents without failed values, indexes and hashes of redis-om 0.3.5."""
    drop_all(client)
    load_sample(client, DOCUMENTS, dirty_share=0, field_expiries=False)
    make_legacy_indexes(client)
    yield client
    drop_all(client)


def make_legacy_indexes(client: redis.Redis) -> None:
    """Create the indexes of redis-om before 1.0, and the hashes that it stores for them."""
    for model in MODELS:
        index = before_1_0(model)
        client.execute_command("FT.CREATE", *create_arguments(index))
        client.set(hash_key(index.name), schema_hash(schema_text(index)))
    wait_until_built(client, [model._meta.index_name for model in MODELS])


def before_1_0(model: Any) -> Index:
    """Return the index of a model with its dates as tags, as in redis-om before 1.0."""
    dates = {"_".join(str(step) for step in path.segments) for path in declare(model).paths.planned}
    index = index_of(model)
    fields = (
        replace(field, kind=FieldKind.TAG, separator="|", sortable=False)
        if field.attribute in dates
        else field
        for field in index.fields
    )
    return replace(index, fields=tuple(fields), parts=None)


def nobody_waits(patch: pytest.MonkeyPatch) -> None:
    """Acquire the lease of a crashed process at once, and poll and repeat without pauses."""
    patch.setattr(migrator, "is_gone", lambda _: True)
    patch.setattr(build, "POLL_SECONDS", 0.002)
    patch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0, 0.0, 0.0))


def drop_all(client: redis.Redis) -> None:
    """Drop all indexes, which FLUSHALL leaves."""
    for name in client.execute_command("FT._LIST"):
        client.execute_command("FT.DROPINDEX", name)


def wait_until_built(client: redis.Redis, names: list[str]) -> None:
    for name in names:
        while True:
            info = client.execute_command("FT.INFO", name)
            fields = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
            if int(fields[b"indexing"]) == 0:
                break
            time.sleep(0.01)


class Reader(threading.Thread):
    """Counts the results of a query repeatedly; `lowest` is the lowest count, `looks` the number of queries."""

    def __init__(self, url: str, name: str, query: str) -> None:
        super().__init__(daemon=True)
        self._client = redis.Redis.from_url(url)
        self._name = name
        self._query = query
        self._over = threading.Event()
        self.lowest = 10**9
        self.looks = 0
        self.errors: list[str] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self.lowest = min(self.lowest, total(self._client, self._name, self._query))
            except redis.RedisError as error:
                self.errors.append(str(error))
            self.looks += 1

    def end(self) -> None:
        self._over.set()
        self.join()
        self._client.close()


@contextmanager
def readers(
    url: str, client: redis.Redis, query: str = "*", models: Sequence[Any] = MODELS
) -> Iterator[Callable[[], None]]:
    """Query the index of every model all the time; no query may find fewer documents than at the start.

    Yields a function that waits for 20 more queries of each reader, so that every phase is queried.
    """
    names = [model._meta.index_name for model in models]
    expected = {name: total(client, name, query) for name in names}
    started = {name: Reader(url, name, query) for name in names}
    for reader in started.values():
        reader.start()

    def look() -> None:
        goals = {name: reader.looks + 20 for name, reader in started.items()}
        while any(reader.looks < goals[name] for name, reader in started.items()):
            time.sleep(0.001)

    look()
    yield look
    look()
    for name, reader in started.items():
        reader.end()
        assert reader.errors == [], name
        assert reader.lowest >= expected[name], name
