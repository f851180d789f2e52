"""redis-om's own Migrator, of either version, running before, between and after the steps of a migration.

If the stored hash of an index is not that of its model, it drops the index and creates its own. Queries may miss
documents until then: `om migrate status` reports the index as replaced externally, and `om migrate run` repairs it.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.state import hash_key, is_built_name, schema_key
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.indexes.swap import same_definition
from redstart.search.schema import Index, create_arguments, schema_hash, schema_text
from tests.cli.conftest import configured
from tests.migrations.indexes.conftest import (
    MODELS,
    before_1_0,
    drop_all,
    expand,
    is_converted,
    migration,
    perform,
    planned,
    serving,
    step_back,
    total,
    wait_until_built,
)
from tests.reference.conftest import python_with_0x, python_with_1x
from tests.support.cli import run_om
from tests.support.migration import new_context, station_plan
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, Snapshot, difference, snapshot

__all__ = ["configured", "python_with_0x", "python_with_1x"]  # fixtures

pytestmark = [pytest.mark.redis_om, pytest.mark.usefixtures("configured")]

PROGRAM = Path(__file__).parents[2] / "support" / "redis_om_migrator.py"
NAMES = [model._meta.index_name for model in MODELS]
VISITS, SIGHTINGS = "station:visit:index", "station:sighting:index"
DOCUMENTS = 90

Migrator = Callable[[str], None]


@pytest.fixture
def their_migrator(url: str, python_with_0x: str, python_with_1x: str) -> Migrator:
    """Runs the Migrator of redis-om "0x" or "1x", and waits until its indexes are built."""
    pythons = {"0x": python_with_0x, "1x": python_with_1x}

    def migrate(version: str) -> None:
        words = [pythons[version], str(PROGRAM), version]
        done = subprocess.run(
            words, env=os.environ | {"REDIS_OM_URL": url}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        with redis.Redis.from_url(url) as client:
            wait_until_built(client, [name.decode() for name in client.execute_command("FT._LIST")])

    return migrate


@pytest.fixture
def documents(client: redis.Redis) -> Iterator[redis.Redis]:
    """Clean documents of 0.3.5, without any index."""
    drop_all(client)
    load_sample(client, DOCUMENTS, dirty_share=0, field_expiries=False)
    yield client
    drop_all(client)


def begin(start: str, client: redis.Redis, their_migrator: Migrator) -> None:
    """Create the indexes before the migration."""
    if start in ("0x", "1x"):
        their_migrator(start)
    elif start == "alias":
        for model in MODELS:
            index = before_1_0(model)
            client.execute_command("FT.CREATE", *create_arguments(index, name=f"{index.name}-blue"))
            client.execute_command("FT.ALIASADD", index.name, f"{index.name}-blue")
            client.set(hash_key(index.name), schema_hash(schema_text(index)))
        wait_until_built(client, NAMES)


def active_indexes(url: str) -> dict[str, tuple[str, Index] | None]:
    """Return the active index of each name, and its definition; None if there is none."""
    found = {name: perform(url, find_index(name)) for name in NAMES}
    return {name: None if info is None else (info.name, info.index) for name, info in found.items()}


def hashes(client: redis.Redis) -> list[bytes | None]:
    """Return the keys that redis-om stores for the indexes."""
    return [client.get(key(name)) for name in NAMES for key in (hash_key, schema_key)]


def convert(url: str) -> None:
    assert perform(url, run(new_context(), station_plan(), RunOptions())).stopped is None


def all_documents(client: redis.Redis) -> Snapshot:
    """Return every document, without the keys of either tool."""
    found = snapshot(client, exclude_prefixes=STATE_PREFIXES)
    own = {keys(name).encode() for name in NAMES for keys in (hash_key, schema_key)}
    return {key: entry for key, entry in found.items() if key not in own}


def stored(client: redis.Redis, one: PlannedIndex) -> int:
    kind = one.index.storage.name
    return sum(
        1
        for _ in client.scan_iter(
            f"{one.key_prefix}*", 1_000, _type="ReJSON-RL" if kind == "JSON" else "hash"
        )
    )


class Intrusion:
    """A run of redis-om's Migrator during a migration: its changes are detected, reported and repaired."""

    def __init__(self, client: redis.Redis, url: str, their_migrator: Migrator) -> None:
        self._client = client
        self._url = url
        self._their_migrator = their_migrator

    def begin(self, version: str) -> set[str]:
        """Run it; return the names that point to another index now."""
        before, documents = active_indexes(self._url), all_documents(self._client)
        self._their_migrator(version)
        assert difference(documents, all_documents(self._client)) == []
        after = active_indexes(self._url)
        return {name for name in NAMES if before[name] != after[name]}

    def is_noticed(self, changed: set[str]) -> None:
        """Assert that `om migrate status` reports these indexes and the next command."""
        found = run_om("migrate", "status", "--check")
        standings = {one.planned.name: one.active for one in perform(self._url, index_statuses(planned()))}
        assert {name for name, one in standings.items() if one is ActiveIndex.REPLACED_EXTERNALLY} == changed
        assert found.stdout.count("another tool (for example redis-om's Migrator)") == len(changed)
        if changed:
            assert "om migrate run" in found.stdout.splitlines()[-1]
            assert found.code == 3

    def is_repaired(self, changed: set[str]) -> None:
        """Assert that `om migrate run` repairs and reports them; all documents are found, also by other queries."""
        ran = run_om("migrate", "run")
        assert ran.code == 0, ran.text
        assert ran.stdout.count("another tool had replaced or dropped") == len(changed)
        self.is_noticed(set())
        for one in planned():
            if one.name in changed:
                assert total(self._client, one.name) == stored(self._client, one)


