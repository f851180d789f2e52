"""Every command line of the migration guide that is about data, word for word, in the guide's order."""

import shlex

import pytest
import redis

from tests.support.cli import run_om
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
    assert typed(f"om migrate-data verify {words}") == 6
    assert typed("om migrate-data run") == 0
    assert typed(f"om migrate-data verify {words}") == 0
