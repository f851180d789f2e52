"""Real ends: programs killed by SIGKILL, and servers that are restarted or killed under a program."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.effects import Op
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.lease_state import is_gone
from tests.support.crash_driver import CrashDriver
from tests.support.migration import (
    KEYS,
    REPOSITORY,
    documents_of,
    hard_documents,
    new_context,
    options,
    own_keys,
    small_pieces,
    station_plan,
)
from tests.support.replies import replies, send
from tests.support.sample import load_sample
from tests.support.servers import Server
from tests.support.snapshot import Entry, Snapshot, difference
from tests.support.soak import SOAK
from tests.support.stepping import instead_of_waiting

SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))
KILLS = 30 if SOAK else 2

PROGRAM_DOCUMENTS = 2_000 if SOAK else 1_000
"""Enough to keep a program busy for longer than it takes to kill it."""
SERVER_DOCUMENTS = 400 if SOAK else 200
MODE = FailureMode.QUARANTINE
LOOK_AGAIN_SECONDS = 0.001
"""How long to wait before the next look whether the moment has come: both run on the cores of the program."""


@pytest.fixture
def rng() -> random.Random:
    print(f"REDSTART_SEED={SEED}")
    return random.Random(SEED)


def migrate() -> Op[Any]:
    return run(new_context(), station_plan(), options(MODE))


def undo() -> Op[Any]:
    return rollback(new_context(), batch_documents=40)


@dataclass(frozen=True)
class Ends:
    """The documents before a run and after it."""

    start: Snapshot
    converted: Snapshot

    def still(self, client: redis.Redis, state: Snapshot) -> list[bytes]:
        """The documents that a run changes and that are now as in `state`, the one or the other."""
        now = documents_of(client)
        return [
            key for key in self.start if self.start[key] != self.converted[key] and now[key] == state[key]
        ]


def load(client: redis.Redis, documents: int) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    load_sample(client, documents, dirty_share=0.2)
    send(client, hard_documents())


def ends_of(url: str, documents: int) -> Ends:
    """How these documents end undisturbed."""
    with redis.Redis.from_url(url) as client, CrashDriver(url) as driver:
        load(client, documents)
        start = documents_of(client)
        driver.run(migrate())
        converted = documents_of(client)
        driver.run(undo())
        assert difference(start, documents_of(client)) == []
        return Ends(start, converted)


def changes(client: redis.Redis, key: bytes, entry: Entry) -> Callable[[], bool]:
    """Return whether a document has changed."""
    command = ("JSON.GET", key) if isinstance(entry.content, bytes) else ("HGETALL", key)

    def changed() -> bool:
        (reply,) = replies(client, [command])
        content = dict(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else reply
        return bool(content != entry.content)

    return changed


# Programs


def start_program(url: str, operation: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.migration_program", url, operation],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def kill_when(program: subprocess.Popen[bytes], moment: Callable[[], bool]) -> None:
    while program.poll() is None and not moment():
        time.sleep(LOOK_AGAIN_SECONDS)
    program.send_signal(signal.SIGKILL)
    assert program.wait() in (0, -signal.SIGKILL)


def waited() -> None:
    pytest.fail("it waits for a program that is gone")


@pytest.mark.soak
def test_programs_killed_at_random_moments_are_resumed_by_others(
    client: redis.Redis, url: str, rng: random.Random
) -> None:
    ends = ends_of(url, PROGRAM_DOCUMENTS)
    killed = landed = 0
    # A kill may come too early or too late; of a few kills, chance alone may let half of them.
    while landed < KILLS or landed <= killed / 2 < KILLS * 2:
        for operation, of, to in (
            ("run", ends.start, ends.converted),
            ("rollback", ends.converted, ends.start),
        ):
            for _ in range(3 if SOAK else 2):  # each after the first goes on where the one before was killed
                waiting = ends.still(client, of)
                if not waiting:
                    break
                key = rng.choice(waiting)
                program = start_program(url, operation)
                kill_when(program, changes(client, key, of[key]))
                killed += program.returncode == -signal.SIGKILL
                landed += bool(ends.still(client, of)) and bool(ends.still(client, to))
            context = new_context(is_gone=is_gone)
            last: Op[Any] = (
                run(context, station_plan(), options(MODE)) if operation == "run" else rollback(context)
            )
            with CrashDriver(url) as driver:
                assert driver.run(instead_of_waiting(last, waited)).stopped is None
            assert difference(to, documents_of(client)) == [], f"{operation}, after {killed} kills"
    # Only a kill after the very last write leaves nothing to undo, nor to clean up.
    assert set(own_keys(client)) <= {KEYS.lease.fence.encode(), KEYS.lease.lease.encode()}
    print(f"{landed} of {killed} kills between the first and the last write")
    assert landed > killed / 2, f"{landed} of {killed}"


# Servers


@pytest.fixture(scope="module")
def ends(server: Server) -> Ends:
    return ends_of(server.url, SERVER_DOCUMENTS)


@pytest.fixture
def durable(own_server: Callable[..., EmbeddedServer]) -> EmbeddedServer:
    """A server that keeps every write it has acknowledged."""
    return own_server(append_only=True, append_sync="always")


@pytest.fixture
def durable_client(durable: EmbeddedServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(durable.url) as client:
        yield client


def restart(server: EmbeddedServer) -> None:
    server.restart()


def kill(server: EmbeddedServer) -> None:
    server.kill()
    server.start()


@pytest.mark.sample(1)
@pytest.mark.soak
@pytest.mark.parametrize("end", [restart, kill])
@pytest.mark.parametrize("operation", ["run", "rollback"])
def test_a_server_that_is_restarted_between_two_requests(
    durable: EmbeddedServer,
    durable_client: redis.Redis,
    ends: Ends,
    rng: random.Random,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[EmbeddedServer], None],
    operation: str,
) -> None:
    small_pieces(monkeypatch)  # the same requests each time
    load(durable_client, SERVER_DOCUMENTS)
    with CrashDriver(durable.url) as driver:
        driver.run(migrate())
        driver.run(undo())
        driver.names.clear()  # a server that knows the scripts is asked less often
        driver.run(migrate())
        names = driver.names.copy()
        if operation == "rollback":
            driver.run(undo())
            names = driver.names[len(names) :]
    # In the middle of the first scan (a run's is the census), and anywhere. `make test` takes one place for each
    # operation and end, so that each place meets each operation and each end.
    scans = [at for at, name in enumerate(names) if name == "SCAN"]
    anywhere = rng.sample(range(1, len(names) * 9 // 10), 12)
    one = scans[2] if (end is kill) == (operation == "run") else anywhere[0]
    for at in (scans[2], *anywhere) if SOAK else (one,):
        load(durable_client, SERVER_DOCUMENTS)
        if operation == "rollback":
            with CrashDriver(durable.url) as driver:
                driver.run(migrate())
        _disturbed(durable, operation, at, end)
        expected = ends.converted if operation == "run" else ends.start
        assert difference(expected, documents_of(durable_client)) == [], f"{operation}, request {at}"
        with CrashDriver(durable.url) as driver:
            driver.run(undo())
        assert difference(ends.start, documents_of(durable_client)) == []


def _disturbed(
    server: EmbeddedServer, operation: str, at: int, end: Callable[[EmbeddedServer], None]
) -> None:
    """An operation under which the server goes down and comes back; it goes on by itself."""
    seen = iter(range(10**9))

    def before(_: str) -> None:
        if next(seen) == at:
            end(server)

    with CrashDriver(server.url, before=before) as driver:
        result = driver.run(migrate() if operation == "run" else undo())
    assert result.stopped is None
    assert next(seen) > at


@pytest.mark.soak
@pytest.mark.parametrize("operation", ["run", "rollback"])
def test_a_server_that_is_killed_at_any_moment(
    durable: EmbeddedServer, durable_client: redis.Redis, ends: Ends, rng: random.Random, operation: str
) -> None:
    """Also within a request: executed or not, answered or not."""
    of, to = (ends.start, ends.converted) if operation == "run" else (ends.converted, ends.start)
    for _ in range(10 if SOAK else 1):
        load(durable_client, SERVER_DOCUMENTS)
        if operation == "rollback":
            with CrashDriver(durable.url) as driver:
                driver.run(migrate())
        key = rng.choice(ends.still(durable_client, of))
        moment = changes(durable_client, key, of[key])
        over = threading.Event()

        def killer(moment: Callable[[], bool] = moment, over: threading.Event = over) -> None:
            while not over.is_set() and not moment():
                time.sleep(LOOK_AGAIN_SECONDS)
            kill(durable)

        thread = threading.Thread(target=killer)
        thread.start()
        with CrashDriver(durable.url) as driver:
            result = driver.run(migrate() if operation == "run" else undo())
        over.set()
        thread.join()
        assert result.stopped is None
        assert difference(to, documents_of(durable_client)) == []
