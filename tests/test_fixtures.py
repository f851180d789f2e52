"""The fixtures guard data that is not theirs, and give each test an empty server."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.errors import EmbeddedServerError
from tests.support import servers
from tests.support.servers import GivenServer, given_server, require_binaries

ROOT = Path(__file__).parents[1]


def run_tests(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, with these variables set."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_setting_reaches_a_test() -> None:
    names = [name for name in os.environ if name.startswith(("REDIS_OM_", "REDSTART_"))]
    assert set(names) <= {"REDSTART_TEST_URL", "REDSTART_CORPUS", "REDSTART_SOAK"}


def test_settings_of_the_environment_are_unset() -> None:
    this = f"{__file__}::test_no_setting_reaches_a_test"
    outcome = run_tests(this, REDIS_OM_URL="redis://production:6379", REDSTART_MODELS="shop.models")
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("turn", [1, 2])
def test_the_server_is_empty_when_a_test_begins(client: redis.Redis, turn: int) -> None:
    assert client.dbsize() == 0
    assert client.execute_command("FT._LIST") == []
    client.set("left", "behind")
    client.execute_command("FT.CREATE", "left", "SCHEMA", "a", "TAG")


def test_a_server_that_holds_anything_is_refused_and_kept(
    own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = own_server().url
    monkeypatch.setenv("REDSTART_TEST_URL", url)
    assert given_server() == GivenServer(url)
    with redis.Redis.from_url(url, db=3) as other_database, redis.Redis.from_url(url) as client:
        other_database.set("precious", "yes")
        with pytest.raises(pytest.exit.Exception, match=r"is not empty \(db3"):
            given_server()
        outcome = run_tests(f"{__file__}::test_the_server_is_empty_when_a_test_begins", REDSTART_TEST_URL=url)
        assert outcome.returncode == 4
        assert other_database.get("precious") == b"yes"
        other_database.delete("precious")
        client.execute_command("FT.CREATE", "index", "SCHEMA", "a", "TAG")
        with pytest.raises(pytest.exit.Exception, match="has search indexes"):
            given_server()


def test_an_empty_server_is_used_and_left_empty(own_server: Callable[..., EmbeddedServer]) -> None:
    url = own_server().url
    outcome = run_tests(f"{__file__}::test_the_server_is_empty_when_a_test_begins", REDSTART_TEST_URL=url)
    assert outcome.returncode == 0, outcome.stdout
    with redis.Redis.from_url(url) as client:
        assert client.dbsize() == 0
        assert client.info("commandstats")["cmdstat_flushall"]["calls"] == 3


def test_missing_binaries_skip_here_and_fail_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing() -> None:
        raise EmbeddedServerError("no binaries")

    monkeypatch.setattr(servers, "find_binaries", find_nothing)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no binaries"):
        require_binaries()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no binaries"):
        require_binaries()