@pytest.fixture
def intrusion(documents: redis.Redis, url: str, their_migrator: Migrator) -> Intrusion:
    return Intrusion(documents, url, their_migrator)


def assert_all_found(client: redis.Redis) -> None:
    for one in planned():
        count = stored(client, one)
        assert count > 0
        assert total(client, one.name) == count, one.name


def check_end(client: redis.Redis) -> None:
    """Assert that the migration is complete: queries find all documents, by date too, for both tools."""
    assert run_om("migrate", "status", "--check").code == 0
    assert_all_found(client)
    for one in planned():
        assert client.get(hash_key(one.name)) == one.schema_hash.encode()
    assert total(client, VISITS, "@arrived_at:[-inf +inf]") == stored(client, by_name()[VISITS])
    assert total(client, SIGHTINGS, "@ringed_at:[-inf +inf]") == stored(client, by_name()[SIGHTINGS])


def by_name() -> dict[str, PlannedIndex]:
    return {one.name: one for one in planned()}


@pytest.mark.sample(2)
@pytest.mark.parametrize("moment", ["before", "expanded", "converted", "cut over"])
@pytest.mark.parametrize("version", ["0x", "1x"])
@pytest.mark.parametrize("start", ["0x", "1x", "none", "alias"])
def test_drift_is_detected_reported_and_repaired(
    documents: redis.Redis,
    url: str,
    intrusion: Intrusion,
    their_migrator: Migrator,
    start: str,
    version: str,
    moment: str,
) -> None:
    begin(start, documents, their_migrator)
    theirs = hashes(documents)
    if moment == "before":
        intrusion.begin(version)
        intrusion.is_noticed(set())  # the indexes before the migration are not drift
    for step in ("expanded", "converted", "cut over"):
        if step == "converted":
            convert(url)
        else:
            assert run_om("migrate", "run").code == 0
        if start in ("0x", "alias") and moment != "before":
            assert_all_found(documents)
        if step == moment:
            changed = intrusion.begin(version)
            intrusion.is_noticed(changed)
            intrusion.is_repaired(changed)
            if step == "expanded" and start in ("0x", "alias"):
                assert hashes(documents) == theirs, "the old application keeps the index"
            if step != "expanded":
                assert all(is_built_name(name, serving(documents, name)) for name in changed)
    assert run_om("migrate", "run").code == 0
    check_end(documents)


@pytest.mark.sample(1)
@pytest.mark.parametrize(("start", "version"), [("0x", "1x"), ("1x", "0x"), ("none", "0x"), ("alias", "1x")])
def test_drift_may_be_repaired_after_the_data(
    documents: redis.Redis, intrusion: Intrusion, their_migrator: Migrator, url: str, start: str, version: str
) -> None:
    begin(start, documents, their_migrator)
    assert run_om("migrate", "run").code == 0
    changed = intrusion.begin(version)
    assert changed == set(NAMES)
    convert(url)
    intrusion.is_noticed(changed)
    intrusion.is_repaired(changed)
    check_end(documents)


def test_a_run_over_the_data_repairs_drift_first(
    documents: redis.Redis, intrusion: Intrusion, their_migrator: Migrator
) -> None:
    their_migrator("0x")
    assert run_om("migrate", "run").code == 0
    assert intrusion.begin("1x") == set(NAMES)
    before = all_documents(documents)
    refused = run_om("migrate-data", "run", "--no-expand")
    assert (refused.code, "om migrate run" in refused.stderr) == (1, True)
    assert difference(before, all_documents(documents)) == []
    assert run_om("migrate-data", "run").code == 0
    check_end(documents)


