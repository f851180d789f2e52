"""Every command line of the migration guide, word for word, in the guide's order: data alone, then with indexes."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis

from redstart.demo.models import Sighting, Visit
from redstart.errors import IndexOutdatedError
from tests.migrations.indexes.conftest import MODELS, drop_all, make_legacy_indexes, serving, total
from tests.support.cli import run_om
from tests.support.replies import replies
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

BEFORE = [
    "om migrate-data stats",
    "om migrate-data status",
    "om migrate-data status --detailed",
    "om migrate-data progress",
]
RUNS = [
    "om migrate-data run",
    "om migrate-data run --failure-mode log_and_skip --batch-size 1000 --max-errors 100 --verbose",
    "om migrate-data run --verbose",
    "om migrate-data run --batch-size 500",
    "om migrate-data run --batch-size 500 --verbose",
    "om migrate-data run --max-errors 1000 --failure-mode log_and_skip",
    "om migrate-data run --failure-mode default",
]
AFTER = [
    "om migrate-data verify",
    "om migrate-data stats --verbose",
]
ROLLBACK = "om migrate-data rollback 001_datetime_fields_to_timestamps"


def typed(line: str) -> int:
    words = shlex.split(line)
    assert words[0] == "om"
    return run_om(*words[1:]).code


@pytest.mark.parametrize("line", RUNS)
def test_the_guide_step_by_step(station: redis.Redis, line: str) -> None:
    before = snapshot(station)
    assert [typed(step) for step in BEFORE] == [0] * len(BEFORE)
    assert typed("om migrate-data run --dry-run") == 0
    assert difference(before, snapshot(station)) == []

    assert typed(line) == 0
    assert [typed(step) for step in (*AFTER, *BEFORE)] == [0] * (len(AFTER) + len(BEFORE))
    assert typed("om migrate-data clear-progress") == 0
    assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) != []

    assert typed(ROLLBACK) == 0
    assert difference(before, snapshot(station)) == []


@pytest.mark.parametrize("words", ["--check-data", "--check-data --verbose"])
def test_verify_with_data_integrity_checks(station: redis.Redis, words: str) -> None:
    assert typed(f"om migrate-data verify {words}") == 3
    assert typed("om migrate-data run") == 0
    assert typed("om migrate-data verify") == 0
    # What did not convert is recorded, but no model reads its document.
    found = run_om("migrate-data", "verify", *words.split(), "--json")
    assert (found.code, found.json["unreadable"] > 0) == (6, True)
    station.delete(*{problem["key"] for problem in found.json["problems"]})
    assert typed(f"om migrate-data verify {words}") == 0


STEP_BY_STEP = [
    "om migrate-data stats",
    "om migrate-data status --detailed",
    "om migrate run",
    "om migrate-data run --verbose",
    "om migrate-data verify --check-data",
]
IN_TROUBLE = [
    "om migrate-data status --detailed",
    "om migrate-data verify --check-data --verbose",
    "om migrate-data stats --verbose",
    "om migrate-data progress",
]
DATES = {"visit": ("arrived_at", "left_at", "permit_until"), "sighting": ("ringed_at", "hatched_on")}
ALL_TIMES = "@{}:[-inf +inf]"


@pytest.fixture
def indexed(configured: str, client: redis.Redis, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """60 documents with the indexes of redis-om 0.3.5; a parameter is the share of dirty values."""
    drop_all(client)
    load_sample(client, 60, dirty_share=request.param)
    make_legacy_indexes(client)
    yield client
    drop_all(client)


def names() -> list[str]:
    return [model._meta.index_name for model in MODELS]


def found(client: redis.Redis) -> list[int]:
    return [total(client, name) for name in names()]


def finds_no_less(client: redis.Redis, counts: list[int]) -> bool:
    """More it may find: what the old index left out, as a number in a date field."""
    return all(now >= then for now, then in zip(found(client), counts, strict=True))


def dates_found(client: redis.Redis) -> list[int]:
    """How many documents a range over all times finds, for each indexed date."""
    return [
        total(client, f"station:{model}:index", ALL_TIMES.format(field))
        for model, fields in DATES.items()
        for field in fields
    ]


def sorted_dates(url: str, index: str, field: str) -> list[float]:
    search = (
        "FT.SEARCH",
        index,
        ALL_TIMES.format(field),
        "SORTBY",
        field,
        "RETURN",
        1,
        field,
        "LIMIT",
        0,
        100,
    )
    with redis.Redis.from_url(url, protocol=2) as client:
        client.response_callbacks.clear()
        rows: list[list[bytes]] = client.execute_command(*search)[2::2]
        return [float(row[row.index(field.encode()) + 1]) for row in rows]


@pytest.mark.parametrize("indexed", [0], indirect=True)
def test_step_by_step_with_indexes(indexed: redis.Redis, configured: str) -> None:
    before, counts = snapshot(indexed), found(indexed)
    assert dates_found(indexed) == [0] * 5, "tags: a range finds nothing"

    for step in STEP_BY_STEP:
        assert typed(step) == 0, step
        assert found(indexed) == counts, step

    assert min(dates_found(indexed)) > 0
    for model, fields in DATES.items():
        for field in fields:
            in_order = sorted_dates(configured, f"station:{model}:index", field)
            assert in_order == sorted(in_order)
            assert len(in_order) == total(indexed, f"station:{model}:index", ALL_TIMES.format(field))
    assert [typed(line) for line in IN_TROUBLE] == [0] * len(IN_TROUBLE)

    assert typed(ROLLBACK) == 0
    assert found(indexed) == counts
    assert dates_found(indexed) == [0] * 5
    assert difference(before, snapshot(indexed)) == []


@pytest.mark.parametrize("indexed", [0.1], indirect=True)
def test_step_by_step_with_values_that_do_not_convert(indexed: redis.Redis) -> None:
    """The cut-over is refused, nothing drops out, and the guide's own way on leads through."""
    before, counts = snapshot(indexed), found(indexed)
    assert [typed(step) for step in STEP_BY_STEP] == [0, 0, 0, 3, 6]
    assert finds_no_less(indexed, counts)
    assert typed("om migrate-data run") == 3

    assert typed("om migrate-data run --failure-mode default") == 0
    # No mode makes a date of a null.
    problems = run_om("migrate-data", "verify", "--check-data", "--json").json["problems"]
    assert all(
        replies(indexed, [("JSON.TYPE", one["key"], "$." + one["path"])]) == [[b"null"]] for one in problems
    )
    assert finds_no_less(indexed, counts)
    assert [serving(indexed, name) != name for name in names()] == [True] * len(MODELS)

    assert typed(ROLLBACK) == 0
    assert found(indexed) == counts
    assert difference(before, snapshot(indexed)) == []


