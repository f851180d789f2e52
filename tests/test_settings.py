"""What the environment and pyproject.toml say to models. The same to `om`: tests/cli/test_settings.py."""

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import redis

import redstart.aio
from redstart import DateMigration, Field, HashModel, JsonModel, settings
from redstart.errors import ConfigurationError
from redstart.settings import DEFAULT_URL, naive_timezone, server_url
from tests.support.cli import refused, run_om
from tests.support.models import registry_of_its_own
from tests.support.operations import Operations

NOON = datetime(2023, 1, 1, 12)


@pytest.fixture(autouse=True)
def not_read_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process that has just started, and afterwards as it was."""
    with monkeypatch.context() as patch:
        patch.setattr(settings, "_tables", {})
        patch.setattr(settings, "_zones", {})
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_settings(project: Path) -> None:
    assert server_url() == DEFAULT_URL
    assert naive_timezone().name == "UTC"


def test_a_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.redstart]\nurl = "redis://elsewhere"\nnaive_timezone = "Europe/Berlin"\n', encoding="utf-8"
    )
    inside = project / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert server_url() == "redis://elsewhere"
    assert naive_timezone().microseconds(NOON) == 1_672_570_800_000_000
    assert naive_timezone() is naive_timezone()


def test_the_environment_wins_and_may_change(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.redstart]\nurl = "redis://elsewhere"\nnaive_timezone = "Europe/Berlin"\n', encoding="utf-8"
    )
    for host in "ab":
        monkeypatch.setenv("REDIS_OM_URL", f"redis://{host}")
        assert server_url() == f"redis://{host}"
    monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "Asia/Kolkata")
    assert naive_timezone().name == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("naive_timezone = 'Mars'", "naive_timezone in pyproject.toml: Unknown time zone 'Mars'"),
        ("naive_timezone = 1", "tool.redstart.naive_timezone is 1, not a string"),
        ("naive_timezone =", "cannot be read"),
        (
            "naive_timezon = 'UTC'",
            "unknown setting tool.redstart.naive_timezon. Did you mean 'naive_timezone'?",
        ),
        ("url = []", r"tool.redstart.url is \[\], not a string"),
    ],
)
def test_wrong_settings(project: Path, text: str, reason: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.redstart]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=reason):
        naive_timezone()


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The warnings of Redstart: name of the logger, message."""
    return [
        (record.name, record.getMessage())
        for record in caplog.records
        if record.name.startswith("redstart") and record.levelno == logging.WARNING
    ]


@pytest.mark.parametrize("name", settings.VARIABLES)
@pytest.mark.parametrize("first_use", [server_url, naive_timezone, settings.exclude_prefixes])
def test_a_program_logs_a_misspelt_variable_once(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    first_use: Callable[[], object],
) -> None:
    misspelt = name.replace("D", "DD", 1)
    monkeypatch.setenv(misspelt, "x")
    _ = first_use()
    text = f"Environment variable {misspelt} has no effect. Did you mean {name!r}?"
    assert logged(caplog) == [("redstart.settings", text)]
    _ = naive_timezone(), server_url()
    assert len(logged(caplog)) == 1


def test_a_program_logs_an_excluded_prefix_without_keys(
    project: Path, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", url)
    (project / "pyproject.toml").write_text(
        "[tool.redstart]\nexclude_prefixes = ['app:visit:old:', 'other:']\n", encoding="utf-8"
    )
    with registry_of_its_own():

        class Visit(HashModel, index=True):
            at: datetime = Field(index=True)

            class Meta:
                global_key_prefix = "app"
                model_key_prefix = "visit"

        migration = DateMigration([Visit])
        for operation in (migration.dry_run, migration.run, migration.verify, migration.rollback):
            caplog.clear()
            _ = operation()
            ((name, message),) = logged(caplog)
            assert name == "redstart.migrations.data_migration"
            assert message.startswith("exclude_prefixes in pyproject.toml has 'other:', which has no effect")


PROJECT = '[tool.redstart]\nurl = "{url}"\nnaive_timezone = "{zone}"\n'


def write_project(directory: Path, url: str, zone: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "pyproject.toml").write_text(PROJECT.format(url=url, zone=zone), encoding="utf-8")
    return directory


def test_they_are_those_of_the_directory_in_which_they_were_first_needed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_project(project / "first", "redis://first", "Europe/Berlin"))
    zone = naive_timezone()
    for other in (write_project(project / "second", "redis://second", "Asia/Kolkata"), project):
        monkeypatch.chdir(other)
        assert (server_url(), naive_timezone()) == ("redis://first", zone)


def test_threads_that_change_the_directory_meanwhile(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All see the same settings, whichever they are."""
    directories = [
        write_project(project / zone.replace("/", "_"), f"redis://{zone}", zone)
        for zone in ("Europe/Berlin", "Asia/Kolkata", "America/Lima", "Asia/Tokyo")
    ]
    for _ in range(20):
        settings._tables.clear()
        settings._zones.clear()
        start = Barrier(len(directories))

        def first_use(directory: Path, start: Barrier = start) -> tuple[str, object]:
            start.wait()
            os.chdir(directory)
            return server_url(), naive_timezone()

        with ThreadPoolExecutor(len(directories)) as threads:
            found = set(threads.map(first_use, directories))
        assert len(found) == 1
        ((url, zone),) = found
        assert url == f"redis://{zone.name}"  # type: ignore[attr-defined]
    monkeypatch.chdir(project)


def test_a_fork_keeps_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_project(project / "first", "redis://first", "Europe/Berlin"))
    _ = naive_timezone()
    os.chdir(write_project(project / "second", "redis://second", "Asia/Kolkata"))
    child = os.fork()
    if not child:
        kept = (server_url(), naive_timezone().name) == ("redis://first", "Europe/Berlin")
        os._exit(0 if kept else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("base", [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel])
@pytest.mark.parametrize("is_used_before", [True, False])
def test_the_directory_is_removed(
    base: Any,
    is_used_before: bool,
    project: Path,
    url: str,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a deployment does: the process goes on with its settings. One that starts there has those of variables."""
    with registry_of_its_own():

        class Person(base, index=True):
            name: str = ""
            age: int = Field(default=0, index=True, sortable=True)

            class Meta:
                global_key_prefix = "app"
                model_key_prefix = "person"

        directory = write_project(project / "release", url, "Asia/Kolkata")
        monkeypatch.chdir(directory)
        if is_used_before:
            assert naive_timezone().name == "Asia/Kolkata"
        else:
            monkeypatch.setenv("REDIS_OM_URL", url)
            monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "Asia/Kolkata")
        shutil.rmtree(directory)
        asyncio.run(Operations(Person, client).run(lambda pk: f"app:person:{pk}"))
        assert naive_timezone().microseconds(NOON) == 1_672_554_600_000_000


def test_without_a_directory_and_without_a_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "gone").mkdir()
    monkeypatch.chdir(project / "gone")
    (project / "gone").rmdir()
    assert (server_url(), naive_timezone().name) == (DEFAULT_URL, "UTC")


def test_om_in_a_removed_directory(project: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "gone").mkdir()
    monkeypatch.chdir(project / "gone")
    (project / "gone").rmdir()
    stats = ("--url", url, "migrate-data", "stats", "--json")
    assert run_om(*stats, "--models", "redstart.demo.models").json["documents"] == 0
    refused(run_om(*stats, "--models", "no_such_module"), 2, "no_such_module", "Searched no directory")
