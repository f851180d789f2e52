"""The primary fails during a run or a rollback, and its replica takes over, with or without the last writes.

A command either goes on and ends as if nothing had happened, or says what was lost; then the same command finishes.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.server import protocol
from tests.cli.conftest import MODELS
from tests.migrations.indexes.conftest import make_legacy_indexes
from tests.support.cli import run_om
from tests.support.during import om_during
from tests.support.migration import small_pieces
from tests.support.processes import wait_until
from tests.support.proxy import CHUNK_BYTES, Proxy
from tests.support.sample import load_sample
from tests.support.servers import free_port
from tests.support.snapshot import STATE_PREFIXES, Snapshot, difference, snapshot

RUN = ("migrate-data", "run", "--batch-size", "10", "--failure-mode", "quarantine")
ROLLBACK = ("migrate-data", "rollback", ID, "--batch-size", "10")
LAG = 12
"""Requests whose writes the replica lacks."""


class Address(Proxy):
    """One address for two servers, as a virtual IP or a service name has it."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: list[socket.socket] = []
        super().__init__()

    def serve(self, client: socket.socket) -> None:
        """Pass on until either side ends it."""
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            self._open += [client, server]
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            while data := client.recv(CHUNK_BYTES):
                server.sendall(data)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK_BYTES):
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def move_to(self, port: int) -> None:
        """Name the other server, and break all connections."""
        self._target = port
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()


class Pair:
    """A primary and its replica behind one address."""

    def __init__(self, servers: list[EmbeddedServer], address: Address) -> None:
        self.ports = [int(server.url.rpartition(":")[2]) for server in servers]
        self.primary, self.replica = (redis.Redis.from_url(server.url) for server in servers)
        self.address = address

    def is_caught_up(self) -> bool:
        """Whether the replica has every write."""
        facts = self.primary.info("replication")
        return facts.get("slave0", {}).get("offset") == facts["master_repl_offset"]

    def attach(self) -> None:
        self.replica.replicaof("127.0.0.1", self.ports[0])
        wait_until(self.is_caught_up, "the replica to have every write")

    def detach(self) -> None:
        """From now on writes are lost at the failover."""
        wait_until(self.is_caught_up, "the replica to have every write")
        self.replica.replicaof("NO", "ONE")

    def fail_over(self) -> None:
        self.address.move_to(self.ports[1])


@pytest.fixture
def pair(own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    at_once = ("--repl-diskless-sync-delay", "0")
    servers = [own_server(port=free_port(), extra_arguments=at_once) for _ in range(2)]
    small_pieces(monkeypatch)
    monkeypatch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0, 0.05))
    monkeypatch.setenv("REDSTART_MODELS", MODELS)
    with Address(int(servers[0].url.rpartition(":")[2])) as address:
        monkeypatch.setenv("REDIS_OM_URL", f"redis://127.0.0.1:{address.port}")
        pair = Pair(servers, address)
        load_sample(pair.primary, 20)
        make_legacy_indexes(pair.primary)
        yield pair
        pair.primary.close()
        pair.replica.close()


def documents(client: redis.Redis) -> Snapshot:
    return snapshot(client, exclude_prefixes=STATE_PREFIXES)


def finish(words: tuple[str, ...]) -> None:
    for _ in range(3):
        if run_om(*words).code == 0:
            return
    raise AssertionError(run_om(*words).text)


def docs_of_indexes(client: redis.Redis) -> list[int]:
    found = []
    for name in sorted(client.execute_command("FT._LIST")):
        info = client.execute_command("FT.INFO", name)
        fields = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
        found.append(int(fields[b"num_docs"]))
    return found


POINTS = [
    (RUN, "EVALSHA apply", 3, 0),
    (RUN, "EVALSHA apply", 3, LAG),
    (RUN, "EVALSHA swap", 2, LAG),
    (ROLLBACK, "EVALSHA apply", 5, LAG),
    (ROLLBACK, "EVALSHA commit SET+REMOVE+HDEL", 2, 6),
    (ROLLBACK, "EVALSHA drop", 3, LAG),
]
"""The command, the request before which the primary fails, which of them, and how many requests the replica lags."""


@pytest.mark.sample(1)
@pytest.mark.parametrize(("words", "name", "which", "lag"), POINTS)
def test_a_failover_is_survived_or_named(
    pair: Pair, words: tuple[str, ...], name: str, which: int, lag: int
) -> None:
    before, served = documents(pair.primary), docs_of_indexes(pair.primary)
    # Once without a failure, to learn the number of the request.
    _, names = om_during(RUN, {})
    if words is ROLLBACK:
        _, names = om_during(ROLLBACK, {})
        finish(RUN)
    else:
        finish(ROLLBACK)
    at = [number for number, one in enumerate(names, 1) if one.startswith(name)][which - 1]
    pair.attach()
    ended, _ = om_during(words, {at - lag: pair.detach, at: pair.fail_over} if lag else {at: _both(pair)})
    assert ended.code in (0, 1, 4), ended.text
    assert "Traceback" not in ended.text
    if ended.code:
        assert "run the same command again" in ended.stderr.lower(), ended.stderr
    if not lag:
        assert ended.code == 0, ended.text
    # What a command that ended says is true of the server that took over.
    if words is RUN:
        finish(RUN)
        assert run_om("migrate-data", "verify", "--check-data").code == 0
    elif ended.code == 0:
        assert run_om("migrate-data", "status").stdout.startswith("Phase: pending")
        assert docs_of_indexes(pair.replica) == served
    finish(ROLLBACK)
    assert difference(before, documents(pair.replica)) == []
    assert docs_of_indexes(pair.replica) == served


def _both(pair: Pair) -> Callable[[], None]:
    def act() -> None:
        pair.detach()
        pair.fail_over()

    return act
