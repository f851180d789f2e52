"""A program that ends at any request, in any way, and is started again: the end is the same as without.

Every request of a run and of a rollback is a place to crash, in four ways. `make soak` takes all of them. `make test`
takes a sample, another one each time: each script at least once in each test, in another way in each failure mode, and
a part of the other kinds of request.
"""

import os
import random
from collections import Counter
from contextlib import suppress

import pytest
import redis

from redstart.demo.dirty_values import DIRTY_CLASSES
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.effects import Op
from redstart.errors import RollbackInProgressError
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.data.undo_log import entries_backwards
from redstart.migrations.data.unrestored import all_unrestored
from redstart.migrations.failure import Failure
from redstart.server.clients import open_like
from redstart.values.types import Storage
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import (
    KEYS,
    TEXT,
    State,
    documents_of,
    hostile_sample,
    load_hostile,
    new_context,
    options,
    own_keys,
    small_pieces,
    state_of,
    station_plan,
)
from tests.support.replies import send
from tests.support.snapshot import Snapshot, difference
from tests.support.soak import SOAK

SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))

Point = tuple[int, CrashKind]

# `fail` ends early by itself, and `skip` writes what `log_and_skip` writes.
MODES = [FailureMode.LOG_AND_SKIP, FailureMode.DEFAULT, FailureMode.QUARANTINE]


def crash_points(names: list[str], *, part: int = 0, parts: int = 1) -> list[Point]:
    """Return where to crash an operation that sends these requests; the seed is printed for a repetition.

    Args:
        names: of the requests.
        part: the number of this part of a sample.
        parts: among how many the sample is divided: each takes every script, in a way of its own, and its share of the
            other requests.
    """
    print(f"REDSTART_SEED={SEED}")
    if SOAK:
        return [(at, kind) for at in range(len(names)) for kind in CrashKind]
    rng = random.Random(SEED)
    kinds = list(CrashKind)
    points: list[Point] = []
    for number, name in enumerate(sorted(set(names))):
        places = [at for at, other in enumerate(names) if other == name]
        kind = kinds[(rng.randrange(len(kinds)) + part) % len(kinds)]
        at = rng.choice(places)
        if name.startswith("EVAL") or number % parts == part:
            points.append((at, kind))
    return points


def kinds_of(points: list[Point], names: list[str]) -> set[str]:
    """Return the kinds of request at these points, and assert that every script is among them."""
    found = {names[at] for at, _ in points}
    assert found >= {name for name in names if name.startswith("EVAL")}
    return found


def migrate(mode: FailureMode) -> Op[RunResult]:
    """A run of a new program."""
    return run(new_context(), station_plan(), options(mode))


def undo() -> Op[DataRollbackResult]:
    """A rollback of a new program."""
    return rollback(new_context(), batch_documents=40)


