"""What stats says: counts by model and field, scaled from a sample, and the estimate's arithmetic."""

import itertools
import random
from collections.abc import Callable

import pytest
import redis

from redstart.demo.models import Ringer, Sighting, Visit
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data.statistics import (
    HIGH,
    INDEXING_TO_READ,
    LOW,
    READS_PER_RUN,
    WRITE_TO_READ,
    Statistics,
    statistics,
)
from redstart.migrations.transformation import Classification
from redstart.server.clients import open_like
from redstart.values.types import Storage
from tests.support.crash_driver import CrashDriver
from tests.support.migration import TEXT, new_context, station_plan
from tests.support.replies import send


def looked(
    client: redis.Redis,
    *models: type,
    rng: random.Random | None = None,
    batch_documents: int = 10,
    **surroundings: object,
) -> Statistics:
    context = new_context(**surroundings)
    plan = station_plan(*models)
    with open_like(client) as driver:
        return driver.run(statistics(context, plan, rng=rng, batch_documents=batch_documents))


def seconds_a_page() -> Callable[[], float]:
    """A clock that shows one second more each time."""
    ticks = itertools.count()
    return lambda: float(next(ticks))


def test_counts_by_model_and_field(client: redis.Redis) -> None:
    send(
        client,
        [
            ("HSET", RINGER_PREFIX + "1", "born_on", "2020-01-01", "last_seen_at", ""),
            ("HSET", RINGER_PREFIX + "2", "born_on", "86400.0", "last_seen_at", TEXT),
            ("HSET", VISIT_PREFIX + "1", "arrived_at", "?"),
            ("SET", VISIT_PREFIX + "2", "no hash"),
        ],
    )
    found = looked(client, Ringer, Visit)
    assert (found.exact, found.documents, found.sampled_documents, found.foreign) == (True, 3, 3, 1)
    by_name = {model.model.name.rpartition(".")[2]: model for model in found.models}
    assert {name: model.documents for name, model in by_name.items()} == {"Ringer": 2, "Visit": 1}
    fields = {str(field.path): field.values for field in by_name["Ringer"].fields}
    assert (fields["born_on"][Classification.CONVERTIBLE], fields["born_on"][Classification.ALREADY]) == (
        1,
        1,
    )
    assert (
        fields["last_seen_at"][Classification.NULL],
        fields["last_seen_at"][Classification.CONVERTIBLE],
    ) == (1, 1)
    assert [
        found.total(outcome) for outcome in (Classification.UNCONVERTIBLE, Classification.CONVERTIBLE)
    ] == [1, 2]


def test_nothing_is_estimated_for_nothing(client: redis.Redis) -> None:
    found = looked(client, clock=seconds_a_page())
    assert (found.documents, found.exact) == (0, True)
    assert found.total(Classification.CONVERTIBLE) == 0
    assert found.estimate.low <= found.estimate.expected <= found.estimate.high


def test_a_sample_is_scaled_to_the_whole(own_server: Callable[..., EmbeddedServer]) -> None:
    # A server that other tests used before was seen to answer all of it to one SCAN, and then nothing is estimated.
    client = redis.Redis.from_url(own_server().url)
    send(client, [("HSET", f"{VISIT_PREFIX}{number}", "arrived_at", TEXT) for number in range(9_000)])
    send(client, [("SET", f"{VISIT_PREFIX}text {number}", "") for number in range(3_000)])
    found = looked(client, Visit, rng=random.Random(7), batch_documents=500)
    assert (found.exact, found.spread) == (False, True)
    assert 3_000 <= found.sampled_documents < 9_000
    for count, true in (
        (found.documents, 9_000),
        (found.total(Classification.CONVERTIBLE), 9_000),
        (found.foreign, 3_000),
    ):
        assert count == pytest.approx(true, rel=0.15)


@pytest.mark.parametrize(
    ("model", "storage", "commands", "changing"),
    [
        (Visit, Storage.HASH, [("HSET", f"{VISIT_PREFIX}{n}", "arrived_at", TEXT) for n in range(100)], 1),
        (Visit, Storage.HASH, [("HSET", f"{VISIT_PREFIX}{n}", "arrived_at", "1.0") for n in range(100)], 0),
        (
            Sighting,
            Storage.JSON,
            [("JSON.SET", f"{SIGHTING_PREFIX}{n}", "$", f'{{"ringed_at": "{TEXT}"}}') for n in range(100)],
            1,
        ),
    ],
)
def test_the_estimate_is_three_readings_and_the_writing(
    client: redis.Redis, model: type, storage: Storage, commands: list[tuple[str, ...]], changing: int
) -> None:
    """Each page takes one second of this clock. The first is not measured: its documents count as the others."""
    send(client, commands)
    news: list[Progress] = []
    found = looked(client, model, clock=seconds_a_page(), monitor=Monitor(progress=news.append))
    read_seconds = (len(news) - 1) * 100 / (100 - news[0].done)
    assert found.read_seconds == pytest.approx(read_seconds)
    assert found.estimate.expected == pytest.approx(
        read_seconds * (READS_PER_RUN + changing * WRITE_TO_READ[storage])
    )
    assert found.estimate.low == pytest.approx(found.estimate.expected * LOW)
    assert found.estimate.high == pytest.approx(found.estimate.expected * HIGH)


