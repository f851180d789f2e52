"""What a rollback refuses before it writes anything, and what it says of its progress."""

import pytest
import redis

from redstart.errors import ConfigurationError
from redstart.migrations.data.converting.runner import run
from redstart.migrations.data.running.monitor import Monitor, Progress
from redstart.migrations.data.state import journal
from redstart.migrations.data.state.checkpoint import Stage, load_checkpoint
from redstart.migrations.data.undoing.rollback import rollback
from redstart.server.connections import open_like
from tests.support.migration import (
    KEYS,
    documents_of,
    load_hostile,
    new_context,
    options,
    small_pieces,
    station_plan,
)
from tests.support.snapshot import difference


def test_another_local_zone_is_refused_before_anything_is_undone(client: redis.Redis) -> None:
    load_hostile(client)
    with open_like(client) as driver:
        driver.run(run(new_context(), station_plan(naive_timezone="local:00000000"), options()))
        converted, journal = documents_of(client), client.xlen(KEYS.journal)
        with pytest.raises(ConfigurationError, match="another local time zone"):
            driver.run(rollback(new_context()))
    assert documents_of(client) == converted
    assert client.xlen(KEYS.journal) == journal
    assert not client.exists(KEYS.checkpoint, KEYS.lease.lease)


def test_a_stopped_rollback_says_how_far_it_is_and_goes_on_from_there(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    monkeypatch.setattr(journal.entries_backwards, "__defaults__", (3,))
    load_hostile(client)
    before = documents_of(client)
    news: list[Progress] = []
    with open_like(client) as driver:
        documents = driver.run(run(new_context(), station_plan(), options())).documents
        entries = client.xlen(KEYS.journal)
        stop = Monitor(progress=news.append, stop_requested=lambda: len(news) == 2)
        assert driver.run(rollback(new_context(monitor=stop))).stopped == "interrupted"
        saved = driver.run(load_checkpoint(KEYS))
        assert saved is not None
        assert (saved.stage, saved.done, saved.total) == (Stage.REPLAY, news[1].done, entries)
        assert 0 < saved.done < entries

        sweep = Monitor(progress=news.append, stop_requested=lambda: news[-1].stage != "undoing")
        assert driver.run(rollback(new_context(monitor=sweep), batch_documents=40)).stopped == "interrupted"
        undone = [item.done for item in news if item.stage == "undoing"]
        assert undone == sorted(set(undone))
        assert undone[-1] == entries
        saved = driver.run(load_checkpoint(KEYS))
        assert saved is not None
        assert (saved.stage, saved.total) == (Stage.SWEEP, documents)
        assert 0 < saved.done < documents
        assert driver.run(rollback(new_context())).stopped is None
    assert difference(before, documents_of(client)) == []


def test_numbers_of_before_are_found_also_behind_a_rollback_that_began_without_them(
    client: redis.Redis, url: str
) -> None:
    for number in range(300):
        at = "1672531200.5" if number % 2 else "2023-01-01T00:00:00.500000"
        client.hset(f"station:visit:{number}", "arrived_at", at)
    news: list[Progress] = []
    with open_like(client) as driver:
        assert driver.run(run(new_context(), station_plan(), options())).already_converted == 150
        halfway = Monitor(progress=news.append, stop_requested=lambda: news[-1].stage != "undoing")
        begun = driver.run(rollback(new_context(monitor=halfway), batch_documents=40))
        assert (begun.stopped, begun.reformatted) == ("interrupted", 0)
        assert begun.numbers_before > 0
        done = driver.run(rollback(new_context(), numbers_of_before_too=True, batch_documents=40))
        assert (done.stopped, done.reformatted, done.numbers_before) == (None, 150, 0)
    values = {client.hget(f"station:visit:{number}", "arrived_at") for number in range(300)}
    assert values == {b"2023-01-01T00:00:00.500000"}
