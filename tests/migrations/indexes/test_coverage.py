"""The coverage check on servers that limit the results of a query."""

from collections.abc import Iterator

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.indexes import coverage
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.coverage import absent_from
from redstart.migrations.indexes.expand import IndexOutcome
from redstart.migrations.indexes.plan import changing_attributes, dual_format_index
from redstart.migrations.indexes.state import built_name, read_records
from redstart.migrations.lease_state import Activity
from redstart.search.schema import create_arguments
from tests.migrations.indexes.conftest import (
    MODELS,
    expand,
    legacy,
    perform,
    planned,
    serving,
    step_back,
    total,
)

__all__ = ["legacy"]  # a fixture

VISITS, SIGHTINGS = "station:visit:index", "station:sighting:index"


@pytest.fixture(params=["RETURN", "FAIL"])
def hurried(legacy: redis.Redis, url: str, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """A server that returns at most 7 results, and stops a query after a millisecond."""
    settings = {"TIMEOUT": 1, "ON_TIMEOUT": request.param, "MAXSEARCHRESULTS": 7}
    with redis.Redis.from_url(url, protocol=2) as asking:
        found = {name: asking.execute_command("FT.CONFIG", "GET", name)[0][1] for name in settings}
    for name, value in settings.items():
        legacy.execute_command("FT.CONFIG", "SET", name, value)
    yield legacy
    for name, value in found.items():
        legacy.execute_command("FT.CONFIG", "SET", name, value)


def test_every_key_is_asked_for(hurried: redis.Redis, url: str) -> None:
    keys = list(hurried.scan_iter("station:visit:*", 1_000, _type="hash"))
    assert len(keys) > 7
    assert perform(url, absent_from(VISITS, [*keys, b"station:visit:nobody"])) == [b"station:visit:nobody"]


def test_indexes_are_brought_up_to_date(hurried: redis.Redis, url: str) -> None:
    before = {model._meta.index_name: total(hurried, model._meta.index_name) for model in MODELS}
    assert {one.outcome for one in expand(url).values()} == {IndexOutcome.EXPANDED}
    assert {name: total(hurried, name) for name in before} == before


def test_an_index_that_its_scan_left_incomplete_is_built_again(legacy: redis.Redis, url: str) -> None:
    """A document that is renamed during the scan is missing from the index."""
    (one,) = (one for one in planned() if one.name == SIGHTINGS)
    before = total(legacy, SIGHTINGS)
    old = perform(url, find_index(SIGHTINGS)).index
    tolerant = dual_format_index(old, changing_attributes(old, one), supports_path_filters=True)
    name = built_name(SIGHTINGS, tolerant)
    words = create_arguments(tolerant, name=name)
    at = words.index("SCHEMA")
    legacy.execute_command("FT.CREATE", *words[:at], "SKIPINITIALSCAN", *words[at:])
    assert total(legacy, name) == 0
    assert expand(url)[SIGHTINGS].outcome is IndexOutcome.EXPANDED
    assert (serving(legacy, SIGHTINGS), total(legacy, SIGHTINGS)) == (name, before)


def test_an_index_whose_name_is_not_text_is_ignored(legacy: redis.Redis, url: str) -> None:
    legacy.execute_command("FT.CREATE", b"\xff\xfe", "PREFIX", "1", "other:", "SCHEMA", "a", "TAG")
    expand(url)
    step_back(url)
    assert b"\xff\xfe" in legacy.execute_command("FT._LIST")


def test_differences_of_many_pages_are_waited_for_together(
    legacy: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document of each page is missing from the index: they are looked up again together."""
    pages, pauses = 0, 0

    def keep(_: Activity) -> Op[None]:
        nonlocal pages
        pages += 1
        yield from ()

    def counted(seconds: float) -> Op[None]:
        nonlocal pauses
        pauses += 1
        yield from ()

    monkeypatch.setattr(coverage, "_PAGE_KEYS", 10)
    monkeypatch.setattr(coverage, "pause", counted)
    assert expand(url)[SIGHTINGS].outcome is IndexOutcome.EXPANDED
    keys = sorted(legacy.scan_iter("station:sighting:*"))
    for key in keys[:9]:
        legacy.execute_command("JSON.SET", key, "$.species", "{}")
    (record,) = (one for one in perform(url, read_records()).values() if one.name == SIGHTINGS)
    found = perform(url, coverage.check_coverage(keep, serving(legacy, SIGHTINGS), None, record))
    assert (found.documents, found.missing, sorted(found.examples)) == (100, 9, keys[:9])
    assert (pages > 9, pauses) == (True, 5)