@pytest.mark.sample(1)
@pytest.mark.parametrize("version", ["0x", "1x"])
def test_both_versions_beside_each_other_all_the_way(
    documents: redis.Redis, intrusion: Intrusion, their_migrator: Migrator, url: str, version: str
) -> None:
    """The old and the new application start alternately, each with its Migrator; the new one starts last."""
    their_migrator("0x")
    for step in ("expanded", "converted", "cut over"):
        if step == "converted":
            convert(url)
        else:
            assert run_om("migrate", "run").code == 0
        intrusion.begin("1x" if version == "0x" else "0x")
        intrusion.begin(version)
    assert run_om("migrate", "run").code == 0
    check_end(documents)


@pytest.mark.sample(1)
@pytest.mark.parametrize("version", ["0x", "1x"])
@pytest.mark.parametrize("moment", ["expanded", "cut over"])
def test_a_rollback_is_as_exact_after_drift(
    documents: redis.Redis,
    intrusion: Intrusion,
    their_migrator: Migrator,
    url: str,
    moment: str,
    version: str,
) -> None:
    their_migrator("0x")
    start, led = snapshot(documents), active_indexes(url)
    for step in ("expanded", "converted", "cut over"):
        if step == "converted":
            convert(url)
        else:
            assert run_om("migrate", "run").code == 0
        if step == moment:
            intrusion.begin(version)
    assert step_back(url)
    assert perform(url, rollback(new_context())).stopped is None
    step_back(url)
    assert difference(start, snapshot(documents)) == []
    assert_all_found(documents)
    now = active_indexes(url)
    for name in NAMES:
        before, after = led[name], now[name]
        assert before is not None and after is not None
        assert same_definition(before[1], after[1])
    assert len(documents.execute_command("FT._LIST")) == len(NAMES)
    their_migrator("0x")
    assert active_indexes(url) == now, "0.3.5 keeps the restored index"


def test_an_index_that_another_client_dropped_is_created_again(
    documents: redis.Redis, their_migrator: Migrator, url: str
) -> None:
    their_migrator("0x")
    for step in ("expanded", "converted", "cut over"):
        if step == "converted":
            convert(url)
        else:
            assert run_om("migrate", "run").code == 0
        for name in NAMES:
            documents.execute_command("FT.DROPINDEX", name)
        assert "absent" in run_om("migrate", "status").stdout
        assert "another tool had replaced or dropped" in run_om("migrate", "run").stdout
        assert_all_found(documents)
    check_end(documents)


def test_what_was_accepted_once_does_not_stop_the_repair(
    documents: redis.Redis, intrusion: Intrusion, their_migrator: Migrator, url: str
) -> None:
    their_migrator("0x")
    keys = list(documents.scan_iter("station:visit:*", 1_000, _type="hash"))
    documents.hset(keys[0], "arrived_at", "N/A")
    assert run_om("migrate", "run").code == 0
    convert(url)
    assert run_om("migrate", "run", "--accept-unindexed").code == 0
    intrusion.begin("0x")
    assert run_om("migrate", "run").code == 0
    assert total(documents, VISITS) == len(keys) - 1

    intrusion.begin("0x")
    documents.hset(keys[1], "arrived_at", "2021-05-04T03:02:01")  # by the old application, which runs again
    refused = run_om("migrate", "run")
    assert (refused.code, keys[1].decode() in refused.stdout) == (3, True)
    convert(url)
    assert run_om("migrate", "run").code == 0
    assert total(documents, VISITS) == len(keys) - 1


def test_drift_is_repaired_if_converted_data_has_to_be_checked_again(
    documents: redis.Redis, intrusion: Intrusion, their_migrator: Migrator, url: str
) -> None:
    """As after a change of the models' dates: their data counts as not converted until the next run."""
    their_migrator("0x")
    assert run_om("migrate", "run").code == 0
    convert(url)
    assert run_om("migrate", "run").code == 0
    assert intrusion.begin("0x") == set(NAMES)
    repaired = expand(url, set())
    assert {(one.outcome, one.repaired) for one in repaired.values()} == {(IndexOutcome.EXPANDED, True)}
    intrusion.is_noticed(set())
    assert_all_found(documents)
    assert run_om("migrate", "run").code == 0
    check_end(documents)


def test_a_changed_model_is_not_reported_as_replaced_externally(
    documents: redis.Redis, their_migrator: Migrator, url: str
) -> None:
    their_migrator("0x")
    assert run_om("migrate", "run").code == 0
    convert(url)
    assert run_om("migrate", "run").code == 0
    one = next(one for one in planned() if one.name == VISITS)
    fewer = replace(one.index, fields=one.index.fields[:-1], parts=None)
    changed = replace(one, index=fewer)
    (status,) = perform(url, index_statuses([changed]))
    assert status.active is ActiveIndex.OUTDATED
    before = serving(documents, VISITS)
    (result,) = perform(url, migration().run([changed], is_converted({one.key_prefix}), ExpansionOptions()))
    assert (result.outcome, result.repaired) == (IndexOutcome.CUT_OVER, False)
    assert before in perform(url, migration().cleanup()), "it has the previous definition"