@pytest.mark.parametrize("storage", Storage)
def test_the_estimate_counts_the_fields_of_all_indexes_on_the_documents(
    client: redis.Redis, storage: Storage
) -> None:
    """The server indexes all fields again after each write. Indexes on other documents do not count."""
    model, prefix = (Visit, VISIT_PREFIX) if storage is Storage.HASH else (Sighting, SIGHTING_PREFIX)
    other = Storage.JSON if storage is Storage.HASH else Storage.HASH
    for name, kind, start in (
        ("a", storage, prefix),
        ("b", storage, prefix[:4]),
        ("c", other, prefix),
        ("d", storage, "x:"),
    ):
        fields = (
            ("$.a", "AS", "a", "TAG", "$.b", "AS", "b", "NUMERIC")
            if kind is Storage.JSON
            else ("a", "TAG", "b", "NUMERIC")
        )
        send(client, [("FT.CREATE", name, "ON", kind.value, "PREFIX", "1", start, "SCHEMA", *fields)])
    written = (
        [("HSET", f"{prefix}{n}", "arrived_at", TEXT) for n in range(100)]
        if storage is Storage.HASH
        else [("JSON.SET", f"{prefix}{n}", "$", f'{{"ringed_at": "{TEXT}"}}') for n in range(100)]
    )
    send(client, written)

    found = looked(client, model, clock=seconds_a_page())

    writing = WRITE_TO_READ[storage] + 4 * INDEXING_TO_READ[storage]
    assert found.estimate.expected == pytest.approx(found.read_seconds * (READS_PER_RUN + writing))


def test_an_index_that_is_dropped_meanwhile_does_not_count(client: redis.Redis, url: str) -> None:
    for name in ("kept", "gone"):
        send(client, [("FT.CREATE", name, "PREFIX", "1", VISIT_PREFIX, "SCHEMA", "a", "TAG")])
    send(client, [("HSET", f"{VISIT_PREFIX}{n}", "arrived_at", TEXT) for n in range(100)])
    dropped: list[str] = []

    def drop(name: str) -> None:
        if "FT.INFO" in name:
            dropped.append(name)
            client.execute_command("FT.DROPINDEX", "gone")

    with CrashDriver(url, before=drop) as driver:
        operation = statistics(new_context(clock=seconds_a_page()), station_plan(Visit), rng=None)
        found = driver.run(operation)

    assert len(dropped) == 1
    writing = WRITE_TO_READ[Storage.HASH] + INDEXING_TO_READ[Storage.HASH]
    assert found.estimate.expected == pytest.approx(found.read_seconds * (READS_PER_RUN + writing))


@pytest.mark.parametrize("rights", ["-client", "-client|info", "-ft._list", "-ft.info"])
def test_a_user_who_may_not_inspect_indexes_gets_an_estimate_without_them(
    client: redis.Redis, rights: str
) -> None:
    send(client, [("FT.CREATE", "visits", "PREFIX", "1", VISIT_PREFIX, "SCHEMA", "a", "TAG")])
    send(client, [("HSET", f"{VISIT_PREFIX}{n}", "arrived_at", TEXT) for n in range(100)])
    client.execute_command("ACL", "SETUSER", "reader", "reset", "on", "nopass", "allkeys", "+@all", rights)
    settings = client.connection_pool.connection_kwargs | {"username": "reader", "password": "any"}
    pool = redis.ConnectionPool(client.connection_pool.connection_class, **settings)
    try:
        with redis.Redis(connection_pool=pool) as reader:
            found = looked(reader, Visit, clock=seconds_a_page())
    finally:
        pool.disconnect()
        client.execute_command("ACL", "DELUSER", "reader")
    expected = found.read_seconds * (READS_PER_RUN + WRITE_TO_READ[Storage.HASH])
    assert found.estimate.expected == pytest.approx(expected)


def test_the_bounds_are_a_factor_of_one_and_a_half() -> None:
    assert (1 / LOW, HIGH) == (1.5, 1.5)


def test_a_look_that_is_stopped_is_not_exact(client: redis.Redis) -> None:
    send(client, [("HSET", f"{VISIT_PREFIX}{number}", "arrived_at", TEXT) for number in range(100)])
    pages: list[Progress] = []
    monitor = Monitor(progress=pages.append, stop_requested=lambda: len(pages) == 2)
    found = looked(client, Visit, monitor=monitor)
    assert found.exact is False
    assert 0 < found.sampled_documents < 100
