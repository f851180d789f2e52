"""docs/acl.md: a user with exactly those rights can give every command, and needs each of them."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.demo.models import Ringer, Sighting
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import make_legacy_indexes
from tests.support.cli import run_om
from tests.support.sample import load_sample
from tests.support.snapshot import difference, snapshot
from tests.support.soak import SOAK

PAGE = (Path(__file__).parents[2] / "docs" / "acl.md").read_text(encoding="utf-8")
LINE = re.search(r"^ACL SETUSER .*$", PAGE, re.MULTILINE)
PASSWORD = "a-long-password"

BY_CONNECTIONS = {"auth", "hello", "client|setinfo"}
"""What redis-py sends of itself: a login needs no right, and it does without the others where they are refused."""


def words_of_the_page() -> list[str]:
    assert LINE is not None
    return shlex.split(LINE[0].replace("shop:", "station:").replace(">", "'>'"))


def rights() -> set[str]:
    return {word[1:] for word in words_of_the_page() if word.startswith("+")}


def large_document() -> dict[str, object]:
    """Above 1 MB, with every kind of place that is walked by path, and a list that is long enough to be moved."""
    return {
        "remark": "x" * 1_100_000,
        "ringed_at": "2020-01-01T00:00:00",
        "resighted_at": ["2020-01-01T00:00:00", "N/A", *["2020-01-01T00:00:00"] * 60],
        "last_seen_by_place": {"Pier 3": "2020-01-01T00:00:00"},
    }


def give_every_command(url: str) -> None:
    def om(words: str, *codes: int, group: str = "migrate-data") -> None:
        found = run_om("--url", url, group, *words.split())
        assert found.code in (codes or (0,)), (words, found.text)

    for words in ("stats -v", "stats --exact", "status --detailed", "progress", "run --dry-run"):
        om(words)
    om("check-schema", 3)
    for mode in ("fail", *(("skip", "log_and_skip") if SOAK else ()), "default", "quarantine"):
        om("run --limit-documents 20 --batch-size 10", 5)
        om("progress")
        om("clear-progress")
        om("run --max-errors 2", 5)
        om(f"run --failure-mode {mode} --verbose", 0, 3, 5)
        om("errors")
        om("verify --check-data", 0, 3, 6)
        om(f"rollback {ID} --dry-run")
        om(f"rollback {ID}")
    for words in ("status", "run --dry-run", "run --keep-old-index", "rollback --drop-created"):
        om(words, group="migrate")
    om("run --backup --failure-mode quarantine", 0, 3)
    om("run --accept-unindexed", group="migrate")
    om("cleanup", group="migrate")
    om("sync --accept-unindexed", group="migrate")
    for words in ("create --force", "rebuild", "drop --yes", "create --accept-unindexed"):
        om(words, group="index")
    om(f"drop-undo-log {ID} --yes")
    om("force-unlock --yes")


@pytest.fixture
def admin(own_server: Callable[..., EmbeddedServer]) -> redis.Redis:
    client = redis.Redis.from_url(own_server().url)
    load_sample(client, 240)
    client.json().set("station:sighting:large", "$", large_document())
    make_legacy_indexes(client)
    client.execute_command("FT.DROPINDEX", Ringer._meta.index_name)  # one that Redstart is the first to make
    sightings = Sighting._meta.index_name
    client.execute_command("FT.ALTER", sightings, "SCHEMA", "ADD", "$.remark", "AS", "remark", "TEXT")
    vector = ("VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
    client.execute_command("FT.ALTER", sightings, "SCHEMA", "ADD", "$.v", "AS", "v", *vector)
    client.execute_command("FT.SYNUPDATE", sightings, "birds", "gull", "mew")
    client.execute_command(*words_of_the_page())
    return client


def url_of_user(admin: redis.Redis) -> str:
    path = admin.connection_pool.connection_kwargs["path"]
    return f"unix://redstart:{PASSWORD}@{path}"


@pytest.mark.soak
def test_a_user_with_only_this_can_give_every_command(admin: redis.Redis, configured: str) -> None:
    before = snapshot(admin)
    admin.config_resetstat()
    give_every_command(url_of_user(admin))
    statistics = admin.info("commandstats")
    assert before.keys() <= snapshot(admin).keys()

    used = {name.removeprefix("cmdstat_").lower() for name, numbers in statistics.items() if numbers["calls"]}
    used -= BY_CONNECTIONS | {"config|resetstat"}
    assert used - rights() == set(), "not listed"
    assert rights() - used - {"info"} == set(), "listed, but not needed"


def test_without_a_right_the_error_says_which_and_where_it_is_listed(
    admin: redis.Redis, configured: str
) -> None:
    before = snapshot(admin)
    admin.execute_command("ACL", "SETUSER", "redstart", "-evalsha", "-eval")
    found = run_om("--url", url_of_user(admin), "migrate-data", "run")
    assert found.code == 1
    assert "evalsha" in found.stderr
    assert '"Permissions" in the documentation' in found.stderr
    assert PASSWORD not in found.text
    assert difference(before, snapshot(admin)) == []


def test_other_keys_are_out_of_reach(admin: redis.Redis, configured: str) -> None:
    admin.set("other", "1")
    with redis.Redis.from_url(url_of_user(admin)) as user:
        for words in (("GET", "other"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                user.execute_command(*words)
    assert admin.get("other") == b"1"


def test_looking_needs_no_right_to_write(admin: redis.Redis, configured: str) -> None:
    """The page's last paragraph."""
    run_om("--url", url_of_user(admin), "migrate-data", "run")
    writing = {word.decode() for word in admin.execute_command("ACL", "CAT", "write")}
    admin.execute_command("ACL", "SETUSER", "redstart", *(f"-{name}" for name in rights() & writing))
    looks = ("stats --exact", "status", "progress", "verify --check-data", "errors", "run --dry-run")
    for words in (*looks, "check-schema"):
        found = run_om("--url", url_of_user(admin), "migrate-data", *words.split())
        assert found.code in {0, 3, 6}, (words, found.text)


def test_an_index_of_another_application_is_out_of_reach_and_no_obstacle(
    admin: redis.Redis, configured: str
) -> None:
    admin.hset("other:1", mapping={"name": "a"})
    admin.execute_command(
        "FT.CREATE", "other:index", "ON", "HASH", "PREFIX", 1, "other:", "SCHEMA", "name", "TAG"
    )
    admin.set("other:index:hash", "as redis-om keeps it")
    for words in (
        "migrate status",
        "migrate-data status",
        "migrate-data run --dry-run",
        "migrate run --dry-run",
    ):
        found = run_om("--url", url_of_user(admin), *words.split())
        assert found.code in {0, 3}, (words, found.text)
