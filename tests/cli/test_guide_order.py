"""The guide's order with a rolling deployment: the new application writes numbers before `om migrate-data run`.

By then these are numbers of before; `rollback --reformat-preexisting` turns them, too, into the old form.
"""

import importlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from redstart.migrations.context import Monitor
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.migrations.indexes.conftest import drop_all, total, wait_until_built
from tests.support.cli import Ended, run_om

MODELS = """\
from datetime import date, datetime
from redstart import Field, HashModel, JsonModel

class Trip(JsonModel, index=True):
    number: str = Field(primary_key=True)
    at: datetime = Field(index=True)
    on: date = Field(index=True)
    stops: list[datetime] = []

    class Meta:
        global_key_prefix = "guide"
        model_key_prefix = "trip"
        index_name = "guide:trip:index"

class Fare(HashModel, index=True):
    number: str = Field(primary_key=True)
    at: datetime = Field(index=True)

    class Meta:
        global_key_prefix = "guide"
        model_key_prefix = "fare"
        index_name = "guide:fare:index"
"""
TRIPS, FARES = "guide:trip:index", "guide:fare:index"
OLD_TRIPS = ["$.number", "AS", "number", "TAG", "$.at", "AS", "at", "TAG", "$.on", "AS", "on", "TAG"]
OLD_FARES = ["number", "TAG", "at", "TAG"]

OLD_TEXTS = ["2023-01-01T12:00:00", "2023-01-01 12:00:00.5", "2023-01-01T12:00:00Z"]
"""More spellings than the old application had, so that a value that is written anew is not what it was."""

AFTER_THE_RUN = datetime(2024, 5, 6, 7, 8, 9, 250_000, UTC)
BEFORE_THE_RUN = datetime(2024, 2, 29, 23, 59, 59, 500_000, UTC)

ROLLBACK = ("migrate-data", "rollback", ID, "--yes")
REFORMATTING = "--reformat-preexisting"

rollback_command = importlib.import_module("redstart.cli.migrate_data.rollback")


def write_as_the_old_application(client: redis.Redis) -> None:
    for number in range(30):
        text = OLD_TEXTS[number % 3]
        document = {"number": str(number), "at": text, "on": "2023-01-01", "stops": [text, text]}
        client.execute_command("JSON.SET", f"guide:trip:{number}", "$", json.dumps(document))
        client.hset(f"guide:fare:{number}", mapping={"number": str(number), "at": text})
    for index, kind, prefix, fields in (
        (TRIPS, "JSON", "guide:trip:", OLD_TRIPS),
        (FARES, "HASH", "guide:fare:", OLD_FARES),
    ):
        client.execute_command("FT.CREATE", index, "ON", kind, "PREFIX", 1, prefix, "SCHEMA", *fields)
    wait_until_built(client, [TRIPS, FARES])


@pytest.fixture
def deployed(
    client: redis.Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[redis.Redis]:
    """The guide's way up to the end of the run: some numbers are older than its census."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "guide_models")
    (tmp_path / "guide_models.py").write_text(MODELS)
    write_as_the_old_application(client)
    assert run_om("migrate", "run", "--yes").code == 0
    new_application(BEFORE_THE_RUN, "before", "2")
    assert run_om("migrate-data", "run", "--yes").code == 0
    new_application(AFTER_THE_RUN, "after", "5")
    yield client
    drop_all(client)


def new_application(at: datetime, *numbers: str) -> None:
    models = importlib.import_module("guide_models")
    for number in numbers:
        models.Trip(number=number, at=at, on=at.date(), stops=[at]).save()
        models.Fare(number=number, at=at).save()


def as_the_old_application_left_them(client: redis.Redis, number: int) -> None:
    text = OLD_TEXTS[number % 3]
    found = client.execute_command("JSON.GET", f"guide:trip:{number}").decode()
    assert found == (f'{{"number":"{number}","at":"{text}","on":"2023-01-01","stops":["{text}","{text}"]}}')
    assert client.hget(f"guide:fare:{number}", "at") == text.encode()


OLD_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|\+00:00)?")


def reads(text: str, at: datetime) -> None:
    """The old application takes this text, and for this instant."""
    assert OLD_DATETIME.fullmatch(text), text
    found = datetime.fromisoformat(text)
    assert found.replace(tzinfo=found.tzinfo or UTC) == at


def with_the_new_applications(client: redis.Redis) -> None:
    for number, at in (
        ("before", BEFORE_THE_RUN),
        ("2", BEFORE_THE_RUN),
        ("after", AFTER_THE_RUN),
        ("5", AFTER_THE_RUN),
    ):
        trip = json.loads(client.execute_command("JSON.GET", f"guide:trip:{number}"))
        assert trip["on"] == at.date().isoformat()
        for text in (trip["at"], *trip["stops"], client.hget(f"guide:fare:{number}", "at").decode()):
            reads(text, at)


def whole(client: redis.Redis, ended: Ended) -> None:
    assert ended.code == 0, ended.text
    for number in set(range(30)) - {2, 5}:
        as_the_old_application_left_them(client, number)
    with_the_new_applications(client)
    assert total(client, TRIPS) == total(client, FARES) == 32
    assert list(client.scan_iter("redstart:*")) == []


def test_preexisting_numbers_are_the_old_applications_again(deployed: redis.Redis) -> None:
    whole(deployed, run_om(*ROLLBACK, REFORMATTING))


def test_a_dry_run_counts_them(deployed: redis.Redis) -> None:
    left = run_om(*ROLLBACK, "--dry-run", "--json").json
    assert (left["preexisting_numbers"], left["rewritten_as_text"]) == (8, 8)
    taken = run_om(*ROLLBACK, "--dry-run", "--json", REFORMATTING).json
    assert (taken["preexisting_numbers"], taken["preexisting_values"], taken["rewritten_as_text"]) == (
        0,
        [],
        16,
    )
    done = run_om(*ROLLBACK, "--json", REFORMATTING).json
    same = ("restored_exactly", "rewritten_as_text", "not_reversible", "preexisting_numbers")
    assert {name: done[name] for name in same} == {name: taken[name] for name in same}


def test_without_the_option_the_next_steps_lead_to_the_same_end(deployed: redis.Redis) -> None:
    refused = run_om(*ROLLBACK)
    assert refused.code == 3
    assert f"om migrate-data rollback {ID} {REFORMATTING}" in refused.stdout
    new_application(AFTER_THE_RUN, "after", "5")
    assert run_om("migrate-data", "run", "--yes").code == 0
    whole(deployed, run_om(*ROLLBACK, REFORMATTING))


def test_a_dry_run_names_the_option(deployed: redis.Redis) -> None:
    assert REFORMATTING in run_om(*ROLLBACK, "--dry-run").stdout


def test_the_command_to_resume_has_the_option(deployed: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rollback_command, "stop_on_signal", stopping_at_once)
        found = run_om(*ROLLBACK, REFORMATTING, "--batch-size", "7", "--yes")
    resume = f"Resume with: om migrate-data rollback {ID} {REFORMATTING} --batch-size 7\n"
    assert (found.code, resume in found.stdout) == (5, True), found.stdout
    whole(deployed, run_om(*ROLLBACK, REFORMATTING))


@contextmanager
def stopping_at_once(monitor: Monitor) -> Iterator[None]:
    monitor.stop_requested = lambda: True
    yield
