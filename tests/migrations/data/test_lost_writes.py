"""Servers that come back without their last writes, under a program that lives on or a later one."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import redis

from redstart.demo.sample import SIGHTING_PREFIX, VISIT_PREFIX
from redstart.devserver.process import EmbeddedServer
from redstart.effects import Op
from redstart.errors import MigrationError, UnsafeServerError
from redstart.migrations.data.edit_builder import FailureMode
from tests.migrations.data.runs import UNDO, migrate_all, set_json
from tests.migrations.data.runs import undo as undo_at
from tests.migrations.data.test_kill import SEED, SOAK, kill, load, migrate, undo
from tests.support.crash_driver import CrashDriver
from tests.support.migration import documents_of, own_keys, small_pieces
from tests.support.replies import Command, send
from tests.support.snapshot import difference


@pytest.mark.parametrize(
    "saved_before",
    ["EVALSHA commit SADD+COUNT", "EVALSHA commit HSET+HSET+HSET+COUNT+COUNT+COUNT+HSET+HSET+SET"],
)
def test_a_server_that_came_back_without_the_census_is_not_written_to(
    own_server: Callable[..., EmbeddedServer], saved_before: str
) -> None:
    """The last writes before a server died may be lost; a run that lives on must not trust what it did before."""
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        load(client, 50)
        send(client, [("HSET", f"{VISIT_PREFIX}number", "arrived_at", "1600000000")])
        start = documents_of(client)
        waiting = [saved_before]

        def lose_the_census(name: str) -> None:
            if name in waiting:
                waiting.clear()
                client.save()
            elif not waiting and name.startswith(("EVAL apply", "EVALSHA apply")):
                waiting.append("(done)")
                server.kill()
                server.start()

        with CrashDriver(server.url, before=lose_the_census) as driver, pytest.raises(MigrationError):
            driver.run(migrate())
        assert waiting == ["(done)"]
        assert difference(start, documents_of(client)) == []
        with CrashDriver(server.url) as driver:
            assert driver.run(migrate()).stopped is None
            driver.run(undo())
        assert difference(start, documents_of(client)) == []


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "dies_before", ["XREVRANGE", "EVALSHA commit SET+HSET", "INFO", "SCAN", "EVALSHA apply undo"]
)
def test_a_server_that_came_back_without_restored_values_is_rolled_back_completely(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch, dies_before: str
) -> None:
    """Restored values may be lost with the server; as newer values they would only be rewritten as text."""
    small_pieces(monkeypatch)
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        load(client, 50)
        start = documents_of(client)
        with CrashDriver(server.url) as driver:
            driver.run(migrate())
        saved_at, dies_at = None, None
        with CrashDriver(server.url, before=lambda _: None) as driver:
            driver.run(undo())
            undos = [at for at, name in enumerate(driver.names) if name.endswith("apply undo")]
            saved_at = undos[1]
            dies_at = max(at for at, name in enumerate(driver.names) if name == dies_before)
        assert dies_at > saved_at
        with CrashDriver(server.url) as driver:
            driver.run(migrate())
        live_on = ("HSET", f"{VISIT_PREFIX}newer", "arrived_at", "1600000000")
        send(client, [live_on])
        seen = iter(range(10**9))

        def lose_a_part(_: str) -> None:
            at = next(seen)
            if at == saved_at:
                client.save()
            elif at == dies_at:
                server.kill()
                server.start()

        with CrashDriver(server.url, before=lose_a_part) as driver, suppress(UnsafeServerError):
            driver.run(undo())
        with CrashDriver(server.url) as driver:
            driver.run(undo())
        client.delete(f"{VISIT_PREFIX}newer")
        assert difference(start, documents_of(client)) == []
        assert own_keys(client) == []


def test_a_server_that_came_back_with_a_quarantined_value_is_not_rolled_back(
    own_server: Callable[..., EmbeddedServer],
) -> None:
    """The field of a quarantined value is empty, so a sweep cannot distinguish it from a field without a value."""
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        send(client, [("HSET", f"{VISIT_PREFIX}1", "arrived_at", "?")])
        start = documents_of(client)
        with CrashDriver(server.url) as driver:
            driver.run(migrate())

        waiting = ["SCAN"]

        def lose_the_undo(name: str) -> None:
            if name.endswith("apply undo"):
                client.save()
            elif name in waiting:
                waiting.clear()
                server.kill()
                server.start()

        with CrashDriver(server.url, before=lose_the_undo) as driver, pytest.raises(UnsafeServerError):
            driver.run(undo())
        with CrashDriver(server.url) as driver:
            driver.run(undo())
        assert difference(start, documents_of(client)) == []


FIRST, SECOND, OTHER = "2023-01-01T00:00:00Z", "2023-01-01T02:00:00+02:00", "2023-05-01T00:00:00Z"
"""Two texts of one instant, and another instant: by their numbers the first two cannot be told apart."""

LIST, HASH = f"{SIGHTING_PREFIX}1", f"{VISIT_PREFIX}1"
BETWEEN_RUNS: dict[str, tuple[Command, Command]] = {
    # what stands before the first run, and what stands before the second
    "a hash field": (("HSET", HASH, "arrived_at", FIRST), ("HSET", HASH, "arrived_at", SECOND)),
    "a JSON value": (set_json(LIST, {"ringed_at": FIRST}), set_json(LIST, {"ringed_at": SECOND})),
    "a list of the same length": (
        set_json(LIST, {"resighted_at": [FIRST]}),
        set_json(LIST, {"resighted_at": [SECOND]}),
    ),
    "a longer list": (
        set_json(LIST, {"resighted_at": [FIRST]}),
        set_json(LIST, {"resighted_at": [OTHER, SECOND]}),
    ),
    "a failed item, in a list": (
        set_json(LIST, {"resighted_at": ["N/A"]}),
        set_json(LIST, {"resighted_at": [OTHER, "?"]}),
    ),
    "a failed value": (("HSET", HASH, "arrived_at", "N/A"), ("HSET", HASH, "arrived_at", "?")),
}


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "case",
    [
        case if case in ("a hash field", "a longer list") else pytest.param(case, marks=pytest.mark.soak)
        for case in BETWEEN_RUNS
    ],
)
def test_an_entry_is_not_undone_on_a_server_that_lost_the_undo_of_a_later_one(
    own_server: Callable[..., EmbeddedServer], case: str
) -> None:
    """The number that a later run wrote would be taken for that of an earlier one, and get its text."""
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        reached, dies_at = True, 0
        while reached:
            dies_at += 1
            client.flushall()
            for command in BETWEEN_RUNS[case]:
                send(client, [command])
                expected = documents_of(client)
                migrate_all(server.url, FailureMode.DEFAULT)
            reached = _undo_and_lose(server, client, dies_at)
            assert difference(expected, documents_of(client)) == [], dies_at
        assert dies_at > 3


def _undo_and_lose(server: EmbeddedServer, client: redis.Redis, dies_at: int) -> bool:
    """Roll back on a server that loses the undo of the last entry some requests later.

    Returns:
        Whether that was before the whole log is replayed.
    """
    seen: list[str] = []
    reached: list[str] = []

    def lose_the_later_undo(name: str) -> None:
        if not seen and name in UNDO:
            client.save()
        elif not seen:
            return
        seen.append(name)
        if len(seen) == dies_at + 1 and "EVALSHA release" not in seen and "SCAN" not in seen:
            reached.append(name)
            server.kill()
            server.start()

    with suppress(UnsafeServerError):
        undo_at(server.url, before=lose_the_later_undo)
    undo_at(server.url)
    return bool(reached)


@pytest.mark.soak
@pytest.mark.parametrize("operation", [migrate, undo])
def test_a_server_that_loses_its_last_writes_at_any_moment(
    own_server: Callable[..., EmbeddedServer],
    monkeypatch: pytest.MonkeyPatch,
    operation: Callable[[], Op[Any]],
) -> None:
    """It comes back in its state of some requests before. What the program cannot repair, the next one repairs."""
    small_pieces(monkeypatch)
    print(f"REDSTART_SEED={SEED}")
    rng = random.Random(SEED)
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        load(client, 50)
        start = documents_of(client)
        with CrashDriver(server.url) as driver:
            driver.run(migrate())
            converted = documents_of(client)
            run_requests = len(driver.names)
            driver.run(undo())
            requests = run_requests if operation is migrate else len(driver.names) - run_requests
        for _ in range(30 if SOAK else 3):
            if operation is undo:
                with CrashDriver(server.url) as driver:
                    driver.run(migrate())
            saved_at, dies_at = sorted(rng.sample(range(2, requests - 1), 2))
            seen = iter(range(10**9))

            def lose_the_last(
                _: str, saved_at: int = saved_at, dies_at: int = dies_at, seen: Any = seen
            ) -> None:
                at = next(seen)
                if at == saved_at:
                    client.save()
                elif at == dies_at:
                    kill(server)

            with CrashDriver(server.url, before=lose_the_last) as driver, suppress(MigrationError):
                driver.run(operation())
            with CrashDriver(server.url) as driver:
                driver.run(operation())
            expected = converted if operation is migrate else start
            assert difference(expected, documents_of(client)) == [], (saved_at, dies_at)
            if operation is migrate:
                with CrashDriver(server.url) as driver:
                    driver.run(undo())
                assert difference(start, documents_of(client)) == [], (saved_at, dies_at)
