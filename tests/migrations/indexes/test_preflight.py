"""Refusals before the first write: exit code 1, the next command, and no changed byte."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.migrations.indexes.state import built_name
from redstart.search import index_info
from redstart.search.schema import create_arguments
from tests.cli.conftest import configured
from tests.migrations.indexes.conftest import drop_all, legacy, planned, serving, total
from tests.support.cli import Ended, run_om
from tests.support.snapshot import difference, snapshot

__all__ = ["configured", "legacy"]  # fixtures

VISITS, SIGHTINGS = "station:visit:index", "station:sighting:index"
PLANNED = {one.name: one for one in planned()}


@contextmanager
def nothing_written(client: redis.Redis) -> Iterator[None]:
    """Assert that neither keys nor indexes nor aliases change."""
    keys, indexes = snapshot(client), client.execute_command("FT._LIST")
    leads = {name: serving(client, name) for name in PLANNED}
    yield
    assert difference(keys, snapshot(client)) == []
    assert sorted(indexes) == sorted(client.execute_command("FT._LIST"))
    assert leads == {name: serving(client, name) for name in PLANNED}


def take(client: redis.Redis, name: str, *definition: str) -> None:
    """Replace the index of a model by an unrelated one."""
    client.execute_command("FT.DROPINDEX", name)
    client.execute_command("FT.CREATE", name, *definition, "SCHEMA", "title", "TAG")


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("name", "definition"),
    [
        (VISITS, ("ON", "HASH", "PREFIX", "1", "shop:order:")),
        (VISITS, ("ON", "JSON", "PREFIX", "1", "station:visit:")),
        (SIGHTINGS, ("ON", "JSON", "PREFIX", "2", "shop:", "station:visit:")),
    ],
)
def test_an_index_of_something_else_is_left_alone(
    legacy: redis.Redis, configured: str, name: str, definition: tuple[str, ...]
) -> None:
    take(legacy, name, *definition)
    legacy.hset("shop:order:1", "title", "x")
    with nothing_written(legacy):
        refused = run_om("migrate", "run")
        foreseen_by_both(refused, f"The name {name} belongs to an unrelated index")
    assert refused.code == 1
    assert f"The name {name} belongs to an unrelated index" in refused.stderr
    assert "Meta.index_name" in refused.stderr
    assert "DROPINDEX" not in refused.stderr, "another application may query it"
    if definition[-1] == "shop:order:":
        assert total(legacy, name) == 1, "it contains what it contained"


def test_an_alias_of_something_else_is_left_alone(legacy: redis.Redis, configured: str) -> None:
    legacy.execute_command("FT.DROPINDEX", VISITS)
    legacy.execute_command("FT.CREATE", "orders", "PREFIX", 1, "shop:", "SCHEMA", "title", "TAG")
    legacy.execute_command("FT.ALIASADD", VISITS, "orders")
    with nothing_written(legacy):
        refused = run_om("migrate", "run")
        foreseen(refused)
    assert (refused.code, f" FT.ALIASDEL {VISITS}" in refused.stderr) == (1, True)
    legacy.execute_command("FT.ALIASDEL", VISITS)
    assert run_om("migrate", "run").code == 0


@pytest.mark.sample(1)
@pytest.mark.parametrize("as_alias", [False, True])
def test_the_name_of_the_index_to_be_built_may_be_in_use(
    legacy: redis.Redis, configured: str, as_alias: bool
) -> None:
    """Then it is built under another name, and the index with that name stays."""
    one = PLANNED[VISITS]
    needed = built_name(one.name, one.index)
    other = replace(one.index, fields=one.index.fields[:1], parts=None)
    legacy.execute_command("FT.CREATE", *create_arguments(other, name="other" if as_alias else needed))
    if as_alias:
        legacy.execute_command("FT.ALIASADD", needed, "other")
    for words in (("migrate", "run"), ("migrate-data", "run"), ("migrate", "run")):
        assert run_om(*words).code == 0
    assert serving(legacy, needed) == ("other" if as_alias else needed)
    assert serving(legacy, VISITS) == built_name(one.name, one.index, 1)
    assert run_om("migrate", "status", "--check").code == 0


def test_an_index_with_more_prefixes_than_the_model_is_replaced(legacy: redis.Redis, configured: str) -> None:
    wider = replace(PLANNED[VISITS].old, prefixes=("shop:", "station:visit:"))
    legacy.execute_command("FT.DROPINDEX", VISITS)
    legacy.execute_command("FT.CREATE", *create_arguments(wider))
    for words in (("migrate", "run"), ("migrate-data", "run")):
        assert run_om(*words).code == 0
    assert serving(legacy, VISITS).startswith(f"{VISITS}@")


def test_without_room_for_a_second_index(legacy: redis.Redis, configured: str) -> None:
    legacy.config_set("maxmemory", int(legacy.info("memory")["used_memory"]) + 1_000)
    try:
        with nothing_written(legacy):
            refused = run_om("migrate", "run")
            foreseen(refused)
    finally:
        legacy.config_set("maxmemory", 0)
    assert (refused.code, "CONFIG SET maxmemory" in refused.stderr) == (1, True)
    assert run_om("migrate", "run", "--dry-run", "--json").json["refusal"] is None


def foreseen(refused: Ended) -> None:
    """Assert that a dry run reports the same as the run, as text and as JSON."""
    error, hint = refused.stderr.splitlines()[-2:]
    error = error.removeprefix("Error: ")
    told = run_om("migrate", "run", "--dry-run", "--json")
    assert (told.code, sized(told.json["refusal"])) == (0, sized(f"{error}\n{hint}"))
    shown = sized(run_om("migrate", "run", "--dry-run").stdout)
    assert sized(f"A run would be refused. {error}\n{hint}\n") in shown


def sized(text: str) -> str:
    """Return the text without sizes, which vary."""
    return re.sub(r"[\d.]+ MB", "N MB", text)


@contextmanager
def evicting(client: redis.Redis) -> Iterator[None]:
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        yield
    finally:
        client.config_set("maxmemory-policy", "noeviction")


def test_on_a_server_that_may_evict_keys_of_a_rollback(legacy: redis.Redis, configured: str) -> None:
    with evicting(legacy), nothing_written(legacy):
        refused = run_om("migrate", "run")
        foreseen(refused)
    assert (refused.code, "maxmemory-policy is allkeys-lru" in refused.stderr) == (1, True)
    assert refused.stderr.splitlines()[-1].endswith(" CONFIG SET maxmemory-policy noeviction")
    assert run_om("migrate", "run").code == 0
    assert "A run would be refused" not in run_om("migrate", "run", "--dry-run").text


def test_a_cache_gets_new_indexes(client: redis.Redis, configured: str) -> None:
    """No index has dates as text, so no rollback needs the undo log: applications create indexes at their start."""
    drop_all(client)
    with evicting(client):
        assert run_om("migrate", "run").code == 0
        assert run_om("migrate", "run").code == 0
    assert total(client, VISITS) == 0
    drop_all(client)


def test_in_another_database(legacy: redis.Redis, configured: str) -> None:
    separator = "&" if "?" in configured else "?"
    with nothing_written(legacy):
        refused = run_om("migrate", "run", "--url", f"{configured}{separator}db=1")
    assert (refused.code, "database 0" in refused.stderr) == (1, True)
    with redis.Redis.from_url(f"{configured}{separator}db=1") as other:
        assert other.dbsize() == 0


def test_without_the_search_module(configured: str, own_server: Callable[..., EmbeddedServer]) -> None:
    url = own_server(with_search=False).url
    with redis.Redis.from_url(url) as client:
        client.hset("station:visit:1", "arrived_at", "2021-05-04")
        before = snapshot(client)
        refused = run_om("migrate", "run", "--url", url)
        assert (refused.code, "no FT.CREATE" in refused.stderr) == (1, True)
        assert difference(before, snapshot(client)) == []


def foreseen_by_both(refused: Ended, *words: str) -> None:
    """A dry run of either command reports why a run is refused, and both runs are refused."""
    foreseen(refused)
    data = run_om("migrate-data", "run")
    told = run_om("migrate-data", "run", "--dry-run", "--json").json["refusal"]
    for word in words:
        assert word in refused.stderr
        assert word in data.stderr
        assert word in told
    assert (refused.code, data.code) == (1, 1)


def test_an_index_that_would_delete_its_documents(legacy: redis.Redis, configured: str) -> None:
    arguments = list(create_arguments(PLANNED[VISITS].old))
    at = arguments.index("SCHEMA")
    legacy.execute_command("FT.DROPINDEX", VISITS)
    legacy.execute_command("FT.CREATE", *arguments[:at], "TEMPORARY", "1000", *arguments[at:])
    with nothing_written(legacy):
        refused = run_om("migrate", "run")
        foreseen_by_both(refused, VISITS, "was created with TEMPORARY", "_FORCEKEEPDOCS")
        assert run_om("migrate", "cleanup").code == 0


def test_a_definition_that_the_server_would_not_create_again(
    legacy: redis.Redis, configured: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if FT.INFO reported an unknown option: no rollback could create the index again."""
    understood = index_info._index_options
    monkeypatch.setattr(index_info, "_index_options", lambda *given: (*understood(*given), "UNHEARD_OF"))
    with nothing_written(legacy):
        refused = run_om("migrate", "run")
        foreseen_by_both(refused, "UNHEARD_OF")
    monkeypatch.undo()


def test_a_dry_run_by_a_user_who_may_only_look(legacy: redis.Redis, configured: str) -> None:
    """It reports what it cannot check, and continues."""
    path = legacy.connection_pool.connection_kwargs.get("path")
    if path is None:
        pytest.skip("the server of REDSTART_TEST_URL is reached in another way")
    legacy.execute_command(*("ACL", "SETUSER", "looking", "on", ">secret", "~*", "+@all", "-ft.create"))
    try:
        for words in (("migrate", "run"), ("migrate-data", "run")):
            found = run_om("--url", f"unix://looking:secret@{path}", *words, "--dry-run")
            assert (found.code, "Not everything was checked" in found.stderr) == (0, True), found.text
    finally:
        legacy.execute_command("ACL", "DELUSER", "looking")
