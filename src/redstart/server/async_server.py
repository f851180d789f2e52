"""A server as a program uses it that goes on for days: from any task, each operation on a connection of the pool."""

import asyncio
from asyncio import AbstractEventLoop
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import redis.asyncio

from redstart.effects import Op
from redstart.server.async_driver import AsyncDriver
from redstart.server.connections import another_pool, async_client, async_pool_like, pool_of, where_of

T = TypeVar("T")

_servers: "WeakKeyDictionary[Any, AsyncServer]" = WeakKeyDictionary()
_clients: WeakKeyDictionary[AbstractEventLoop, dict[str, redis.asyncio.Redis]] = WeakKeyDictionary()


class AsyncServer:
    """Runs operations, any number at a time. A connection belongs to one event loop, so each loop has its own pool."""

    def __init__(self, pool: redis.asyncio.ConnectionPool) -> None:
        self._first = pool
        self._where = where_of(pool.connection_kwargs)
        self._is_taken = False
        self._places: WeakKeyDictionary[AbstractEventLoop, _Place] = WeakKeyDictionary()
        self._answered = False

    async def run(self, operation: Op[T]) -> T:
        """Perform the operation. Raises what it raises, and ServerError it does not handle."""
        place = self._place()
        async with place.free:
            driver = AsyncDriver(place.pool, self._where)
            driver.answered = self._answered
            try:
                return await driver.run(operation)
            finally:
                self._answered = self._answered or driver.answered
                await driver.release()

    def _place(self) -> "_Place":
        loop = asyncio.get_running_loop()
        place = self._places.get(loop)
        if place is None:
            # The client's own pool serves the first loop: who uses one loop sees one pool.
            pool = another_pool(self._first) if self._is_taken else self._first
            place = self._places[loop] = _Place(pool, asyncio.Semaphore(pool.max_connections))
            self._is_taken = True
        return place


@dataclass(frozen=True, slots=True)
class _Place:
    """A pool, and how many connections it may still give: at its limit redis-py fails, and operations wait."""

    pool: redis.asyncio.ConnectionPool
    free: asyncio.Semaphore


def server_of(client: object) -> AsyncServer:
    """The server that a client of either colour talks to; the same one each time. Raises ConfigurationError."""
    try:
        server = _servers.get(client)
    except TypeError:  # such things cannot even be looked up
        server = None
    if server is None:
        _ = pool_of(client)  # before anything else is done with what may be no client
        server = _servers.setdefault(client, AsyncServer(async_pool_like(client)))
    return server


def default_client(url: str) -> redis.asyncio.Redis:
    """The client for models that name none; the same one each time in one event loop. It decodes, as redis-om's."""
    try:
        clients = _clients.setdefault(asyncio.get_running_loop(), {})
    except RuntimeError:
        return async_client(url, decode_responses=True)  # of no loop yet: nobody may share it
    client = clients.get(url)
    return clients.setdefault(url, async_client(url, decode_responses=True)) if client is None else client
