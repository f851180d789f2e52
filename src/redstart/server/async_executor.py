"""Executor of operations from any task, each on a connection of a pool of its event loop."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, finalize, ref

import redis.asyncio

from redstart.effects import Op
from redstart.server.async_driver import AsyncDriver
from redstart.server.clients import async_client
from redstart.server.pools import database_of_pool, new_async_pool, pool_of, where_of_pool
from redstart.server.redis_errors import TRANSPORT_ERRORS

T = TypeVar("T")


class LoopLocal(Generic[T]):
    """A value for each event loop. Safe in threads: each has a loop of its own.

    `asyncio.run`, uvicorn, pytest-asyncio and other callers of `loop.shutdown_asyncgens()` close what is kept for the
    loop. What is kept for a loop that was closed without that is dropped when another loop asks for its own.

    Args:
        close: gives back what a value holds.
    """

    def __init__(self, close: Callable[[T], Awaitable[None]]) -> None:
        self._close = close
        self._kept: dict[AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}

    def of_this_loop(self, make: Callable[[], T]) -> T:
        """Return the value of the running loop, made when it is first asked for.

        Raises RuntimeError if no loop runs.
        """
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop)
        if kept is None:
            self._forget_closed_loops()
            value = make()
            kept = self._kept[loop] = value, self._until_shutdown(loop, value)
            _start(kept[1])
        return kept[0]

    def schedule_close(self) -> None:
        """Close the kept values, each in its loop, as soon as possible. Can be called from any thread."""
        for loop, (_, generator) in list(self._kept.items()):
            with suppress(RuntimeError):  # the loop is closed
                _ = loop.call_soon_threadsafe(_close_generator, loop, generator)

    async def _until_shutdown(self, loop: AbstractEventLoop, value: T) -> AsyncGenerator[None, None]:
        # A loop has no other hook: when it is shut down it closes the generators that were started in it.
        try:
            yield
        finally:
            _ = self._kept.pop(loop, None)
            await self._close(value)

    def _forget_closed_loops(self) -> None:
        # Connections refer to their loop, so weak references to loops would never die.
        for loop in list(self._kept):
            if loop.is_closed():
                _ = self._kept.pop(loop, None)


def _close_generator(loop: AbstractEventLoop, generator: AsyncGenerator[None, None]) -> None:
    _ = loop.create_task(generator.aclose())


def _start(generator: AsyncGenerator[None, None]) -> None:
    """Run to the first `yield`. Nothing is awaited before it, so no loop is needed to get there."""
    with suppress(StopIteration):
        _ = generator.__anext__().send(None)


class AsyncExecutor:
    """Runs operations, any number at a time. A connection belongs to one event loop, so each loop has its own pool.

    A client that is given is never used itself: which loop or process its connections were made in is not known.

    Args:
        client: a sync or async client.
        home: the loop whose pool is the client's own, because the client was made here for that loop.

    Attributes:
        where: which server, as it may be shown.
        database: the number of its database.
    """

    def __init__(self, client: object, home: AbstractEventLoop | None = None) -> None:
        self._given = pool_of(client)
        self.where = where_of_pool(self._given)
        self.database = database_of_pool(self._given)
        self._home = ref(home) if home else None
        self._places: LoopLocal[_Place] = LoopLocal(_close_place)
        self._answered = False
        self._known: dict[Any, Any] = {}

    async def run(self, operation: Op[T]) -> T:
        """Perform the operation. Raises what it raises, and ServerError it does not handle."""
        place = self._places.of_this_loop(self._new_place)
        async with place.free:
            driver = AsyncDriver(place.pool, self.where)
            driver.answered = self._answered
            driver.known = self._known
            try:
                return await driver.run(operation)
            finally:
                self._answered = self._answered or driver.answered
                await driver.release()

    def schedule_close(self) -> None:
        """Give up all connections that are free, each in its loop: the client is gone."""
        self._places.schedule_close()

    def _new_place(self) -> "_Place":
        pool = self._given
        if not isinstance(pool, redis.asyncio.ConnectionPool) or not self._is_at_home():
            pool = new_async_pool(pool)
        return _Place(pool, asyncio.Semaphore(pool.max_connections))

    def _is_at_home(self) -> bool:
        return self._home is not None and self._home() is asyncio.get_running_loop()


@dataclass(frozen=True, slots=True)
class _Place:
    """A pool, and how many connections it may still give: at its limit redis-py fails, and operations wait."""

    pool: redis.asyncio.ConnectionPool
    free: asyncio.Semaphore


async def _close_place(place: _Place) -> None:
    await _disconnect(place.pool)


async def _close_clients(clients: dict[str, redis.asyncio.Redis]) -> None:
    for client in clients.values():
        await _disconnect(client.connection_pool)


async def _disconnect(pool: redis.asyncio.ConnectionPool) -> None:
    # What is in use belongs to a task that is still ending.
    with suppress(*TRANSPORT_ERRORS):
        await pool.disconnect(inuse_connections=False)


_servers: "WeakKeyDictionary[Any, AsyncExecutor]" = WeakKeyDictionary()
_clients: LoopLocal[dict[str, redis.asyncio.Redis]] = LoopLocal(_close_clients)


def server_of(client: object) -> AsyncExecutor:
    """Return the executor for a sync or async client; the same one each time. Raises ConfigurationError."""
    try:
        server = _servers.get(client)
    except TypeError:  # not hashable, or no weak references
        server = None
    if server is None:
        server = _servers.setdefault(client, AsyncExecutor(client))
        # The garbage collector would warn of open connections.
        finalize(client, server.schedule_close).atexit = False
    return server


def default_client(url: str) -> redis.asyncio.Redis:
    """Return the client for models that name none; the same one each time in one event loop.

    It decodes, as redis-om's.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return async_client(url, decode_responses=True)  # it belongs to no loop yet, so it is not shared
    clients = _clients.of_this_loop(dict)
    client = clients.get(url)
    if client is None:
        client = clients[url] = async_client(url, decode_responses=True)
        _servers[client] = AsyncExecutor(client, home=loop)
    return client
