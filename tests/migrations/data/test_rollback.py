"""Reasons to refuse a rollback before it writes anything, and its progress."""

from contextlib import suppress

import pytest
import redis

from redstart.errors import ConfigurationError
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data import undo_log
from redstart.migrations.data.checkpoint import RunStage, load_checkpoint
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import DataRollbackResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.server.clients import open_like
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
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
        converted, undo_log = documents_of(client), client.xlen(KEYS.journal)
        with pytest.raises(ConfigurationError, match="another local time zone"):
            driver.run(rollback(new_context()))
    assert documents_of(client) == converted
    assert client.xlen(KEYS.journal) == undo_log
    assert not client.exists(KEYS.checkpoint, KEYS.lease.lease)


def test_a_stopped_rollback_reports_its_progress_and_resumes_there(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    monkeypatch.setattr(undo_log.entries_backwards, "__defaults__", (3,))
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
        assert (saved.stage, saved.done, saved.total) == (RunStage.REPLAY, news[1].done, entries)
        assert 0 < saved.done < entries

        sweep = Monitor(
            progress=news.append, stop_requested=lambda: news[-1].stage != "replaying the undo log"
        )
        assert driver.run(rollback(new_context(monitor=sweep), batch_documents=40)).stopped == "interrupted"
        undone = [item.done for item in news if item.stage == "replaying the undo log"]
        assert undone == sorted(set(undone))
        assert undone[-1] == entries
        saved = driver.run(load_checkpoint(KEYS))
        assert saved is not None
        assert (saved.stage, saved.total) == (RunStage.SWEEP, documents)
        assert 0 < saved.met < documents
        assert driver.run(rollback(new_context())).stopped is None
    assert difference(before, documents_of(client)) == []


def test_preexisting_numbers_are_found_after_a_rollback_started_without_the_option(
    client: redis.Redis, url: str
) -> None:
    for number in range(300):
        at = "1672531200.5" if number % 2 else "2023-01-01T00:00:00.500000"
        client.hset(f"station:visit:{number}", "arrived_at", at)
    news: list[Progress] = []
    with open_like(client) as driver:
        assert driver.run(run(new_context(), station_plan(), options())).already_converted == 150
        # A page may hold no documents: the server shrinks its hash table some time after a FLUSHALL.
        halfway = Monitor(
            progress=news.append,
            stop_requested=lambda: news[-1].stage == "rewriting newer values" and news[-1].done >= 40,
        )
        begun = driver.run(rollback(new_context(monitor=halfway), batch_documents=40))
        assert (begun.stopped, begun.reformatted) == ("interrupted", 0)
        assert begun.preexisting_numbers > 0
        done = driver.run(rollback(new_context(), reformat_preexisting=True, batch_documents=40))
        assert (done.stopped, done.reformatted, done.preexisting_numbers) == (None, 150, 0)
    values = {client.hget(f"station:visit:{number}", "arrived_at") for number in range(300)}
    assert values == {b"2023-01-01T00:00:00.500000"}


@pytest.mark.sample(1)
@pytest.mark.parametrize("kind", [CrashKind.LOST_REPLY, CrashKind.AFTER, CrashKind.UNANSWERED])
def test_what_is_restored_is_counted_once_whatever_is_lost(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, kind: CrashKind
) -> None:
    """Counted by the scripts themselves: a reply that is lost takes no count with it, nor does a program that dies."""
    small_pieces(monkeypatch)

    def converted() -> None:
        load_hostile(client)
        with CrashDriver(url) as driver:
            driver.run(run(new_context(), station_plan(), options(FailureMode.QUARANTINE)))
        client.hset("station:visit:later", mapping={"arrived_at": "1600000000.5", "left_at": "1600000001.5"})

    def counts(result: DataRollbackResult) -> tuple[int, int, int]:
        return result.documents, result.restored_exactly, result.reformatted

    converted()
    with CrashDriver(url) as driver:
        whole = counts(driver.run(rollback(new_context(), batch_documents=40)))
        places = [at for at, name in enumerate(driver.names) if name.endswith("apply undo")]
    assert whole[1] > 200
    assert whole[2] == 2
    for at in (places[len(places) // 2], places[-1]):
        converted()
        result = None
        with CrashDriver(url, at=at, kind=kind) as driver, suppress(Crash):
            result = driver.run(rollback(new_context(), batch_documents=40))
        if result is None:
            with CrashDriver(url) as driver:
                result = driver.run(rollback(new_context(), batch_documents=40))
        assert counts(result) == whole