@pytest.mark.parametrize("indexed", [0.1], indirect=True)
def test_status_says_that_a_refused_cut_over_waits(indexed: redis.Redis) -> None:
    waits = "To finish the cutover, stop the old version, then do one of:"
    assert waits not in run_om("migrate-data", "status").stdout
    assert typed("om migrate-data run") == 3
    assert waits in run_om("migrate-data", "status").stdout
    assert typed("om migrate-data run --failure-mode default") == 0
    assert waits not in run_om("migrate-data", "status").stdout


@pytest.mark.parametrize("line", ["om migrate-data stats", "om migrate-data run --dry-run"])
def test_looking_tells_of_a_server_that_a_run_would_refuse(station: redis.Redis, line: str) -> None:
    said = ("A run would be refused.", " CONFIG SET maxmemory-policy noeviction")
    words = shlex.split(line)[1:]
    assert not any(text in run_om(*words).stdout for text in said)
    station.config_set("maxmemory-policy", "allkeys-lru")
    try:
        shown = run_om(*words)
    finally:
        station.config_set("maxmemory-policy", "noeviction")
    assert shown.code == 0
    assert all(text in shown.stdout for text in said)


def test_a_dry_run_tells_a_script_of_it(station: redis.Redis) -> None:
    words = ("migrate-data", "run", "--dry-run", "--json")
    assert run_om(*words).json["refusal"] is None
    station.config_set("maxmemory-policy", "allkeys-lru")
    try:
        refusal, error = run_om(*words).json["refusal"], run_om("migrate-data", "run", "--json").json
    finally:
        station.config_set("maxmemory-policy", "noeviction")
    assert refusal == f"{error['error']}\n{error['hint']}"


def test_verify_names_the_run_only_where_a_run_helps(station: redis.Redis) -> None:
    helps = "Convert values in text format with: om migrate-data run"
    assert "Convert with: om migrate-data run" in run_om("migrate-data", "verify").stdout
    assert typed("om migrate-data run") == 0
    station.hset("station:visit:late", "arrived_at", "2020-01-01")
    assert helps in run_om("migrate-data", "verify").stdout
    assert station.delete("station:visit:late")
    station.hset("station:visit:V-0000000", "arrived_at", "no date at all")
    shown = run_om("migrate-data", "verify")
    assert (shown.code, "Verification found 1 problem." in shown.stdout, helps in shown.stdout) == (
        6,
        True,
        False,
    )


@pytest.mark.parametrize("indexed", [0], indirect=True)
def test_migrate_run_alone_changes_no_document_and_no_answer(indexed: redis.Redis) -> None:
    before, counts = snapshot(indexed), found(indexed)
    assert [typed("om migrate run"), typed("om migrate run")] == [0, 0]
    assert found(indexed) == counts
    assert difference(before, snapshot(indexed, exclude_prefixes=STATE_PREFIXES)) == []


@pytest.mark.parametrize("indexed", [0], indirect=True)
def test_a_query_by_date_is_refused_before_the_cut_over(indexed: redis.Redis) -> None:
    """As docs/index-migration.md warns; and finds everything after it."""
    long_ago = datetime(1900, 1, 1, tzinfo=UTC)

    queries = [Visit.find(Visit.arrived_at > long_ago), Sighting.find(Sighting.ringed_at > long_ago)]

    def sorted_by_date() -> list[int]:
        return [
            len(Visit.find().sort_by("arrived_at").all()),
            len(Sighting.find().sort_by("ringed_at").all()),
        ]

    everything = sorted_by_date()
    for line, code in (
        ("om migrate status", 0),
        ("om migrate run", 0),
        ("om migrate-data run --limit-documents 30", 5),
    ):
        assert typed(line) == code
        for query in queries:
            with pytest.raises(IndexOutdatedError, match="om migrate-data run"):
                query.count()
        assert sorted_by_date() == everything
    assert typed("om migrate-data run") == 0
    assert [query.count() for query in queries] == sorted_by_date() == everything


@pytest.mark.parametrize("line", ["om migrate", "om migrate-data", "om"])
def test_a_bare_command_prints_help(line: str) -> None:
    shown = run_om(*shlex.split(line)[1:])
    assert shown.code == 2
    assert f"Usage: {line} [OPTIONS] COMMAND" in shown.text
    assert "  run " in shown.text or "  migrate " in shown.text
