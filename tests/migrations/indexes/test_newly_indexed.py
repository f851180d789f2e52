"""Dates that are indexed for the first time: the old index accepts both formats, the new one only numbers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.migrator import none_converted
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.search.schema import Index, create_arguments
from tests.cli.conftest import configured
from tests.migrations.indexes.conftest import (
    drop_all,
    migration,
    perform,
    planned,
    readers,
    serving,
    total,
    wait_until_built,
)
from tests.support.cli import run_om
from tests.support.sample import load_sample

__all__ = ["configured"]  # a fixture

VISITS, SIGHTINGS = "station:visit:index", "station:sighting:index"


def without_dates(one: PlannedIndex) -> Index:
    fields = tuple(field for field in one.index.fields if field.attribute not in one.attributes)
    return replace(one.index, fields=fields, parts=None)


@pytest.fixture
def station(client: redis.Redis) -> Iterator[redis.Redis]:
    """Documents of 0.3.5, under indexes without a date."""
    drop_all(client)
    load_sample(client, 90, dirty_share=0, field_expiries=False)
    for one in planned():
        client.execute_command("FT.CREATE", *create_arguments(without_dates(one)))
    wait_until_built(client, [one.name for one in planned()])
    yield client
    drop_all(client)


def test_the_old_index_is_active_until_the_data_is_converted(
    station: redis.Redis, configured: str, url: str
) -> None:
    with readers(url, station) as look:
        ready = run_om("migrate", "run")
        assert (ready.code, ready.stdout.count("the new index is ready; the cutover follows")) == (
            0,
            len(planned()),
        )
        assert run_om("migrate", "run").code == 0
        look()
        assert run_om("migrate", "status").stdout.endswith("om migrate-data run\n")
        assert serving(station, SIGHTINGS) == SIGHTINGS
        assert run_om("migrate-data", "run").code == 0
        look()
        assert run_om("migrate", "status", "--check").code == 0
        assert total(station, VISITS, "@arrived_at:[-inf +inf]") == total(station, VISITS)
        assert total(station, SIGHTINGS, "@ringed_at:[-inf +inf]") == total(station, SIGHTINGS)
        assert run_om("migrate-data", "rollback", ID).code == 0
        look()
    assert run_om("migrate", "status", "--check").code == 3


def test_the_run_over_the_data_does_not_cut_over_too_early(station: redis.Redis, url: str) -> None:
    with readers(url, station):
        results = perform(
            url, migration().run(planned(), none_converted, ExpansionOptions(accept_unindexed=True))
        )
        assert {one.outcome for one in results} == {IndexOutcome.EXPANDED}


def test_documents_that_all_fit_need_not_wait(station: redis.Redis, configured: str) -> None:
    """As in a project that never used 0.x: a date is new in the model, and no document has it."""
    for key in station.scan_iter("station:visit:*", 1_000, _type="hash"):
        station.hdel(key, "arrived_at", "left_at", "permit_until")
    done = run_om("migrate", "run")
    assert (done.code, f"{VISITS}: cut over" in done.stdout) == (0, True)
    assert serving(station, VISITS).startswith(f"{VISITS}@")


def test_drift_in_between_is_repaired(station: redis.Redis, configured: str) -> None:
    assert run_om("migrate", "run").code == 0
    before = {one.name: total(station, one.name) for one in planned()}
    for one in planned():
        station.execute_command("FT.DROPINDEX", one.name)
        station.execute_command("FT.CREATE", *create_arguments(one.index))
    wait_until_built(station, list(before))
    assert run_om("migrate", "status").stdout.count("another tool (for example redis-om's Migrator)") == len(
        before
    )
    assert run_om("migrate", "run").code == 0
    assert {name: total(station, name) for name in before} == before
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate", "status", "--check").code == 0
    assert {name: total(station, name) for name in before} == before
