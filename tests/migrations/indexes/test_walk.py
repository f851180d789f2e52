"""A whole index migration and its rollback during queries, none of which may miss a document."""

import logging

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.coordinator import rollback_indexes
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.indexes import migrator
from redstart.migrations.indexes.expand import IndexOutcome, IndexResult
from redstart.migrations.indexes.state import RECORDS, hash_key, schema_key
from tests.migrations.indexes.conftest import (
    MODELS,
    expand,
    migration,
    perform,
    planned,
    serving,
    step_back,
    total,
)
from tests.migrations.indexes.conftest import readers as readers_of
from tests.support.migration import new_context, station_plan
from tests.support.snapshot import difference, snapshot

NAMES = [model._meta.index_name for model in MODELS]
PREFIXES = {one.key_prefix for one in planned()}


def outcomes(results: dict[str, IndexResult]) -> set[IndexOutcome]:
    return {result.outcome for result in results.values()}


def test_no_reader_misses_a_document_all_the_way_and_back(legacy: redis.Redis, url: str) -> None:
    start = snapshot(legacy)
    with readers_of(url, legacy) as look:
        assert outcomes(expand(url)) == {IndexOutcome.EXPANDED}
        look()
        assert (
            perform(url, run(new_context(), station_plan(), RunOptions(batch_documents=50))).stopped is None
        )
        look()
        assert outcomes(expand(url, PREFIXES)) == {IndexOutcome.CUT_OVER}
        look()
        step_back(url)
        look()
        assert perform(url, rollback(new_context(), batch_documents=50)).stopped is None
        look()
        step_back(url)
    assert difference(start, snapshot(legacy)) == [], (
        "the keys of redis-om are as they were, and no state is left"
    )
    assert len(legacy.execute_command("FT._LIST")) == len(MODELS), "no other index that was built is left"


def test_after_the_cutover_dates_are_numbers_and_redis_om_has_the_schema(
    legacy: redis.Redis, url: str
) -> None:
    expand(url)
    before = {name: total(legacy, name) for name in NAMES}
    perform(url, run(new_context(), station_plan(), RunOptions()))
    expand(url, PREFIXES)
    for one in planned():
        assert total(legacy, one.name) == before[one.name]
        assert legacy.get(hash_key(one.name)) == one.schema_hash.encode()
        assert legacy.get(schema_key(one.name)) == one.schema.encode()
    assert total(legacy, "station:visit:index", "@arrived_at:[-inf +inf]") == before["station:visit:index"]
    assert outcomes(expand(url, PREFIXES)) == {IndexOutcome.UP_TO_DATE}


def test_each_cutover_and_each_step_of_the_rollback_is_logged(
    legacy: redis.Redis, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "redstart.migrations.indexes")
    expand(url)
    perform(url, run(new_context(), station_plan(), RunOptions()))
    caplog.clear()
    expand(url, PREFIXES)
    moved = [found for found in caplog.messages if "was moved to" in found]
    assert sorted(found.split()[2] for found in moved) == sorted(NAMES)
    for name in NAMES:
        assert f"The alias {name} was moved to the index {serving(legacy, name)}." in moved
    caplog.clear()
    step_back(url)
    for name in NAMES:
        assert f"The alias {name} was moved to the index {serving(legacy, name)}." in caplog.messages
    assert perform(url, rollback(new_context())).stopped is None
    step_back(url)
    for name in NAMES:
        assert any(
            found.startswith(f"The index {name}@") and found.endswith(" was dropped.")
            for found in caplog.messages
        )


def test_before_the_conversion_queries_find_the_text_format(legacy: redis.Redis, url: str) -> None:
    found = {name: total(legacy, name) for name in NAMES}
    expand(url)
    expand(url)
    assert {name: total(legacy, name) for name in NAMES} == found
    hashes, documents = "station:visit:index", "station:sighting:index"
    assert serving(legacy, hashes) == hashes, "an index of hashes accepts both formats: it stays active"
    assert serving(legacy, documents).startswith(f"{documents}@")


def test_a_cutover_that_would_lose_documents_is_refused(legacy: redis.Redis, url: str) -> None:
    key = next(iter(legacy.scan_iter("station:visit:*", count=1000, _type="hash")))
    legacy.hset(key, "arrived_at", "N/A")
    expand(url)
    perform(url, run(new_context(), station_plan(), RunOptions()))
    refused = expand(url, PREFIXES)["station:visit:index"]
    assert refused.outcome is IndexOutcome.REFUSED
    assert refused.coverage is not None
    assert (refused.coverage.missing, refused.coverage.examples) == (1, [key])
    assert serving(legacy, "station:visit:index") == "station:visit:index"
    accepted = expand(url, PREFIXES, accept_unindexed=True)["station:visit:index"]
    assert accepted.outcome is IndexOutcome.CUT_OVER


def test_without_an_index_one_is_created_with_an_alias(client: redis.Redis, url: str) -> None:
    assert outcomes(expand(url)) == {IndexOutcome.CREATED}
    assert outcomes(expand(url)) == {IndexOutcome.UP_TO_DATE}
    for name in NAMES:
        assert serving(client, name).startswith(f"{name}@")
    active = {name: serving(client, name) for name in NAMES}
    step_back(url)
    assert {name: serving(client, name) for name in NAMES} == active
    perform(url, rollback_indexes(new_context(), migration(), drop_created=True))
    assert client.execute_command("FT._LIST") == []
    assert not client.exists(RECORDS)


def test_an_externally_replaced_index_is_repaired(legacy: redis.Redis, url: str) -> None:
    expand(url)
    perform(url, run(new_context(), station_plan(), RunOptions()))
    expand(url, PREFIXES)
    name = "station:visit:index"
    # As redis-om's Migrator: it drops the index through the alias, and creates its own.
    legacy.execute_command("FT.DROPINDEX", name)
    legacy.execute_command(
        "FT.CREATE", name, "ON", "HASH", "PREFIX", 1, "station:visit:", "SCHEMA", "pk", "TAG"
    )
    repaired = expand(url, PREFIXES)[name]
    assert (repaired.outcome, repaired.repaired) == (IndexOutcome.CUT_OVER, True)
    assert serving(legacy, name).startswith(f"{name}@")


def test_cleanup_drops_only_unused_indexes(legacy: redis.Redis, url: str) -> None:
    expand(url)
    perform(url, run(new_context(), station_plan(), RunOptions()))
    assert perform(url, migration().cleanup()) == [], "before the cutover every built index is used"
    expand(url, PREFIXES)
    dropped = perform(url, migration().cleanup())
    assert [name.partition("@")[0] for name in dropped] == ["station:sighting:index"]
    assert perform(url, migration().cleanup()) == []
    assert outcomes(expand(url, PREFIXES)) == {IndexOutcome.UP_TO_DATE}


def test_a_server_that_does_not_understand_filters_gets_a_bridge(
    legacy: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(_: bool) -> Op[bool]:
        yield from ()
        return False

    monkeypatch.setattr(migrator, "supports_path_filters", no)
    start = snapshot(legacy)
    with readers_of(url, legacy) as look:
        expand(url)
        assert "$.ringed_at" not in str(legacy.execute_command("FT.INFO", "station:sighting:index"))
        look()
        perform(url, run(new_context(), station_plan(), RunOptions(batch_documents=50)))
        assert outcomes(expand(url, PREFIXES)) == {IndexOutcome.CUT_OVER}
        look()
        step_back(url)
        perform(url, rollback(new_context(), batch_documents=50))
        step_back(url)
    assert difference(start, snapshot(legacy)) == []
