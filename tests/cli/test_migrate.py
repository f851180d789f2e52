"""`om migrate` on the command line."""

from collections.abc import Callable

import pytest
import redis

from redstart.embedded.process import EmbeddedServer
from redstart.migrations.data.context import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import drop_all, legacy, serving, total
from tests.support.cli import run_om

__all__ = ["legacy"]  # a fixture

VISITS, SIGHTINGS = "station:visit:index", "station:sighting:index"


def test_the_whole_way_and_back(legacy: redis.Redis, configured: str) -> None:
    before = total(legacy, SIGHTINGS)

    assert run_om("migrate", "status", "--check").code == 3
    ready = run_om("migrate", "run")
    assert (ready.code, ready.stdout.count("next: om migrate-data run")) == (0, 3)
    assert run_om("migrate-data", "run").code == 0
    assert total(legacy, SIGHTINGS) == before
    done = run_om("migrate", "run")
    assert (done.code, done.stdout.count("took over")) == (0, 3)
    found = run_om("migrate", "status", "--check")
    assert (found.code, "No pending schema changes detected" in found.stdout) == (0, True)
    assert total(legacy, VISITS, "@arrived_at:[0 +inf]") > 0

    assert "accepts both forms" in run_om("migrate", "swap-back").stdout
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert "as before the migration" in run_om("migrate", "swap-back").stdout
    assert total(legacy, SIGHTINGS) == before
    assert "No index was migrated" in run_om("migrate", "swap-back").stdout


def test_what_would_be_lost_refuses_with_the_ways_on(legacy: redis.Redis, configured: str) -> None:
    key = next(iter(legacy.scan_iter("station:visit:*", count=1000, _type="hash")))
    legacy.hset(key, "arrived_at", "N/A")
    run_om("migrate", "run")
    run_om("migrate-data", "run")

    refused = run_om("migrate", "run")

    assert refused.code == 6
    assert key.decode() in refused.stdout
    assert "--accept-unindexed" in refused.stdout
    assert serving(legacy, VISITS) == VISITS
    assert run_om("migrate", "run", "--accept-unindexed").code == 0
    assert serving(legacy, VISITS) != VISITS


def test_after_forget_swapping_back_still_keeps_converted_documents_found(
    legacy: redis.Redis, configured: str
) -> None:
    before = total(legacy, SIGHTINGS)
    for words in (("migrate", "run"), ("migrate-data", "run"), ("migrate", "run")):
        assert run_om(*words).code == 0
    assert run_om("migrate-data", "forget", ID, "--yes").code == 0

    assert "accepts both forms" in run_om("migrate", "swap-back").stdout

    assert total(legacy, SIGHTINGS) == before


def test_cleanup_says_what_it_dropped(legacy: redis.Redis, configured: str) -> None:
    assert "nothing to drop" in run_om("migrate", "cleanup").stdout
    run_om("migrate", "run")
    run_om("migrate-data", "run")
    run_om("migrate", "run")
    assert run_om("migrate", "cleanup").stdout.startswith(f"dropped {SIGHTINGS}@")
    drop_all(legacy)


@pytest.mark.parametrize("command", ["status", "run", "swap-back", "cleanup"])
def test_another_database_than_0_is_refused(configured: str, client: redis.Redis, command: str) -> None:
    separator = "&" if "?" in configured else "?"
    found = run_om("migrate", command, "--url", f"{configured}{separator}db=1")
    assert (found.code, "database 0" in found.stderr) == (1, True)


@pytest.mark.parametrize("command", ["status", "run", "swap-back", "cleanup"])
def test_a_server_without_search_is_refused(
    configured: str, own_server: Callable[..., EmbeddedServer], command: str
) -> None:
    found = run_om("migrate", command, "--url", own_server(with_search=False).url)
    assert (found.code, "no FT.CREATE" in found.stderr) == (1, True)


def test_too_little_memory_is_refused_before_anything_is_built(legacy: redis.Redis, configured: str) -> None:
    used = int(legacy.info("memory")["used_memory"])
    legacy.config_set("maxmemory", used + 1_000)
    try:
        found = run_om("migrate", "run")
    finally:
        legacy.config_set("maxmemory", 0)
    assert (found.code, "maxmemory leaves" in found.stderr) == (1, True)
    assert len(legacy.execute_command("FT._LIST")) == 3
