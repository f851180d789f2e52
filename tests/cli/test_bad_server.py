"""Servers that are not there, refuse, or are not fit: what is said, and that nothing on them changed."""

from collections.abc import Callable

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import LOG
from tests.support.cli import refused, run_om
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

RUN = ("migrate-data", "run")


@pytest.mark.parametrize(
    "command", ["stats", "status", "run", "verify", "progress", "errors", "clear-progress"]
)
def test_no_server(configured: str, command: str) -> None:
    found = run_om("--url", "redis://127.0.0.1:1", "migrate-data", command)
    refused(found, 1, "The server at redis://127.0.0.1:1 did not reply", "--url", "REDIS_OM_URL")
    assert found.stdout == ""


def test_no_server_with_json(configured: str) -> None:
    found = run_om("--url", "redis://127.0.0.1:1", *RUN, "--json")
    refused(found, 1)
    assert found.json["status"] == "error"
    assert "did not reply" in found.json["error"]
    assert "--url" in found.json["hint"]
    assert found.json["exit_code"] == 1


def test_a_database_that_is_not_there(configured: str) -> None:
    found = run_om("--url", f"{configured}?db=99", *RUN)
    refused(found, 1, "out of range", "database 0 always exists")


@pytest.mark.parametrize("credentials", ["", ":S3cret@", "ann:S3cret@"])
def test_a_wrong_password_is_not_shown(
    configured: str, own_server: Callable[..., EmbeddedServer], credentials: str
) -> None:
    server = own_server(password="the right one")
    place = server.url.rpartition("@")[2]
    for words in ((), ("--json",)):
        found = run_om("--url", f"unix://{credentials}{place}", *RUN, *words)
        refused(found, 1, "redis://user:password@host:port")
        assert "S3cret" not in found.text
        assert "the right one" not in found.text


def test_a_right_password_is_not_shown_either(
    configured: str, own_server: Callable[..., EmbeddedServer]
) -> None:
    url = own_server(password="S3cret").url
    for words in (
        "stats -v",
        "run -v",
        "status --detailed",
        "progress",
        "verify -v",
        f"rollback {ID} -v",
    ):
        found = run_om("--url", url, "migrate-data", *words.split())
        assert found.code == 0, found.text
        assert "S3cret" not in found.text


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://localhost",
        "redis://:S3cret/@localhost",
        "redis://localhost/0?colour=red",
    ],
)
def test_what_is_no_url(configured: str, url: str) -> None:
    found = run_om("--url", url, "migrate-data", "status")
    refused(found, 2, "is not a Redis URL", "redis://user:password@host:6379/0")
    assert "S3cret" not in found.text


def test_a_server_without_json(configured: str, own_server: Callable[..., EmbeddedServer]) -> None:
    server = own_server(with_json=False, with_search=False)
    with redis.Redis.from_url(server.url) as client:
        client.hset("station:visit:a", "arrived_at", "2020-01-01")
        before = snapshot(client)
        for command in ("run", "stats"):
            found = run_om("--url", server.url, "migrate-data", command)
            refused(found, 1, "Sighting", "does not have JSON.MERGE", "RedisJSON", "--models")
        assert difference(before, snapshot(client)) == []


def test_hash_models_need_no_json(
    own_server: Callable[..., EmbeddedServer], write_module: Callable[[str], str]
) -> None:
    server = own_server(with_json=False, with_search=False)
    with redis.Redis.from_url(server.url) as client:
        client.hset("app:log:a", "at", "2020-01-01")
        found = run_om("--url", server.url, *RUN, "--models", write_module(LOG))
        assert found.code == 0, found.text
        assert client.hget("app:log:a", "at") == b"1577836800.0"


def test_a_policy_that_evicts(configured: str, own_server: Callable[..., EmbeddedServer]) -> None:
    server = own_server(extra_arguments=("--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb"))
    with redis.Redis.from_url(server.url) as client:
        client.hset("station:visit:a", "arrived_at", "2020-01-01")
        before = snapshot(client)
        refused(
            run_om("--url", server.url, *RUN),
            1,
            "maxmemory-policy is allkeys-lru",
            "evict the undo log",
            "CONFIG SET maxmemory-policy noeviction",
        )
        assert "allkeys-lru" in run_om("--url", server.url, "migrate-data", "stats").stdout
        assert difference(before, snapshot(client)) == []


def test_too_little_memory_for_the_undo_log(
    configured: str, own_server: Callable[..., EmbeddedServer]
) -> None:
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        for number in range(20_000):
            if number % 1_000 == 0:
                pipe = client.pipeline(transaction=False)
            pipe.hset(f"station:visit:{number}", "arrived_at", "2020-01-01")
            if number % 1_000 == 999:
                pipe.execute()
        before = snapshot(client)
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 600_000)
        refused(run_om("--url", server.url, *RUN), 1, "The undo log needs about 1.0 MB", "maxmemory")
        assert difference(before, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []
