"""The fixtures, in projects that only install Redstart: each test runs pytest as such a project does."""

import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from tests.support.pytest_project import run_pytest

MODELS = """
import redis

from redstart import Field, HashModel
from redstart.aio import JsonModel


class User(HashModel, index=True):
    name: str = Field(index=True)


class Visit(JsonModel, index=True):
    site: str = Field(index=True)

    class Meta:
        database = redis.asyncio.Redis(host="production.invalid")
"""
TESTS = """
import asyncio

from app import User, Visit


def documents(client):
    return [key for key in client.scan_iter() if ":index:" not in key and not key.startswith("redstart:")]


def test_sync(redstart_database):
    assert documents(redstart_database) == []
    User(pk="1", name="Ann").save()
    assert User.find(User.name == "Ann").first().pk == "1"
    assert documents(redstart_database) == [User.get("1").key()]


def test_async(redstart_database):
    async def scenario():
        await Visit(pk="1", site="pier").save()
        assert (await Visit.find(Visit.site == "pier").first()).pk == "1"

    asyncio.run(scenario())
    assert len(documents(redstart_database)) == 1


def test_url(redstart_url, redstart_server):
    assert redstart_url == redstart_server.url
    assert list(User.all_pks()) == []
    User(pk="2", name="Bob").save()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three tests."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "app.py").write_text(MODELS)
    (root / "test_app.py").write_text(TESTS)
    return root


def outcome(ran: subprocess.CompletedProcess[str]) -> str:
    return ran.stdout.splitlines()[-1] if ran.stdout else ran.stderr


@pytest.mark.sample(1)
@pytest.mark.parametrize("options", [["-n", "2"], ["-W", "error"]])
def test_three_tests_pass_without_configuration(project: Path, options: list[str]) -> None:
    ran = run_pytest(project, *options)
    assert (ran.returncode, "3 passed" in outcome(ran)) == (0, True), ran.stdout + ran.stderr


@pytest.mark.sample(0)
def test_each_worker_has_a_server(project: Path) -> None:
    (project / "test_app.py").write_text(
        "import pathlib, pytest\n"
        "@pytest.mark.parametrize('number', range(6))\n"
        "def test_one(redstart_server, worker_id, number):\n"
        "    pathlib.Path(f'{worker_id}-{number}.url').write_text(redstart_server.url)\n"
    )
    ran = run_pytest(project, "-n", "2")
    assert "6 passed" in outcome(ran), ran.stdout
    urls: dict[str, set[str]] = {}
    for path in project.glob("*.url"):
        urls.setdefault(path.name.partition("-")[0], set()).add(path.read_text())
    assert [len(found) for found in urls.values()] == [1, 1]
    assert len(set.union(*urls.values())) == 2


@pytest.mark.sample(0)
def test_a_given_server_is_used_and_emptied(project: Path) -> None:
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        (project / "pytest.ini").write_text(f"[pytest]\nredstart_url = {server.url}\n")
        ran = run_pytest(project)
        assert "3 passed" in outcome(ran), ran.stdout + ran.stderr
        assert (client.dbsize(), client.execute_command("FT._LIST")) == (0, [])
        assert client.info("commandstats")["cmdstat_flushall"]["calls"] == 4


def test_a_server_that_is_not_empty_is_refused(project: Path) -> None:
    with EmbeddedServer() as server, redis.Redis.from_url(server.url) as client:
        client.execute_command("SELECT", 3)
        client.set("mine", "1")
        ran = run_pytest(project, "--redstart-url", server.url)
        assert "3 errors" in outcome(ran)
        assert "The server is not empty (db3: keys=1" in ran.stdout
        assert "cmdstat_flushall" not in client.info("commandstats")


@pytest.mark.sample(0)
def test_a_given_server_is_refused_for_several_workers(project: Path) -> None:
    with EmbeddedServer() as server:
        ran = run_pytest(project, "--redstart-url", server.url, "-n", "2")
        assert "3 errors" in outcome(ran)
        assert "2 workers cannot share one server" in ran.stdout


def test_an_unreachable_server_is_one_clear_error(project: Path) -> None:
    ran = run_pytest(project, "--redstart-url", "redis://:secret@127.0.0.1:1")
    assert "3 errors" in outcome(ran)
    assert "127.0.0.1:1" in ran.stdout
    assert "secret" not in ran.stdout.replace("--redstart-url redis://:secret@127.0.0.1:1", "")


def test_runs_that_do_not_use_it_load_nothing(project: Path) -> None:
    (project / "test_app.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    loaded = {name for name in sys.modules if name.partition('.')[0] in ('redis', 'pydantic', 'redstart')}\n"
        "    assert loaded - {'redstart.pytest_plugin'} <= {'redstart'}\n"
    )
    ran = run_pytest(project)
    assert "1 passed" in outcome(ran), ran.stdout
    assert "--redstart-url" in run_pytest(project, "--help").stdout
    without = run_pytest(project, "-p", "no:redstart", "--fixtures")
    assert "redstart_url" not in without.stdout


def test_the_installed_package_names_the_plugin() -> None:
    named = {one.value for one in entry_points(group="pytest11") if one.name == "redstart"}
    assert named <= {"redstart.pytest_plugin"}  # empty in an environment that was made before the plugin
