"""`back_up`: the server's data is on its disk, or an error is raised."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.errors import EmbeddedServerError, MigrationError, UnsupportedServerError
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data.backup import back_up
from redstart.server.clients import open_sync
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.processes import wait_until
from tests.support.stepping import instead_of_waiting

MICROSECONDS_PER_KEY = 2_000
KEYS = 300
"""Together more than half a second: long enough to find a save in progress."""


@pytest.fixture
def server(own_server: Callable[..., EmbeddedServer]) -> EmbeddedServer:
    """Saves slowly, and has something to save."""
    return own_server(extra_arguments=("--rdb-key-save-delay", str(MICROSECONDS_PER_KEY)))


@pytest.fixture
def client(server: EmbeddedServer) -> redis.Redis:
    client = redis.Redis.from_url(server.url)
    client.mset({f"key:{number}": number for number in range(KEYS)})
    return client


def saved(server: EmbeddedServer, meanwhile: Callable[[], None] | None = None) -> int:
    """Return the result of `back_up`; `meanwhile` is called each time it waits."""
    with open_sync(server.url) as driver:
        operation = back_up(Monitor())
        return driver.run(operation if meanwhile is None else instead_of_waiting(operation, meanwhile))


def folder_of(client: redis.Redis) -> Path:
    return Path(client.config_get("dir")["dir"])


def what_was_saved(client: redis.Redis) -> set[bytes]:
    """The keys in the file, read by another server."""
    with (
        EmbeddedServer(directory=folder_of(client) / "copy") as other,
        redis.Redis.from_url(other.url) as reader,
    ):
        return set(reader.scan_iter())


def copy_the_file(client: redis.Redis) -> None:
    copy = folder_of(client) / "copy"
    copy.mkdir()
    (copy / "dump.rdb").write_bytes((folder_of(client) / "dump.rdb").read_bytes())


def test_the_file_holds_all_and_the_time_is_the_servers(server: EmbeddedServer, client: redis.Redis) -> None:
    before = client.time()[0]
    at = saved(server)
    copy_the_file(client)
    assert before <= at <= client.time()[0]
    assert client.lastsave().timestamp() == at
    assert what_was_saved(client) == set(client.scan_iter())


def test_a_save_under_way_is_waited_for_and_another_is_made(
    server: EmbeddedServer, client: redis.Redis
) -> None:
    client.bgsave()
    client.set("written after the first began", "1")
    saved(server)
    copy_the_file(client)
    assert client.info("persistence")["rdb_saves"] == 2
    assert b"written after the first began" in what_was_saved(client)


def test_a_rewrite_of_the_append_only_file_is_waited_for(server: EmbeddedServer, client: redis.Redis) -> None:
    client.config_set("appendonly", "yes")
    assert client.info("persistence")["aof_rewrite_in_progress"]
    saved(server)
    assert client.info("persistence")["rdb_saves"] >= 1
    assert (folder_of(client) / "dump.rdb").exists()


def test_the_progress_of_the_save_is_reported(server: EmbeddedServer, client: redis.Redis) -> None:
    news: list[Progress] = []
    client.bgsave()
    with open_sync(server.url) as driver:
        driver.run(back_up(Monitor(progress=news.append)))
    assert list(dict.fromkeys(one.stage for one in news)) == ["waiting for another backup", "backup"]
    assert {one.total for one in news} == {KEYS}
    assert all(0 <= one.done <= KEYS for one in news)


def test_clients_write_during_the_save(server: EmbeddedServer, client: redis.Redis) -> None:
    written = []

    def write() -> None:
        written.append(client.incr("written meanwhile"))

    saved(server, write)
    assert len(written) > 1
    assert client.get("written meanwhile") == str(len(written)).encode()


def test_a_save_that_fails_is_an_error_and_the_next_may_succeed(
    server: EmbeddedServer, client: redis.Redis
) -> None:
    in_the_way = folder_of(client) / "dump.rdb"
    in_the_way.mkdir()
    with pytest.raises(MigrationError, match="rdb_last_bgsave_status is err"):
        saved(server)
    in_the_way.rmdir()
    assert saved(server) == client.lastsave().timestamp()
    assert in_the_way.is_file()


def test_a_save_that_something_else_ends_is_an_error_though_the_status_is_ok(
    server: EmbeddedServer, client: redis.Redis
) -> None:
    def end_the_save() -> None:
        if client.info("persistence")["rdb_bgsave_in_progress"]:
            client.flushall(asynchronous=False)

    with pytest.raises(MigrationError, match="another client ended the save"):
        saved(server, end_the_save)
    assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"


def test_a_restart_during_the_save_is_a_failure(server: EmbeddedServer, client: redis.Redis) -> None:
    def restart() -> None:
        if client.info("persistence")["rdb_bgsave_in_progress"]:
            server.kill()
            wait_until(restarted, "the child that saves to give up the directory")

    def restarted() -> bool:
        with suppress(EmbeddedServerError):
            server.restart()
        return server.is_running

    with pytest.raises(MigrationError, match="restarted during the save"):
        saved(server, restart)


def test_a_lost_reply_to_bgsave_does_not_matter(server: EmbeddedServer, client: redis.Redis) -> None:
    second_of_start = client.lastsave().timestamp()
    wait_until(lambda: client.time()[0] > second_of_start + 1, "the second after the next")
    with CrashDriver(server.url, at=2, kind=CrashKind.LOST_REPLY) as driver:
        assert driver.run(back_up(Monitor())) == client.lastsave().timestamp()
    assert driver.crashed == "BGSAVE"
    assert client.info("persistence")["rdb_saves"] == 2


@pytest.mark.parametrize("missing", ["the command", "the right"])
def test_a_server_that_does_not_save_on_command(
    own_server: Callable[..., EmbeddedServer], missing: str
) -> None:
    without = ("--rename-command", "BGSAVE", "") if missing == "the command" else ()
    server = own_server(extra_arguments=without)
    with redis.Redis.from_url(server.url) as client:
        if missing == "the right":
            client.execute_command("ACL", "SETUSER", "default", "-bgsave")
        with pytest.raises(UnsupportedServerError, match=r"(?is)bgsave.*omit --backup.*snapshot"):
            saved(server)
        assert client.info("persistence")["rdb_saves"] == 0
