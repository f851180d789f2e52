"""A server that begins to refuse a run: the message names the reason and the command that resumes; it is resumed."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.migrations import lease
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.server import protocol
from tests.cli.conftest import MODELS
from tests.migrations.indexes.conftest import make_legacy_indexes
from tests.support.cli import run_om
from tests.support.during import om_during
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

RUN = ("migrate-data", "run", "--batch-size", "10", "--failure-mode", "quarantine")
ROLLBACK = ("migrate-data", "rollback", ID)

Change = Callable[[redis.Redis], Any]


def rules(*words: str) -> Change:
    return lambda client: client.execute_command("ACL", "SETUSER", "default", *words)


def take_credentials(client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "resetpass", ">secret")
    client.client_kill_filter(_type="normal", skipme=True)


def lose_primary(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", 1)
    client.config_set("replica-serve-stale-data", "no")


def become_primary(client: redis.Redis) -> None:
    client.config_set("replica-serve-stale-data", "yes")
    client.replicaof("NO", "ONE")


REFUSALS: dict[str, tuple[Change, Change, str]] = {
    "NOPERM": (rules("-evalsha", "-eval"), rules("+@all"), "Permissions"),
    "NOAUTH": (take_credentials, rules("nopass"), "redis://user:password@host:port"),
    "OOM": (lambda c: c.config_set("maxmemory", 1), lambda c: c.config_set("maxmemory", 0), "maxmemory"),
    "MASTERDOWN": (lose_primary, become_primary, "--url"),
}
"""By code: what makes the server refuse, what ends that, and what the hint says of it."""


@pytest.fixture
def server(own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch) -> EmbeddedServer:
    """A server with legacy documents and their indexes, named by the environment."""
    server = own_server()
    monkeypatch.setenv("REDIS_OM_URL", server.url)
    monkeypatch.setenv("REDSTART_MODELS", MODELS)
    with redis.Redis.from_url(server.url) as client:
        load_sample(client, 14)
        make_legacy_indexes(client)
    return server


@pytest.mark.sample(1)
@pytest.mark.parametrize("code", REFUSALS)
def test_a_run_that_is_refused_is_resumed(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0,))
    monkeypatch.setattr(lease, "LEASE_MS", 200)  # the lease of a refused run expires
    monkeypatch.setattr(lease, "_POLL_SECONDS", 0.05)
    refuse, allow, hint = REFUSALS[code]
    with redis.Redis.from_url(server.url) as client:
        before = snapshot(client, exclude_prefixes=STATE_PREFIXES)
        _, names = om_during(RUN, {})
        assert run_om(*ROLLBACK).code == 0
        for name in ("EVALSHA apply", "EVALSHA swap"):
            at = max(number for number, one in enumerate(names, 1) if one.startswith(name)) - 12
            ended, _ = om_during(RUN, {at: lambda: refuse(client)})
            allow(client)
            assert ended.code == 1, ended.text
            assert "Traceback" not in ended.text
            assert hint in ended.stderr
            assert "esume with: om migrate-data run" in ended.stderr, ended.stderr
            assert run_om(*RUN).code == 0
            assert run_om(*ROLLBACK).code == 0
            assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []


def finish(words: tuple[str, ...]) -> None:
    """Repeat a command that was never answered: then the address is more likely wrong, so `om` does not."""
    for _ in range(5):
        ended = run_om(*words)
        if ended.code == 0:
            return
        assert (ended.code, "did not reply" in ended.stderr) == (1, True), ended.text
    raise AssertionError(ended.text)


def test_connections_that_are_killed_all_the_time(server: EmbeddedServer) -> None:
    ended = threading.Event()
    with redis.Redis.from_url(server.url) as client, redis.Redis.from_url(server.url) as killer:
        before = snapshot(client, exclude_prefixes=STATE_PREFIXES)
        killer.ping()

        def kill() -> None:
            while not ended.wait(0.05):
                killer.client_kill_filter(_type="normal", skipme=True)

        killing = threading.Thread(target=kill)
        killing.start()
        try:
            finish(RUN)
            finish(ROLLBACK)
        finally:
            ended.set()
            killing.join()
        assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []
