"""A password of the server is in no output, no file, no key of the server and no exception, however it was given."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart import connections
from redstart.commands.server_info import server_time
from redstart.devserver.process import EmbeddedServer
from redstart.effects import call
from redstart.errors import RedstartError
from redstart.migrations import data_migration
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.server.clients import open_async, open_sync
from tests.support.cli import run_om
from tests.support.sample import load_sample
from tests.support.servers import require_binaries
from tests.support.snapshot import STATE_PREFIXES

PASSWORD = "S3cr/t@w0rd:#?"
QUOTED = "S3cr%2Ft%40w0rd%3A%23%3F"
PARTS = ("S3cr", "w0rd")

GOOD = (
    f"unix://:{QUOTED}@{{path}}",
    f"unix://default:{QUOTED}@{{path}}",
    f"unix://{{path}}?password={QUOTED}",
    f"unix://{{path}}?username=default&password={QUOTED}",
    f"unix://{{path}}?db=0&password={QUOTED}&protocol=3",
    f"redis://:{QUOTED}@127.0.0.1:{{port}}",
    f"redis://default:{QUOTED}@127.0.0.1:{{port}}/0",
    f"redis://127.0.0.1:{{port}}?password={QUOTED}",
    f"redis://localhost:{{port}}/0?username=default&password={QUOTED}",
)
BAD = (
    f"redis://:{PASSWORD}@127.0.0.1:{{port}}",
    "redis://:S3cr/w0rd@127.0.0.1:{port}",
    "redis://:S3cr@w0rd@127.0.0.1:{port}",
    "redis://:S3cr w0rd@127.0.0.1:{port}",
    "redis://:S3cr#w0rd@127.0.0.1:{port}",
    "redis://:S3cr?w0rd@127.0.0.1:{port}",
    "redis://:S3cr[w0rd@127.0.0.1:{port}",
    "redis://S3crw0rd@127.0.0.1:1",
    "redis://127.0.0.1:S3crw0rd",
    "redis://127.0.0.1:{port}/S3crw0rd@x",
    "REDIS://:S3crw0rd@127.0.0.1:1",
    "redis://:S3crw0rd@127.0.0.1:1?PASSWORD=S3crw0rd",
    "redis://127.0.0.1:1?Password=S3crw0rd",
    "redis://127.0.0.1:{port}?passwd=S3crw0rd",
    "redis://:S3crw0rd@127.0.0.1:{port}?protocol=9",
    "redis://:S3crw0rd@127.0.0.1:{port}?db=S3crw0rd",
    "rediss://:S3crw0rd@127.0.0.1:{port}?ssl_cert_reqs=bogus",
    "rediss://u:S3crw0rd@127.0.0.1:1",
    "rediss://127.0.0.1:1?ssl_password=S3crw0rd&ssl_keyfile=/nowhere",
    "redis:/:S3crw0rd@127.0.0.1:1",
    "redis:S3crw0rd@127.0.0.1",
    ":S3crw0rd@127.0.0.1:1",
    "S3crw0rd@127.0.0.1",
    "http://u:S3crw0rd@127.0.0.1:1",
    "redis://:S3crw0rd@127.0.0.1:{port}/0/0",
    "redis://:wrong-S3crw0rd@127.0.0.1:{port}",
    "unix://:S3crw0rd@/nowhere.sock",
    "unix:///nowhere.sock?password=S3crw0rd",
    " redis://:S3crw0rd@127.0.0.1:1",
    "redis://:S3crw0rd@[::1:1",
)
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("migrate-data", "status"),
    ("migrate-data", "stats", "-v"),
    ("migrate-data", "run", "--json"),
    ("migrate-data", "run", "--limit-documents", "5", "-v"),
    ("migrate-data", "progress"),
    ("migrate-data", "verify", "--check-data", "--json"),
    ("migrate-data", "errors"),
    ("migrate-data", "check-schema"),
    ("migrate-data", "rollback", ID),
    ("migrate-data", "rollback", "20240101_000000_mine"),
    ("migrate-data", "clear-progress", "--json"),
    ("migrate-data", "force-unlock", "--yes"),
    ("migrate-data", "drop-undo-log", ID, "--yes"),
    ("migrate", "status"),
    ("migrate", "run", "--json"),
    ("migrate", "rollback"),
    ("migrate", "cleanup"),
    ("migrate", "no-such-command"),
    ("migrate-data", "run", "--no-such-option"),
)


@pytest.fixture(scope="module")
def server_with_password() -> Iterator[dict[str, str]]:
    """The `path` and `port` of a server with a password, for URLs."""
    require_binaries()
    with EmbeddedServer(password=PASSWORD) as server:
        place = {"path": server.url.rpartition("@")[2], "port": str(_free_port())}
        with redis.Redis(unix_socket_path=place["path"], password=PASSWORD) as client:
            client.config_set("port", place["port"])
        yield place


@pytest.fixture
def guarded(server_with_password: dict[str, str]) -> dict[str, str]:
    """As `server_with_password`, with 60 documents and nothing else."""
    with redis.Redis(unix_socket_path=server_with_password["path"], password=PASSWORD) as client:
        client.flushall()
        load_sample(client, 60)
        client.hset("station:visit:bad", "arrived_at", "no date")
    return server_with_password


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def everything_on(guarded: dict[str, str]) -> str:
    """All that the server keeps beside documents, as text."""
    with redis.Redis(unix_socket_path=guarded["path"], password=PASSWORD) as client:
        found: list[Any] = []
        for key in client.scan_iter():
            if not key.startswith(STATE_PREFIXES):
                continue
            read = {
                b"string": client.get,
                b"hash": client.hgetall,
                b"set": client.smembers,
                b"stream": client.xrange,
            }[client.type(key)]
            found += [key, read(key)]
        return repr(found)


def check(text: str, about: object) -> None:
    """No part of the password is in a text."""
    assert [part for part in PARTS if part in text] == [], (about, text)


@pytest.mark.parametrize("spelling", range(len(GOOD)))
def test_no_command_shows_or_stores_it(
    guarded: dict[str, str], spelling: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG, "redstart")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    url = GOOD[spelling].format(**guarded)
    held = everything_while_a_run_holds_the_lease(guarded, url)
    check(held, "the lease")
    for number, words in enumerate(COMMANDS[spelling % 5 :: 5]):
        log = ("--log-file", "log") if words[1:2] == ("run",) and words[0] == "migrate-data" else ()
        if number % 2:
            found = run_om("--url", url, *words, *log)
        elif number % 4:
            found = run_om(*words, "--url=" + url, *log)
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("REDIS_OM_URL", url)
                found = run_om(*words, *log)
        assert "Traceback" not in found.text
        check(found.text, words)
        check(everything_on(guarded), words)
    if Path("log").exists():
        check(Path("log").read_text(), "--log-file")
    check(caplog.text, "logging")


def everything_while_a_run_holds_the_lease(guarded: dict[str, str], url: str) -> str:
    """The keys as another client sees them in the middle of a run, and what `progress` says then."""
    seen: list[str] = []
    original = data_migration.migrate_forward

    def watched(*args: Any, **options: Any) -> Any:
        operation = original(*args, **options)
        reply, error = None, None
        while True:
            try:
                request = operation.send(reply) if error is None else operation.throw(error)
            except StopIteration as stop:
                return stop.value
            try:
                reply, error = (yield request), None
            except RedstartError as exc:
                error = exc
            if len(seen) < 2 and "token" in (state := everything_on(guarded)):
                seen.append(state)
                seen.append(run_om("--url", url, "migrate-data", "progress").text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_migration, "migrate_forward", watched)
        assert run_om("--url", url, "migrate-data", "run", "--limit-documents", "3").code == 5
    assert len(seen) == 2
    return repr(seen)


@pytest.mark.parametrize("number", range(len(BAD)))
def test_a_bad_url_ends_without_a_traceback_and_is_not_shown(
    server_with_password: dict[str, str], number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    url = BAD[number].format(**server_with_password)
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    calls: list[tuple[str, ...]] = [
        ("--url", url, "migrate-data", "status"),
        ("migrate-data", "run", f"--url={url}", "--json"),
        ("migrate", url),
        (url, "migrate-data", "status"),
        ("migrate-data", "status", "--models", url),
        ("migrate-data", "rollback", url, "--url", url),
    ]
    for words in calls:
        found = run_om(*words)
        assert found.code in (1, 2), (words, found.text)
        assert "Traceback" not in found.text
        check(found.text, words)
    monkeypatch.setenv("REDIS_OM_URL", url)
    check(run_om("migrate", "status").text, "REDIS_OM_URL")
    monkeypatch.delenv("REDIS_OM_URL")
    for line in (
        f"url = {json.dumps(url)}",
        f"url = [{json.dumps(url)}]",
        f"models = [1, {json.dumps(url)}]",
    ):
        Path("pyproject.toml").write_text(f"[tool.redstart]\n{line}\n")
        found = run_om("migrate-data", "progress")
        assert found.code in (1, 2)
        check(found.text, line)
    Path("pyproject.toml").write_text(f"[tool.redstart]\n{json.dumps(url)} = 1\n")
    check(run_om("migrate-data", "progress").text, "a setting")


@pytest.mark.parametrize("number", range(len(BAD)))
def test_no_exception_contains_it(server_with_password: dict[str, str], number: int) -> None:
    url = BAD[number].format(**server_with_password)

    def connect() -> None:
        with open_sync(url) as driver:
            driver.run(call(server_time()))

    for action in (connect, lambda: open_async(url), lambda: connections.get_redis_connection(url=url)):
        try:
            action()
        except RedstartError as exc:
            error: BaseException | None = exc
            while error is not None:
                check(f"{error} {error!r} {error.args}", url)
                error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_server_that_repeats_what_it_does_not_know(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server(extra_arguments=("--rename-command", "HELLO", "", "--rename-command", "AUTH", ""))
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    for options in ("?protocol=3&password=S3crw0rd", "?protocol=2&username=u&password=S3crw0rd"):
        found = run_om("--url", server.url + options, "migrate-data", "status")
        assert found.code == 1
        assert "unknown command" in found.stderr
        check(found.text, options)
        with pytest.raises(RedstartError) as failed, open_sync(server.url + options) as driver:
            driver.run(call(server_time()))
        check(repr(failed.value) + repr(failed.value.__cause__), options)


def test_a_models_module_that_fails_with_a_url(
    configured: str, write_module: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    name = write_module("""
        url = "redis://:S3crw0rd@127.0.0.1:1"
        raise RuntimeError("cannot reach redis://:S3crw0rd@127.0.0.1:1")
    """)
    with caplog.at_level(logging.DEBUG):
        found = run_om("migrate-data", "status", "--models", name)
    assert found.code == 2
    assert "cannot reach redis://127.0.0.1:1" in found.stderr
    check(found.text + caplog.text, name)


def test_a_hint_repeats_no_url_that_would_not_work(configured: str) -> None:
    for url in ("redis://:S3crw0rd@127.0.0.1:1", "redis://127.0.0.1:1?password=S3crw0rd"):
        found = run_om("--url", url, "migrate-data", "rollback")
        assert "--url URL" in found.stderr
