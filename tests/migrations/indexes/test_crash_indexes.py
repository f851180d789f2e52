"""An index migration that crashes at any request: queries find every document, and a repetition completes it.

Every request of each step is a place to crash, in four ways. `make test` takes a sample of them, but each kind of
request at least once, and each change of an index in two ways; `make soak` takes all.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
import redis

from redstart.demo.load import load_batches
from redstart.demo.models import Sighting, Visit
from redstart.demo.sample import RINGER_PREFIX, generate
from redstart.effects import Op
from redstart.mapping.model_info import declare
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.indexes import migrator
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.state import RECORDS, hash_key, schema_key
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.search.schema import create_arguments, schema_hash, schema_text
from tests.migrations.indexes.conftest import (
    before_1_0,
    drop_all,
    is_converted,
    migration,
    nobody_waits,
    perform,
    serving,
    total,
    wait_until_built,
)
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import new_context, station_plan
from tests.support.replies import send
from tests.support.soak import SOAK

SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))

MODELS = (Visit, Sighting)
"""One of hashes, one of JSON."""

PLANNED = planned_indexes(map(declare, MODELS))
NAMES = [one.name for one in PLANNED]
PREFIXES = {one.key_prefix for one in PLANNED}
DOCUMENTS = 30

Point = tuple[int, CrashKind]


@dataclass(frozen=True)
class Step:
    """A step of an index migration.

    Attributes:
        before: the steps before it.
        operation: the step, in a new process.
    """

    name: str
    before: Callable[[str], None]
    operation: Callable[[], Op[object]]


def forward(converted: bool) -> Op[object]:
    return migration().run(PLANNED, is_converted(PREFIXES if converted else ()), ExpansionOptions())


def _expanded(url: str) -> None:
    perform(url, forward(converted=False))


def _converted(url: str) -> None:
    _expanded(url)
    assert perform(url, run(new_context(), station_plan(*MODELS), RunOptions())).stopped is None


def _cut_over(url: str) -> None:
    _converted(url)
    perform(url, forward(converted=True))


def _stepped_back(url: str) -> None:
    _cut_over(url)
    perform(url, migration().before_undo(NAMES))
    assert perform(url, rollback(new_context())).stopped is None


STEPS = [
    Step("expand", lambda url: None, lambda: forward(converted=False)),
    Step("cut over", _converted, lambda: forward(converted=True)),
    Step("clean up", _cut_over, lambda: migration().cleanup()),
    Step("before the undo", _cut_over, lambda: migration().before_undo(NAMES)),
    Step("after the undo", _stepped_back, lambda: migration().after_undo(NAMES)),
]

CASES = [
    pytest.param(step, filters, id=f"{step.name}, {'tolerant' if filters else 'bridge'}")
    for step in STEPS
    for filters in (True, False)
    if SOAK or filters or step.name in ("expand", "before the undo")  # the other steps do not use them
]


@dataclass(frozen=True)
class End:
    """The state after a step, which must not depend on how often it was interrupted."""

    active: dict[str, str]
    indexes: set[bytes]
    records: object
    kept: list[bytes | None]


def end_of(client: redis.Redis) -> End:
    return End(
        {name: serving(client, name) for name in NAMES},
        set(client.execute_command("FT._LIST")),
        client.hgetall(RECORDS),
        [client.get(key(name)) for name in NAMES for key in (hash_key, schema_key)],
    )


@pytest.fixture
def station(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """A client; leases of crashed processes are acquired at once, without pauses."""
    nobody_waits(monkeypatch)
    yield client
    drop_all(client)


def begin(client: redis.Redis) -> None:
    """Write documents and indexes of redis-om 0.3.5."""
    drop_all(client)
    client.execute_command("FLUSHALL", "SYNC")
    client.execute_command("SCRIPT", "FLUSH", "SYNC")  # as on a server without a migration
    for commands in load_batches(generate(DOCUMENTS, dirty_share=0), field_expiries=False):
        send(client, [command for command in commands if RINGER_PREFIX not in str(command[1])])
    for model in MODELS:
        index = before_1_0(model)
        client.execute_command("FT.CREATE", *create_arguments(index))
        client.set(hash_key(index.name), schema_hash(schema_text(index)))
    wait_until_built(client, NAMES)


def stored(client: redis.Redis) -> dict[str, int]:
    kinds = {
        one.name: (one.key_prefix, "ReJSON-RL" if one.model.endswith("Sighting") else "hash")
        for one in PLANNED
    }
    return {
        name: sum(1 for _ in client.scan_iter(f"{prefix}*", 1_000, _type=kind))
        for name, (prefix, kind) in kinds.items()
    }


def crash_points(names: list[str]) -> list[Point]:
    """Return where to crash a step that sends these requests; print the seed for a repetition."""
    print(f"REDSTART_SEED={SEED}")
    if SOAK:
        return [(at, kind) for at in range(len(names)) for kind in CrashKind]
    rng = random.Random(SEED)
    points: list[Point] = []
    for name in sorted(set(names)):
        places = [at for at, other in enumerate(names) if other == name]
        changes = name.startswith(("EVALSHA swap", "EVALSHA drop", "EVALSHA remove_alias", "FT.CREATE"))
        kinds = rng.sample(list(CrashKind), 2 if changes else 1)
        points += [(rng.choice(places), kind) for kind in kinds]
    return points


def crash(client: redis.Redis, url: str, operation: Op[object], point: Point) -> str:
    """Perform a step up to the request at which it crashes; return the name of that request."""
    at, kind = point
    survived = False
    with CrashDriver(url, at=at, kind=kind, before=lambda _: settle(client)) as driver:
        with suppress(Crash):
            driver.run(operation)
            survived = True
        assert driver.crashed is not None, f"the step ended before its request {at}"
    assert survived == (kind is CrashKind.LOST_REPLY)
    return driver.crashed


def settle(client: redis.Redis) -> None:
    """Wait until nothing is being built, so that a step sends the same requests each time."""
    wait_until_built(client, [name.decode() for name in client.execute_command("FT._LIST")])


def check_all_found(client: redis.Redis, expected: dict[str, int], where: object) -> None:
    """Assert that every name points to an index that contains every document."""
    assert {name: total(client, name) for name in NAMES} == expected, where


@pytest.mark.sample(1)
@pytest.mark.soak
@pytest.mark.parametrize(("step", "filters"), CASES)
def test_a_step_that_crashes_anywhere_ends_as_if_it_had_not(
    station: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, step: Step, filters: bool
) -> None:
    if not filters:
        monkeypatch.setattr(migrator, "supports_path_filters", _no)
    begin(station)
    expected = stored(station)
    assert min(expected.values()) > 0
    step.before(url)

    def look(request: str) -> None:
        settle(station)
        check_all_found(station, expected, f"before {request}")

    with CrashDriver(url, before=look) as driver:
        driver.run(step.operation())
    names, end = driver.names, end_of(station)
    check_all_found(station, expected, "at the end")
    crashed = set()
    for point in crash_points(names):
        where = f"{names[point[0]]}, request {point[0]}, {point[1]}"
        begin(station)
        step.before(url)
        crashed.add(crash(station, url, step.operation(), point))
        check_all_found(station, expected, where)
        taken = [
            one
            for one in perform(url, index_statuses(PLANNED))
            if one.active is ActiveIndex.REPLACED_EXTERNALLY
        ]
        assert not taken, f"{where}: reported as replaced externally"
        perform(url, step.operation())
        check_all_found(station, expected, where)
        assert end_of(station) == end, where
    assert crashed == set(names)


def _no(_: bool) -> Op[bool]:
    yield from ()
    return False
