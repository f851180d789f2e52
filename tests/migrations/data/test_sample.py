"""A sample of a data set that is half converted: the half that SCAN meets first."""

import random

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redstart.demo.models import Visit
from redstart.demo.sample import VISIT_PREFIX
from redstart.errors import CommandError
from redstart.migrations.context import Monitor
from redstart.migrations.data import statistics
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.run import run
from redstart.migrations.data.scanner import cursor_at, scanned_share
from redstart.migrations.data.statistics import spread_sample
from redstart.migrations.data.survey import Survey, survey
from redstart.migrations.transformation import Classification
from redstart.server.clients import open_like
from tests.support.cli import run_om
from tests.support.migration import TEXT, new_context, options, station_plan
from tests.support.replies import send

UTC = DatetimeConversion.of_zone("UTC")
DOCUMENTS = 10_000


def load(client: redis.Redis, documents: int) -> None:
    send(client, [("HSET", f"{VISIT_PREFIX}{number}", "arrived_at", TEXT) for number in range(documents)])


@pytest.fixture
def half_converted(client: redis.Redis) -> redis.Redis:
    load(client, DOCUMENTS)
    with open_like(client) as driver:
        stopped = driver.run(run(new_context(), station_plan(Visit), options(limit_documents=DOCUMENTS // 2)))
    assert stopped.converted == DOCUMENTS // 2
    return client


def sampled(client: redis.Redis, seed: int, plan: Plan | None = None) -> Survey:
    with open_like(client) as driver:
        operation = spread_sample(
            plan or station_plan(Visit), UTC, monitor=Monitor(), rng=random.Random(seed)
        )
        found = driver.run(operation)
    assert found is not None
    return found


def converted_share(found: Survey) -> float:
    converted, convertible = (
        found.tally.total(Classification.ALREADY),
        found.tally.total(Classification.CONVERTIBLE),
    )
    return converted / (converted + convertible)


@pytest.mark.sample(2)
@pytest.mark.parametrize("seed", range(5))
def test_it_sees_both_halves(half_converted: redis.Redis, seed: int) -> None:
    """Only one walk of 40 can meet the border, so that the share is wrong by 1/40 at most, and by chance."""
    found = sampled(half_converted, seed)
    assert converted_share(found) == pytest.approx(0.5, abs=0.05)
    assert found.tally.total_documents / found.share == pytest.approx(DOCUMENTS, rel=0.1)
    assert 3_000 <= found.tally.total_documents < 0.8 * DOCUMENTS


def test_the_beginning_of_a_scan_would_not(half_converted: redis.Redis) -> None:
    with open_like(half_converted) as driver:
        first = survey(
            station_plan(Visit), UTC, batch_documents=500, monitor=Monitor(), stage="", most_documents=4_000
        )
        assert converted_share(driver.run(first)) > 0.95


def test_no_document_is_counted_twice_where_walks_come_past_the_next_ones_beginning(
    client: redis.Redis,
) -> None:
    """Of 2,000 documents each walk takes more than its part: together they read nearly all, each once."""
    load(client, 2_000)
    for seed in range(10):
        found = sampled(client, seed)
        assert found.tally.total_documents <= 2_000
        assert 0.9 < found.share <= 1.0
        assert found.tally.total_documents / found.share == pytest.approx(2_000, rel=0.05)


def test_where_documents_are_rare_a_walk_ends_without_its_hundred(client: redis.Redis) -> None:
    send(client, [("SET", f"other:{number}", "x") for number in range(20_000)])
    load(client, 400)
    found = sampled(client, 1, station_plan())  # the prefix of all models lets only the documents through
    assert found.tally.total_documents / found.share == pytest.approx(400, rel=0.35)


def test_an_empty_database_has_nothing_to_count(client: redis.Redis) -> None:
    operation = spread_sample(station_plan(Visit), UTC, monitor=Monitor(), rng=random.Random(0))
    with open_like(client) as driver:
        found = driver.run(operation)
    assert found is None or found.tally.total_documents == 0


def test_it_stops_when_asked_to(half_converted: redis.Redis) -> None:
    asked = iter([False, False, True])
    monitor = Monitor(stop_requested=lambda: next(asked))
    operation = spread_sample(station_plan(Visit), UTC, monitor=monitor, rng=random.Random(0))
    with open_like(half_converted) as driver:
        found = driver.run(operation)
    assert found is not None
    assert 200 <= found.tally.total_documents < 500


@pytest.mark.parametrize(
    "reply", [(cursor_at(0.9), [b"key"]), (3, []), CommandError("ERR invalid cursor", code="ERR")]
)
def test_cursors_of_another_kind_are_not_believed(reply: object) -> None:
    operation = spread_sample(station_plan(Visit), UTC, monitor=Monitor(), rng=random.Random(0))
    _ = next(operation)
    with pytest.raises(StopIteration) as ended:
        operation.throw(reply) if isinstance(reply, CommandError) else operation.send(reply)
    assert ended.value.value is None


@given(st.floats(0.0, 1.0, exclude_max=True))
def test_a_cursor_stands_at_its_place(place: float) -> None:
    assert cursor_at(place) < 2**64
    if cursor_at(place):
        assert scanned_share(cursor_at(place)) == pytest.approx(place, abs=2**-60)


def test_stats_of_an_interrupted_run_need_no_warning(
    half_converted: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--url", url, "migrate-data", "stats", "--models", "redstart.demo.models")
    values = run_om(*words, "--json").json["values"]
    assert values["numeric"] == pytest.approx(DOCUMENTS / 2, rel=0.15)
    assert values["convertible"] == pytest.approx(DOCUMENTS / 2, rel=0.15)
    assert "a run was interrupted" not in run_om(*words).stderr
    monkeypatch.setattr(statistics, "_WIDEST_BUCKET", -1.0)  # as on a server whose cursors say nothing
    assert "a run was interrupted" in run_om(*words).stderr
    assert run_om(*words, "--json").json["values"]["convertible"] == 0
