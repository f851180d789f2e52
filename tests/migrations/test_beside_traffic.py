"""A migration beside an application that never stops: readers miss nothing, and at the end index and keys agree."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from redstart.demo.models import Sighting, Visit
from redstart.effects import Op
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.coordinator import migrate_back, migrate_forward
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.options import RollbackOptions
from tests.migrations.indexes.conftest import legacy, migration, perform, planned, readers
from tests.support.migration import new_context, station_plan
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy"]  # a fixture

NOW = datetime(2024, 5, 1, tzinfo=UTC)
LOOKS_EACH_PHASE = 20
UNCHANGED_FIELDS = {Visit: "@nets:[-inf +inf]", Sighting: "@wing_millimetres:[-inf +inf]"}


class Loop(threading.Thread):
    """Does something again and again until it is told to end; an error ends it, and is told of."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._over = threading.Event()
        self.times = 0
        self.error: Exception | None = None

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test has to know
                self.error = error
                return
            self.times += 1

    def end(self) -> None:
        self._over.set()
        self.join()
        assert self.error is None, self.error


def forward(monitor: Monitor) -> Op[Any]:
    return migrate_forward(
        new_context(monitor=monitor),
        station_plan(),
        RunOptions(batch_documents=20),
        planned(),
        migration(),
        ExpansionOptions(),
    )


def keys_of(client: redis.Redis, prefix: str, kind: str) -> set[bytes]:
    return set(client.scan_iter(f"{prefix}*", 1_000, _type=kind))


def indexed(client: redis.Redis, index: str) -> set[bytes]:
    reply = client.execute_command("FT.SEARCH", index, "*", "NOCONTENT", "LIMIT", 0, 100_000)
    return {one[b"id"] for one in reply[b"results"]} if isinstance(reply, dict) else set(reply[1:])


@pytest.fixture
def station(legacy: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setenv("REDIS_OM_URL", url)
    yield legacy


def pk_of(key: bytes) -> str:
    return key.decode().rpartition(":")[2]


def test_writers_deletes_and_edits(station: redis.Redis, url: str) -> None:
    """The old application writes until it is stopped in the middle; the new one, deletes and edits go on to the end."""
    rng = random.Random(3)
    visits = sorted(keys_of(station, "station:visit:", "hash"))
    sightings = sorted(keys_of(station, "station:sighting:", "ReJSON-RL"))
    doomed = visits[::3] + sightings[::3]
    edited = visits[1::3]
    number = iter(range(10**9))

    def write_new() -> None:
        n = next(number)
        Visit(visit_code=f"new-{n}", site="s", arrived_at=NOW, permit_until=NOW.date(), nets=n).save()
        Sighting(species="tit", wing_millimetres=6.0, ringed_at=NOW, capture={"net": "1"}).save()
        time.sleep(0.002)

    def write_old() -> None:
        n = next(number)
        fields = {"site": "s", "arrived_at": NOW.isoformat(), "permit_until": "2024-05-01", "nets": 1}
        station.hset(f"station:visit:old-{n}", mapping=fields | {"visit_code": f"old-{n}"})
        time.sleep(0.002)

    def delete() -> None:
        station.delete(doomed.pop(rng.randrange(len(doomed)))) if doomed else None
        time.sleep(0.002)

    def edit() -> None:
        station.hset(rng.choice(edited), "nets", rng.randrange(100))

    old = Loop(write_old)

    def stop_the_old_one(progress: Progress) -> None:
        if progress.stage == "converting" and progress.total and progress.done * 2 > progress.total:
            old.end()

    others = [Loop(write_new), Loop(delete), Loop(edit)]
    for loop in (old, *others):
        loop.start()
    time.sleep(0.05)
    found = perform(url, forward(Monitor(progress=stop_the_old_one)))
    for loop in others:
        loop.end()
    assert (found.data.stopped, {one.outcome for one in found.indexes}) == (None, {IndexOutcome.CUT_OVER})
    assert all(loop.times > LOOKS_EACH_PHASE for loop in (old, *others))
    assert indexed(station, "station:visit:index") == keys_of(station, "station:visit:", "hash")
    assert indexed(station, "station:sighting:index") == keys_of(station, "station:sighting:", "ReJSON-RL")


@pytest.mark.sample(1)
@pytest.mark.parametrize("model", [Visit, Sighting])
def test_all_finds_every_document_each_time(station: redis.Redis, url: str, model: Any) -> None:
    """By `all()` of the mapper, in every phase, there and back; and by queries on fields that do not change."""
    start = snapshot(station)
    kind = "hash" if model is Visit else "ReJSON-RL"
    expected = {pk_of(key) for key in keys_of(station, model.make_key(""), kind)}

    def look() -> None:
        found = model.find().all()
        assert len(found) == len(expected)
        assert {getattr(one, model._primary_key_name) for one in found} == expected
        assert model.find().count() == len(expected)

    reader = Loop(look)
    reader.start()

    def wait() -> None:
        goal = reader.times + LOOKS_EACH_PHASE
        while reader.times < goal and reader.error is None:
            time.sleep(0.002)

    with readers(url, station, UNCHANGED_FIELDS[model], [model]):
        wait()
        assert perform(url, forward(Monitor())).refused is False
        wait()
        assert (
            perform(url, migrate_back(new_context(), migration(), RollbackOptions(batch_size=20))).refused
            == []
        )
        wait()
    reader.end()
    assert difference(start, snapshot(station)) == []
