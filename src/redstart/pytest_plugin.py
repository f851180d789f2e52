"""Fixtures for pytest: a server for tests, and an empty database for each test.

pytest loads this module in every run. So it imports nothing of Redstart until a test uses a fixture.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    import redis

OPTION = "--redstart-url"
SETTING = "redstart_url"
HELP = (
    "URL of an empty server for the tests, in place of a development server. It is emptied before each test and at the "
    "end."
)


class Server(Protocol):
    """A server for tests."""

    @property
    def url(self) -> str:
        """Its URL."""


class GivenServer:
    """A server that the fixtures did not start.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        self.url = url


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option and the setting."""
    parser.getgroup("redstart").addoption(OPTION, metavar="URL", help=HELP)
    parser.addini(SETTING, HELP, default="")


@pytest.fixture(scope="session")
def redstart_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with JSON and search, one for each worker of pytest-xdist. Its `url` is a Redis URL.

    It is a development server, or the server of `--redstart-url` or the setting `redstart_url`, if it is empty.
    """
    from redstart.devserver import EmbeddedServer  # noqa: PLC0415 - only for tests that use it
    from redstart.errors import RedstartError  # noqa: PLC0415 - as above

    url = request.config.getoption(OPTION) or request.config.getini(SETTING)
    if url:
        _require_own(url)
        yield GivenServer(url)
        _empty(url)
        return
    server = EmbeddedServer()
    try:
        server.start()
    except RedstartError as error:
        pytest.fail(f"{error}\nOr name an empty server with {OPTION}.", pytrace=False)
    yield server
    server.stop()


@pytest.fixture
def redstart_url(redstart_server: Server) -> Iterator[str]:
    """The URL of `redstart_server`. The server is empty, and models use it, sync and async, as long as the test runs.

    Models find it in REDIS_OM_URL. A client in `Meta.database` of an imported model is not used; the client that an
    overridden `db()` returns is.
    """
    from redstart.mapping.base_model import registered_models  # noqa: PLC0415 - only for tests that use it
    from redstart.mapping.meta import named_database  # noqa: PLC0415 - as above

    _empty(redstart_server.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_OM_URL", redstart_server.url)
        for model in registered_models():
            if named_database(model.Meta) is not None:
                patch.setattr(model.Meta, "database", None)
        yield redstart_server.url


@pytest.fixture
def redstart_database(redstart_url: str) -> "Iterator[redis.Redis]":
    """A client of the empty server of `redstart_url`, with the indexes of all imported models, sync and async.

    It decodes replies.
    """
    from redstart import Migrator, get_redis_connection  # noqa: PLC0415 - only for tests that use it

    client = get_redis_connection(url=redstart_url)
    Migrator(conn=client).run()
    yield client
    client.close()


def _require_own(url: str) -> None:
    """Fail if a given server is not empty, or if other workers would use it, too."""
    from redstart.errors import RedstartError  # noqa: PLC0415 - only for tests that use it
    from redstart.server.clients import open_sync  # noqa: PLC0415 - as above
    from redstart.testing.server_check import require_empty  # noqa: PLC0415 - as above

    workers = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    if workers != "1":
        pytest.fail(
            f"{workers} workers cannot share one server: each empties it. Run pytest without -n, or without {OPTION}: "
            "then each worker starts a server.",
            pytrace=False,
        )
    try:
        with open_sync(url) as driver:
            driver.run(require_empty())
    except RedstartError as error:
        pytest.fail(str(error), pytrace=False)


def _empty(url: str) -> None:
    from redstart.server.clients import open_sync  # noqa: PLC0415 - only for tests that use it
    from redstart.testing.server_check import empty_database  # noqa: PLC0415 - as above

    with open_sync(url) as driver:
        driver.run(empty_database())
