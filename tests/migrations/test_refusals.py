"""A server that refuses writes in the middle of a run: the run ends, says why and what is next, and can be resumed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.errors import CommandError, MigrationError, RedstartError
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.server import protocol
from redstart.server.clients import open_sync
from tests.support.crash_driver import CrashDriver
from tests.support.migration import load_hostile, new_context, station_plan
from tests.support.processes import wait_until
from tests.support.snapshot import difference, snapshot

Change = Callable[[redis.Redis], object]


def save_fails(client: redis.Redis) -> None:
    """The folder of the RDB file goes; a save fails, and from then on all writes are refused."""
    folder = Path(client.config_get("dir")["dir"]) / "gone"
    folder.mkdir()
    client.config_set("dir", str(folder))
    client.config_set("save", "3600 1")
    folder.rmdir()
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the save to fail")


REFUSALS: dict[str, tuple[Change, Change, str]] = {
    "OOM": (
        lambda client: client.config_set("maxmemory", 1),
        lambda client: client.config_set("maxmemory", 0),
        "CONFIG SET maxmemory",
    ),
    "MISCONF": (
        save_fails,
        lambda client: client.config_set("save", ""),
        "redis-cli INFO persistence",
    ),
    "NOREPLICAS": (
        lambda client: client.config_set("min-replicas-to-write", 1),
        lambda client: client.config_set("min-replicas-to-write", 0),
        "redis-cli INFO replication",
    ),
    "READONLY": (
        lambda client: client.replicaof("127.0.0.1", 1),
        lambda client: client.replicaof("NO", "ONE"),
        "--url redis://127.0.0.1:1",
    ),
}
"""By code: what makes a server refuse, what ends that, and what is to be read in the hint."""


@pytest.mark.sample(2)
@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_in_the_middle_is_named_and_the_run_is_resumed(
    own_server: Callable[..., EmbeddedServer], code: str
) -> None:
    refuse, allow, hint = REFUSALS[code]
    server = own_server(extra_arguments=("--enable-protected-configs", "yes"))
    with redis.Redis.from_url(server.url) as client:
        load_hostile(client)
        before = snapshot(client)
        scripts = 0

        def change(name: str) -> None:
            nonlocal scripts
            scripts += "apply" in name
            if scripts == 3:
                scripts += 1
                refuse(client)

        error: RedstartError
        with CrashDriver(server.url, before=change) as driver, pytest.raises(RedstartError) as caught:
            driver.run(run(new_context(), station_plan(), RunOptions(batch_documents=20)))
        error = caught.value
        assert isinstance(error, MigrationError) or (isinstance(error, CommandError) and error.code == code)
        assert hint in str(error.hint)
        allow(client)
        with open_sync(server.url) as driver:
            result = driver.run(run(new_context(), station_plan(), RunOptions(batch_documents=20)))
            assert (result.stopped, result.resumed) == (None, True)
            driver.run(rollback(new_context()))
        assert difference(before, snapshot(client)) == []


@contextmanager
def busy_for(url: str, seconds: float) -> Iterator[None]:
    """Another client's script runs, and the server answers everybody else with BUSY."""
    with redis.Redis.from_url(url) as other, redis.Redis.from_url(url) as watcher:
        watcher.config_set("busy-reply-threshold", 10)

        def loop() -> None:
            with pytest.raises(redis.ResponseError):
                other.eval("while true do end", 0)

        running = threading.Thread(target=loop)
        running.start()
        time.sleep(0.1)
        ending = threading.Timer(seconds, watcher.script_kill)
        ending.start()
        try:
            yield
        finally:
            running.join()
            ending.join()


def test_a_busy_server_is_waited_for(own_server: Callable[..., EmbeddedServer]) -> None:
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        load_hostile(client)
    with open_sync(server.url) as driver, busy_for(server.url, 0.5):
        assert driver.run(run(new_context(), station_plan(), RunOptions())).stopped is None


def test_a_server_that_stays_busy_is_named(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0, 0.0))
    server = own_server()
    with open_sync(server.url) as driver, busy_for(server.url, 0.5), pytest.raises(CommandError) as caught:
        driver.run(run(new_context(), station_plan(), RunOptions()))
    assert caught.value.code == "BUSY"
    assert "redis-cli SCRIPT KILL" in str(caught.value.hint)
