"""A driver that ends the program at one request, in each of the ways in which a program can end there.

An operation is a generator of requests, so to crash it is to stop performing them: nothing else of it has any
effect on the server. `Crash` is not an `Exception`, so that no handler can mistake it for an error.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NoReturn

import redis

from redstart.effects import Batch, Call
from redstart.errors import ServerConnectionError
from redstart.server.sync_driver import SyncDriver
from tests.support.request_names import name_of

Hook = Callable[[str], None]


class Crash(BaseException):
    """The program has ended here."""


class CrashKind(StrEnum):
    """How a request goes wrong."""

    BEFORE = "crash before it is sent"
    AFTER = "crash after its answer came"
    UNANSWERED = "crash just after it was sent: the server executes it, perhaps during the next program"
    LOST_REPLY = "executed, the answer lost, the program lives and sends it again"


class CrashDriver(SyncDriver):
    """Performs requests, and lets one of them go wrong.

    Args:
        url: of the server.
        at: the number, from 0, of the request that goes wrong; None: none does.
        kind: how it goes wrong.
        before: called with the name of each request before it is sent; what another client does there, it does
            between two requests of the operation.

    Attributes:
        names: of all requests, in order; one that is sent again stands there again.
        crashed: the name of the request that went wrong; None as long as none did.
    """

    def __init__(
        self,
        url: str,
        *,
        at: int | None = None,
        kind: CrashKind = CrashKind.BEFORE,
        before: Hook | None = None,
    ) -> None:
        super().__init__(redis.ConnectionPool.from_url(url), url)
        self.names: list[str] = []
        self.crashed: str | None = None
        self._at = at
        self._kind = kind
        self._before = before
        self._chosen: Call[Any] | Batch[Any] | None = None

    def send(self, request: Call[Any] | Batch[Any]) -> None:
        """Send once; the chosen request may go wrong here."""
        name = name_of(request)
        chosen = len(self.names) == self._at
        self.names.append(name)
        if self._before is not None:
            self._before(name)
        if chosen:
            self.crashed = name
            self._chosen = request
            if self._kind is CrashKind.BEFORE:
                self._end(name)
        super().send(request)
        if chosen and self._kind is CrashKind.UNANSWERED:
            self._end(name)

    def receive(self, request: Call[Any] | Batch[Any]) -> list[Any]:
        """Read the answer; that of the chosen request may go wrong here."""
        replies = super().receive(request)
        if request is self._chosen:
            self._chosen = None
            self._end(name_of(request))
        return replies

    def _end(self, name: str) -> NoReturn:
        self.close()
        if self._kind is CrashKind.LOST_REPLY:
            raise ServerConnectionError(f"the answer to {name} was lost on purpose")
        raise Crash(name)
