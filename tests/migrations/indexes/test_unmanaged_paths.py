"""Unmanaged JSON indexes name dates with any spelling of a path: none may lose documents silently."""

import json
from collections.abc import Callable

import pytest
import redis

from redstart.mapping.value_paths import Each, Segment, may_select
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.cli.conftest import LOG, write_module
from tests.migrations.indexes.conftest import drop_all, wait_until_built
from tests.support.cli import run_om

__all__ = ["write_module"]

TEXT = "2021-05-04T03:02:01Z"
DOCUMENTS = 3
MODEL = """
    import datetime
    from redstart import EmbeddedJsonModel, JsonModel

    class Item(EmbeddedJsonModel):
        at: datetime.datetime

    class Order(JsonModel):
        at: datetime.datetime
        items: list[Item]
        days: list[datetime.date]

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "order"
"""
SPELLINGS = [
    "$.at",
    '$["at"]',
    "$['at']",
    "$[ 'at' ]",
    "$..at",
    "$.*",
    "$.items[*].at",
    "$.items[0].at",
    "$.items[-1].at",
    "$.items[:2].at",
    "$.items[?(@.at)].at",
    '$["items"][0]["at"]',
    "$.items..at",
    "$.days",
    "$.days[*]",
    "$.days[0]",
]


@pytest.fixture
def models(
    url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, write_module: Callable[[str], str]
) -> str:
    drop_all(client)
    monkeypatch.setenv("REDIS_OM_URL", url)
    document = {"at": TEXT, "items": [{"at": TEXT}] * 2, "days": ["2021-05-04", "2021-05-05"], "note": "a"}
    for number in range(DOCUMENTS):
        client.execute_command("JSON.SET", f"app:order:{number}", "$", json.dumps(document))
    return write_module(MODEL)


def create(client: redis.Redis, path: str, kind: str, *condition: str) -> None:
    client.execute_command(
        *("FT.CREATE", "by-date", "ON", "JSON", "PREFIX", 1, "app:order:", *condition),
        *("SCHEMA", path, "AS", "date", kind),
    )


def found(client: redis.Redis) -> int:
    wait_until_built(client, ["by-date"])
    reply = client.execute_command("FT.SEARCH", "by-date", "*", "NOCONTENT", "LIMIT", 0, 0)
    return int(reply[b"total_results"] if isinstance(reply, dict) else reply[0])


@pytest.mark.sample(10)
@pytest.mark.parametrize("is_filter", [False, True], ids=["indexed", "in a FILTER"])
@pytest.mark.parametrize("path", SPELLINGS)
def test_a_run_is_refused(client: redis.Redis, models: str, path: str, is_filter: bool) -> None:
    create(client, path, "TAG", *(("FILTER", "startswith(@date, '2021')") if is_filter else ()))
    if found(client) != DOCUMENTS:
        pytest.skip("the server does not index this path")
    run = run_om("migrate-data", "run", "--yes", "--models", models)
    assert run.code == 1, run.text
    assert "by-date" in run.text
    assert found(client) == DOCUMENTS
    assert run_om("migrate-data", "run", "--yes", "--models", models, "--accept-unindexed").code == 0
    drop_all(client)


@pytest.mark.parametrize("path", ["$.note", "$['note']", "$.items[0].note", "$.at.note", "$.lines[*].at"])
def test_a_run_is_not_refused_for_another_path(client: redis.Redis, models: str, path: str) -> None:
    create(client, path, "TAG")
    assert found(client) == DOCUMENTS
    run = run_om("migrate-data", "run", "--yes", "--models", models)
    assert run.code == 0, run.text
    assert found(client) == DOCUMENTS
    drop_all(client)


@pytest.mark.sample(8)
@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("path", SPELLINGS)
def test_a_rollback_is_refused(client: redis.Redis, models: str, path: str, preview: bool) -> None:
    assert run_om("migrate-data", "run", "--yes", "--models", models).code == 0
    create(client, path, "NUMERIC")
    if found(client) != DOCUMENTS:
        pytest.skip("the server does not index this path")
    words = ("migrate-data", "rollback", ID, "--dry-run" if preview else "--yes")
    refused = run_om(*words)
    assert refused.code == 1, refused.text
    assert "by-date" in refused.text
    assert f"om migrate-data rollback {ID} --accept-unindexed" in refused.text
    assert found(client) == DOCUMENTS
    assert run_om(*words, "--accept-unindexed").code == 0
    drop_all(client)


def test_a_rollback_is_refused_for_an_index_of_hashes(
    url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, write_module: Callable[[str], str]
) -> None:
    drop_all(client)
    monkeypatch.setenv("REDIS_OM_URL", url)
    client.hset("app:log:1", "at", TEXT)
    assert run_om("migrate-data", "run", "--yes", "--models", write_module(LOG)).code == 0
    client.execute_command(
        *("FT.CREATE", "by-date", "PREFIX", 1, "app:log:", "SCHEMA", "at", "AS", "date", "NUMERIC")
    )
    assert found(client) == 1
    refused = run_om("migrate-data", "rollback", ID, "--yes")
    assert (refused.code, "by-date" in refused.text) == (1, True)
    assert found(client) == 1
    drop_all(client)


@pytest.mark.parametrize(
    ("path", "segments", "expected"),
    [
        ("at", ("at",), True),
        (".at", ("at",), True),
        ("$.At", ("at",), False),
        ("$.at.x", ("at",), False),
        ("$.a", ("a", "at"), False),
        ("$.a.at", ("a", "at"), True),
        ("$..x", ("a", "at"), False),
        ("$..a..at", ("a", "b", "at"), True),
        ("$.stops.x.at", ("stops", Each.VALUE, "at"), True),
        ("$.stops[0].at", ("stops", Each.VALUE, "at"), False),
        ("$.pair[1]", ("pair", 0), False),
        ("$.pair[0]", ("pair", 0), True),
        ("$.pair[-1]", ("pair", 0), True),
        ("$.pair", ("pair", 0), True),
        ("$.pair[0,1]", ("pair", 0), True),
        ("$['a','at']", ("at",), True),
        ("$['a\\u0074']", ("at",), True),
        ("$[?(@.x == ']')].at", ("a", "at"), True),
        ("$[?(@[0] > 1)].b", ("a", "at"), False),
        ("$.größe", ("größe",), True),
        ("$['it''s", ("at",), True),
    ],
)
def test_only_paths_that_certainly_differ_are_different(
    path: str, segments: tuple[Segment, ...], expected: bool
) -> None:
    assert may_select(path, segments) is expected
