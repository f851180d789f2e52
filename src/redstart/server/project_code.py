"""Code of the project, sync or async, called by a process without an event loop of its own."""

import asyncio
import inspect
from types import TracebackType
from typing import Any, Self

import redis

from redstart.server.pools import decoding_clients


class ProjectCode:
    """Clients for code of the project, and one event loop for all of its coroutines.

    Args:
        pool: of the server of the clients.
    """

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._sync, self._async = decoding_clients(pool)
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
        self._sync.close()
        with self._runner:
            self._runner.run(self._async.aclose())


async def _result(value: Any) -> Any:
    return await value
