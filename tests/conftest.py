"""Servers for tests, and an environment without the settings of whoever runs them."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from hypothesis import settings

from redstart.embedded.process import EmbeddedServer
from tests.support.servers import Server, given_server, require_binaries

SWITCHES_OF_THE_TESTS = {
    *("REDSTART_TEST_URL", "REDSTART_CORPUS", "REDSTART_SOAK", "REDSTART_SEED", "REDSTART_OLD_PYTHON"),
}


# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("redstart", deadline=None)
settings.load_profile("redstart")

LONGEST_FIRST = ("tests/docs/test_transcript.py", "tests/migrations/data/test_kill.py", "tests/corpus/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: at the end no worker waits for another."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST_FIRST))


@pytest.fixture(scope="session", autouse=True)
def without_settings() -> Iterator[None]:
    """No test reads the settings of whoever runs it: their `REDIS_OM_URL` may name a server in production."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("REDIS_OM_", "REDSTART_")) and name not in SWITCHES_OF_THE_TESTS:
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def usual_signals() -> Iterator[None]:
    """Signals as in a terminal: a shell starts what it runs in the background with SIGINT ignored, and all below."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def server(without_settings: None) -> Iterator[Server]:
    """One server for all tests: embedded, or that of REDSTART_TEST_URL if it is empty."""
    given = given_server()
    if given is not None:
        yield given
        with redis.Redis.from_url(given.url) as connection:
            connection.flushall(asynchronous=False)
        return
    require_binaries()
    with EmbeddedServer() as embedded:
        # After KEYS on an empty database the hash table of Valkey 9.1 never grows again: one SCAN answers all of it,
        # and tests that need several pages fail, hours later.
        with redis.Redis.from_url(embedded.url) as connection:
            connection.execute_command("ACL", "SETUSER", "default", "-keys")
        yield embedded


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """A client of the server, undecoded; the server is empty when the test begins."""
    with redis.Redis.from_url(server.url, decode_responses=False) as connection:
        connection.execute_command("FLUSHALL", "SYNC")
        yield connection


@pytest.fixture
def url(server: Server, client: redis.Redis) -> str:
    """The URL of the server, which is empty when the test begins."""
    return server.url


@pytest.fixture
def own_server() -> Iterator[Callable[..., EmbeddedServer]]:
    """Starts servers for one test alone: `own_server(append_only=True)`, options as EmbeddedServer's."""
    require_binaries()
    with ExitStack() as started:

        def start(**options: Any) -> EmbeddedServer:
            return started.enter_context(EmbeddedServer(**options))

        yield start
