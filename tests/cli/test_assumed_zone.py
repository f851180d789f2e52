"""`om` on a machine that is not in UTC, where nobody said what a datetime without an offset means."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.support.cli import run_om

TOLD = "Datetimes without an offset are interpreted as UTC, but local time is IST."
COMMANDS = ("stats", "check-schema", "run --dry-run", "run --yes")


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("words", COMMANDS)
def test_it_is_said_on_stderr(station: redis.Redis, in_kolkata: None, words: str) -> None:
    found = run_om("migrate-data", *words.split(), "--json")
    assert found.stderr.count(TOLD) == 1
    assert found.stderr.count("REDSTART_NAIVE_TIMEZONE") == 1
    assert found.json


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("said", ["UTC", "local", "Europe/Berlin"])
def test_not_with_a_configured_zone(
    station: redis.Redis, in_kolkata: None, words: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", said)
    assert TOLD not in run_om("migrate-data", *words.split()).text


@pytest.mark.parametrize("words", COMMANDS)
def test_not_in_utc(station: redis.Redis, words: str) -> None:
    assert "interpreted as UTC" not in run_om("migrate-data", *words.split()).text


def test_not_where_no_model_has_datetimes(
    configured: str, in_kolkata: None, write_module: Callable[[str], str]
) -> None:
    name = write_module(
        """
        from datetime import date
        from redstart import HashModel
        class Holiday(HashModel):
            day: date
        """
    )
    assert TOLD not in run_om("migrate-data", "run", "--dry-run", "--models", name).text
