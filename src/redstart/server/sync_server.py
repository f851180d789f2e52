"""A server as a program uses it that goes on for days: from any thread, each operation on a connection of the pool."""

import os
import threading
from collections import deque
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import redis

from redstart.effects import Op
from redstart.server.connections import sync_client
from redstart.server.pools import database_of_pool, pool_like, where_of_pool
from redstart.server.sync_driver import SyncDriver

T = TypeVar("T")

ROOM_CONNECTIONS: Final = 10
"""Pools with room for so many may miss one that rests here."""

_servers: "WeakKeyDictionary[Any, SyncServer]" = WeakKeyDictionary()
_clients: dict[str, redis.Redis] = {}


class SyncServer:
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
        # Sentinel's pools look at a connection whenever they get it back: it may lead to a former master.
        self._may_rest = type(pool) is redis.ConnectionPool and pool.max_connections >= ROOM_CONNECTIONS
        self.free_all()

    def free_all(self) -> None:
        """Nobody holds a connection: at the beginning, and after a fork, for other threads do not live on in it."""
        # At its limit redis-py fails, and operations wait.
        self._free = threading.Semaphore(self._pool.max_connections)
        self._resting: deque[SyncDriver] = deque()
        self._rest = threading.Lock()

    def run(self, operation: Op[T]) -> T:
        """Perform the operation. Raises what it raises, and ServerError it does not handle."""
        driver = self._awake() or self._new_driver()
        try:
            return driver.run(operation)
        finally:
            self._answered = self._answered or driver.answered
            # One connection stays at hand: the way to the pool and back takes as long as reading a document.
            if self._may_rest and self._rest.acquire(blocking=False):
                self._resting.append(driver)
            else:
                driver.release()
                self._free.release()

    def _awake(self) -> SyncDriver | None:
        try:
            driver = self._resting.pop()
        except IndexError:
            return None
        self._rest.release()
        driver.check_rested()
        return driver

    def _new_driver(self) -> SyncDriver:
        _ = self._free.acquire()
        driver = SyncDriver(self._pool, self.where)
        driver.answered = self._answered
        return driver


def server_of(client: object) -> SyncServer:
    """The server that a client of either colour talks to; the same one each time. Raises ConfigurationError."""
    try:
        server = _servers.get(client)
    except TypeError:  # such things cannot even be looked up
        server = None
    if server is None:
        server = _servers.setdefault(client, SyncServer(pool_like(client)))
    return server


def default_client(url: str) -> redis.Redis:
    """The client for models that name none; the same one each time. It decodes, as redis-om's."""
    client = _clients.get(url)
    return _clients.setdefault(url, sync_client(url, decode_responses=True)) if client is None else client


def _in_forked_child() -> None:
    for server in _servers.values():
        server.free_all()


os.register_at_fork(after_in_child=_in_forked_child)
