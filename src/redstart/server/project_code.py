"""Code of the project, sync or async, called by a process without an event loop of its own."""

import asyncio
import inspect
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import redis

from redstart.server.pools import decoding_async_client, decoding_client


class ProjectCode:
    """Clients for code of the project, and one event loop for all of its coroutines.

    Args:
        pool: of the server of the clients.
    """

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._opened = ExitStack()
        self._sync = self._opened.enter_context(decoding_client(pool))
        self._async = decoding_async_client(pool)
        self._runner = asyncio.Runner()

    def client(self, *, is_async: bool) -> Any:
        """Return the client for async or sync code."""
        return self._async if is_async else self._sync

    def result(self, value: Any) -> Any:
        """Return the value that a function returned; of a coroutine, its result."""
        return self._runner.run(_result(value)) if inspect.isawaitable(value) else value

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._opened, self._runner:
            self._runner.run(self._async.aclose(close_connection_pool=True))


async def _result(value: Any) -> Any:
    return await value