class Trial:
    """Crashes operations against one server, and knows at which requests it did."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.crashed: set[str] = set()

    def whole(self, operation: Op[object]) -> list[str]:
        """Perform an operation undisturbed; the names of its requests."""
        with CrashDriver(self._url) as driver:
            driver.run(operation)
            return driver.names

    def crash(self, operation: Op[object], point: Point) -> bool:
        """Perform an operation up to where it goes wrong. Whether it went on from there to its end."""
        at, kind = point
        survived = False
        with CrashDriver(self._url, at=at, kind=kind) as driver:
            with suppress(Crash):
                driver.run(operation)
                survived = True
            assert driver.crashed is not None, f"the operation ended before its request {at}"
            self.crashed.add(driver.crashed)
        assert survived == (kind is CrashKind.LOST_REPLY)
        return survived


@pytest.fixture
def trial(url: str, monkeypatch: pytest.MonkeyPatch) -> Trial:
    small_pieces(monkeypatch)
    return Trial(url)


def check(before: Snapshot, client: redis.Redis, point: Point, name: str) -> None:
    lines = difference(before, documents_of(client))
    assert not lines, f"{name}, request {point[0]}, {point[1]}: {lines[:5]}"


@pytest.mark.sample(1)
@pytest.mark.soak
@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_crashes_anywhere_ends_as_if_it_had_not(
    client: redis.Redis, trial: Trial, mode: FailureMode
) -> None:
    load_hostile(client)
    start = documents_of(client)
    names = trial.whole(migrate(mode))
    end = state_of(client)
    points = crash_points(names, part=MODES.index(mode), parts=len(MODES))
    for point in points:
        load_hostile(client)
        survived = trial.crash(migrate(mode), point)
        if not survived and not _was_done(point, names):
            trial.whole(migrate(mode))
        _check_state(end, state_of(client), point, names)
        trial.whole(undo())
        check(start, client, point, names[point[0]])
        assert own_keys(client) == []
    assert trial.crashed == kinds_of(points, names)


def _was_done(point: Point, names: list[str]) -> bool:
    """Whether the program had written everything; another run would start with an empty list of failures."""
    at, kind = point
    mark = names.index("EVALSHA commit HSET+SADD+HDEL+REMOVE+HDEL")
    return at > mark or (at == mark and kind is not CrashKind.BEFORE)


def _check_state(end: State, found: State, point: Point, names: list[str]) -> None:
    where = f"{names[point[0]]}, request {point[0]}, {point[1]}"
    lines = difference(end.documents, found.documents)
    assert not lines, f"{where}: {lines[:5]}"
    assert found.failures == end.failures, where
    assert (found.converted, found.lossy) == (end.converted, end.lossy), where


@pytest.mark.soak
@pytest.mark.parametrize("mode", [FailureMode.LOG_AND_SKIP, *([FailureMode.QUARANTINE] if SOAK else [])])
def test_a_run_that_crashed_anywhere_is_undone_to_the_byte(
    client: redis.Redis, trial: Trial, mode: FailureMode
) -> None:
    load_hostile(client)
    start = documents_of(client)
    names = trial.whole(migrate(mode))
    points = crash_points(names, part=1, parts=2)
    for point in points:
        load_hostile(client)
        trial.crash(migrate(mode), point)
        trial.whole(undo())
        check(start, client, point, names[point[0]])
    assert trial.crashed == kinds_of(points, names)


@pytest.mark.soak
@pytest.mark.parametrize("mode", [FailureMode.QUARANTINE, *([FailureMode.DEFAULT] if SOAK else [])])
def test_a_rollback_that_crashes_anywhere_ends_as_if_it_had_not(
    client: redis.Redis, trial: Trial, mode: FailureMode
) -> None:
    load_hostile(client)
    start = documents_of(client)
    trial.whole(migrate(mode))
    changed = live_on(client)
    names = trial.whole(undo())
    end, kept = documents_of(client), originals_kept(client)
    assert kept
    others = [line for line in difference(start, end) if not line.startswith(changed)]
    assert not others, others[:5]
    points = crash_points(names, part=SEED % 2, parts=2)
    for point in points:
        load_hostile(client)
        trial.whole(migrate(mode))
        live_on(client)
        trial.crash(undo(), point)
        trial.whole(undo())
        check(end, client, point, names[point[0]])
        assert originals_kept(client) == kept
        # Only when the crash came after the very last write is there nothing left to undo, nor to clean up.
        assert set(own_keys(client)) <= {
            KEYS.lease.fence.encode(),
            KEYS.lease.lease.encode(),
            KEYS.unrestored.encode(),
            KEYS.record.encode(),
        }
    assert trial.crashed == kinds_of(points, names)


def originals_kept(client: redis.Redis) -> list[Failure]:
    """What a rollback has kept of the undo log."""
    with open_like(client) as driver:
        return [failure for one in driver.run(all_unrestored(KEYS)) for failure in one.failures()]


def live_on(client: redis.Redis) -> tuple[str, ...]:
    """What users do between a run and its rollback, by new applications. Returns the keys they touch."""
    ringer, visit, sighting = (
        RINGER_PREFIX + "later",
        VISIT_PREFIX + "hard-expiring",
        SIGHTING_PREFIX + "hard-",
    )
    send(
        client,
        [
            ("HSET", ringer, "born_on", "86400.0", "licensed_at", "1600000000.25"),
            ("HSET", visit, "arrived_at", "1600000001.5"),
            ("JSON.ARRINSERT", sighting + "numbers", "$.resighted_at", 0, "1600000002.5", f'"{TEXT}"'),
            ("JSON.ARRPOP", sighting + "many", "$.measurements", 0),
            ("JSON.SET", sighting + "large", "$.ringed_at", "1600000003.5"),
            ("JSON.SET", sighting + "odd-keys", "$.last_seen_by_place.new", "1600000004.5"),
            ("DEL", VISIT_PREFIX + "hard-numbers", SIGHTING_PREFIX + "hard-two-bad"),
            ("JSON.SET", sighting + "later", "$", '{"resighted_at":[1600000005.5,1e300],"ringed_at":0}'),
        ],
    )
    touched = ("numbers", "many", "large", "odd-keys", "two-bad", "later")
    return (ringer, visit, VISIT_PREFIX + "hard-numbers", *(sighting + name for name in touched))


@pytest.mark.soak
def test_nothing_but_the_rollback_goes_on_once_it_has_begun(client: redis.Redis, trial: Trial) -> None:
    load_hostile(client)
    trial.whole(migrate(FailureMode.LOG_AND_SKIP))
    names = trial.whole(undo())
    first_write = names.index("EVALSHA apply undo")
    places = range(first_write, len(names) - 2)  # without removing the undo log, the end
    kinds = list({names[at]: at for at in places}.values())
    for at in places if SOAK else kinds[SEED % 2 :: 2]:
        load_hostile(client)
        trial.whole(migrate(FailureMode.LOG_AND_SKIP))
        trial.crash(undo(), (at, CrashKind.BEFORE))
        before = documents_of(client)
        with pytest.raises(RollbackInProgressError, match="rollback 001_datetime"):
            trial.whole(migrate(FailureMode.LOG_AND_SKIP))
        assert difference(before, documents_of(client)) == []


def test_what_is_crashed_is_hard_enough(client: redis.Redis, url: str, trial: Trial) -> None:
    """At least 3 chunks of each storage, 2 pages of a scan, every dirty class."""
    load_hostile(client)
    names = trial.whole(migrate(FailureMode.LOG_AND_SKIP))
    assert names.count("SCAN") >= 2 * 3  # the census, and two passes
    chunks: Counter[Storage] = Counter()
    with CrashDriver(url) as driver:
        entries = driver.run(entries_backwards(KEYS, None, count=1_000))
    for entry in entries:
        chunks.update({Storage.JSON if document.json else Storage.HASH for document in entry.documents})
    assert min(chunks[Storage.HASH], chunks[Storage.JSON]) >= 3
    classes = {name for document in hostile_sample() for name in document.dirty.values()}
    assert classes == {one.name for one in DIRTY_CLASSES}
