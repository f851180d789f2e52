"""Executor of operations from any thread, each on a connection of a pool."""

import os
import threading
from collections import deque
from queue import SimpleQueue
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import redis

from redstart.effects import Op
from redstart.server.clients import sync_client
from redstart.server.pools import database_of_pool, pool_like, where_of_pool
from redstart.server.sync_driver import SyncDriver

T = TypeVar("T")

ROOM_CONNECTIONS: Final = 100
"""Pools with room for so many may miss one that rests here: redis-py's default. Who set less may need all of it."""

MAX_AT_ONCE: Final = 1_000
"""Operations at the same time, however many connections a pool may make."""

_servers: "WeakKeyDictionary[Any, SyncExecutor]" = WeakKeyDictionary()
_clients: dict[str, redis.Redis] = {}


class SyncExecutor:
    """Runs operations, any number at a time. redis-py's pools give each thread and forked process its connection.

    Attributes:
        where: which server, as it may be shown.
        database: the number of its database.
    """

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._pool = pool
        self.where = where_of_pool(pool)
        self.database = database_of_pool(pool)
        self._answered = False
        self._known: dict[Any, Any] = {}
        # Sentinel's pools look at a connection whenever they get it back: it may lead to a former master.
        self._may_rest = type(pool) is redis.ConnectionPool and pool.max_connections >= ROOM_CONNECTIONS
        self._held: dict[int, _Held] = {}

    def run(self, operation: Op[T]) -> T:
        """Perform the operation. Raises what it raises, and ServerError it does not handle."""
        # Asked each time, as redis-py does: Python does not notice every fork, such as those of uWSGI.
        held = self._held.get(os.getpid()) or self._begin()
        driver = held.awake() or self._new_driver(held)
        try:
            driver.check_rested()
            return driver.run(operation)
        finally:
            self._answered = self._answered or driver.answered
            # One connection is not returned to the pool: that would take as long as reading a document.
            if self._may_rest and held.rest.acquire(blocking=False):
                held.resting.append(driver)
            else:
                try:
                    driver.release()
                finally:
                    held.free.put(None)

    def _begin(self) -> "_Held":
        """Start without connections in a new process; those of the parent remain the parent's."""
        process = os.getpid()
        held = self._held.setdefault(process, _Held(self._pool.max_connections))
        for other in set(self._held) - {process}:
            _ = self._held.pop(other, None)
        return held

    def _new_driver(self, held: "_Held") -> SyncDriver:
        held.free.get()
        driver = SyncDriver(self._pool, self.where)
        driver.answered = self._answered
        driver.known = self._known
        return driver


class _Held:
    """The connections of one process: how many more it may take from the pool, and the one that rests."""

    def __init__(self, most: int) -> None:
        # At its limit redis-py fails, and operations wait. Not at a semaphore: that is written in Python, and an
        # interruption inside it (Ctrl-C, a time limit) would leave all who come later waiting.
        self.free: SimpleQueue[None] = SimpleQueue()
        for _ in range(min(most, MAX_AT_ONCE)):
            self.free.put(None)
        self.resting: deque[SyncDriver] = deque()
        self.rest = threading.Lock()

    def awake(self) -> SyncDriver | None:
        """Return an idle driver, or None."""
        try:
            driver = self.resting.pop()
        except IndexError:
            return None
        self.rest.release()
        return driver


def server_of(client: object) -> SyncExecutor:
    """Return the executor for a sync or async client; the same one each time. Raises ConfigurationError."""
    try:
        server = _servers.get(client)
    except TypeError:  # such things cannot even be looked up
        server = None
    if server is None:
        server = _servers.setdefault(client, SyncExecutor(pool_like(client)))
    return server


def default_client(url: str) -> redis.Redis:
    """Return the client for models that name none; the same one each time. It decodes, as redis-om's."""
    client = _clients.get(url)
    return _clients.setdefault(url, sync_client(url, decode_responses=True)) if client is None else client
