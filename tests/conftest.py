"""Servers for tests, and an environment without the settings of whoever runs them."""

import gc
import os
import signal
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from hashlib import sha256
from typing import Any

import pytest
import redis
from hypothesis import settings

from redstart.devserver.process import EmbeddedServer
from redstart.next_steps import Command, Hint
from tests.support.demo_run import DemoRun, run_demo_once
from tests.support.servers import Server, given_server, require_binaries, use_other_server
from tests.support.soak import SOAK

SWITCHES_OF_THE_TESTS = {
    *(
        "REDSTART_TEST_URL",
        "REDSTART_TEST_SERVER",
        "REDSTART_CORPUS",
        "REDSTART_SOAK",
        "REDSTART_SEED",
        "REDSTART_OLD_PYTHON",
    ),
}


# How long an example takes says how busy the machine is, not whether the code is right. A test that needs more than
# these few examples sets its own number.
settings.register_profile("test", deadline=None, max_examples=30)
settings.register_profile("soak", deadline=None, max_examples=500)
settings.load_profile("soak" if SOAK else "test")

use_other_server()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without the garbage collector, which would look through modules and tests for half of the time.

    They stay until the end, so that it need not look at them later either.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


LONGEST_FIRST = (
    *("tests/corpus/", "tests/migrations/data/test_crash.py", "tests/migrations/data/test_kill.py"),
    "tests/docs/test_site.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort what takes longest to the start: at the end no worker waits for another.

    First come the tests that look at the one run of the demo: next to each other, they get to one worker, so that no
    other runs it again. So do those that look at the built site. Tests with generated examples belong to the soak,
    which has more of them.
    """
    _select_samples(config, items)
    items.sort(
        key=lambda item: ("demo_run" not in _fixtures(item), not item.nodeid.startswith(LONGEST_FIRST))
    )
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("soak")


def _select_samples(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out parameter sets of tests that are marked with `sample(cases)`; `make soak` runs all of them.

    The choice is by digest: the same in each process, and spread over the combinations of several parameters.
    """
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sample") is not None:
            item.add_marker("soak")
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    if SOAK:
        return
    left_out: set[pytest.Item] = set()
    for members in cases.values():
        mark = members[0].get_closest_marker("sample")
        assert mark is not None
        members.sort(key=lambda item: sha256(item.nodeid.encode()).digest())
        left_out.update(members[mark.args[0] :])
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else ()


@pytest.fixture(scope="session", autouse=True)
def hints_stay_objects() -> Iterator[None]:
    """A hint in an f-string would be plain text, and `om` could not add the server to its commands: use `Hint(...)`.

    `{hint!s}` is for texts that only programs read.
    """

    def refuse(self: Command | Hint, _: str) -> str:
        raise AssertionError(f"{self!r} was formatted as text")

    with pytest.MonkeyPatch.context() as patch:
        for kind in (Command, Hint):
            patch.setattr(kind, "__format__", refuse)
        yield


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


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    """Parse files once: redis-py reads its metadata for each connection, `om` pyproject.toml for each command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis.utils, "get_lib_version", cache(redis.utils.get_lib_version))
        patch.setattr(tomllib, "loads", cache(tomllib.loads))
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of asynchronous tests and fixtures: asyncio's; each test has its own."""
    return "asyncio"


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


@pytest.fixture(scope="session")
def demo_run(without_settings: None, usual_signals: None) -> DemoRun:
    """The demo, run once on few documents; see tests/support/demo_run.py."""
    require_binaries()
    return run_demo_once()


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
