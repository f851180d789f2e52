"""Both drivers behind one face, so that each test is run with each of them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import pytest

from redstart.devserver.process import EmbeddedServer
from redstart.effects import Op
from redstart.server.clients import open_async, open_sync

T = TypeVar("T")


class Driver(Protocol):
    """What tests ask of a driver."""

    def run(self, operation: Op[T]) -> T: ...
    def close(self) -> None: ...


class BlockingAsyncDriver:
    """An AsyncDriver on an event loop of its own."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.driver = open_async(url)

    def run(self, operation: Op[T]) -> T:
        return self.runner.run(self.driver.run(operation))

    def close(self) -> None:
        self.runner.run(self.driver.close())
        self.runner.close()


@pytest.fixture(params=[open_sync, BlockingAsyncDriver], ids=["sync", "async"])
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Driver]]:
    """Opens drivers on URLs, of the one kind and then of the other."""
    with ExitStack() as drivers:

        def open_driver(url: str) -> Driver:
            driver: Driver = request.param(url)
            drivers.callback(driver.close)
            return driver

        yield open_driver


@pytest.fixture
def driver(opened: Callable[[str], Driver], url: str) -> Driver:
    """A driver of the session's server, which is empty when the test begins."""
    return opened(url)


def socket_path(server: EmbeddedServer) -> str:
    """Where an embedded server without a port listens."""
    return unquote(urlsplit(server.url).path)
