"""The sync driver: performs the requests of an operation on one connection."""

import time
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import redis
import redis.exceptions as theirs

from redstart.effects import Batch, Call, Invoke, Op
from redstart.errors import ServerError
from redstart.server.pools import decoding_client
from redstart.server.protocol import Answer, Conversation, Receive, Send, Step
from redstart.server.redis_errors import (
    TRANSPORT_ERRORS,
    cause_of,
    encode_commands,
    failed_stand_in,
    reply_count,
    translate_error,
    unusable,
)

T = TypeVar("T")


class SyncDriver:
    """Runs operations on one connection of a redis-py pool, read undecoded. Not for several threads at once.

    Attributes:
        answered: whether the server has ever answered.
        known: what was learnt of the server, by kind.
    """

    def __init__(self, pool: redis.ConnectionPool, where: str) -> None:
        self._pool = pool
        self._where = where
        self._connection: Any = None
        self.answered = False
        self.known: dict[Any, Any] = {}

    @property
    def pool(self) -> redis.ConnectionPool:
        """The pool of its connection."""
        return self._pool

    def run(self, operation: Op[T]) -> T:
        """Perform the operation. Raises what it raises, and ServerError it does not handle."""
        steps = Conversation(lambda: self.answered, self.known).steps(operation)
        answer: Answer = None
        try:
            while True:
                step = steps.send(answer)
                try:
                    answer = self._take(step)
                except ServerError as exc:
                    answer = exc
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type
        except BaseException:
            self.close()  # pending replies must not be read as those of the next request
            raise

    def _take(self, step: Step) -> Answer:
        if isinstance(step, Call | Batch):
            return self.exchange(step)
        if isinstance(step, Receive):
            return self.receive(step.request)
        if isinstance(step, Send):
            self.send(step.request)
        elif isinstance(step, Invoke):
            return [step.function()]
        else:
            time.sleep(step.seconds)
        return None

    def exchange(self, request: Call[Any] | Batch[Any]) -> list[Any]:
        """Send once and read the raw replies; an error reply is an item.

        Raises ServerConnectionError, and AuthenticationError while connecting.
        """
        self.send(request)
        return self.receive(request)

    def send(self, request: Call[Any] | Batch[Any]) -> None:
        """Send once, on a new connection if there is none. Raises as `exchange`, and ConfigurationError."""
        try:
            if self._connection is None:
                self._connection = self._pool.get_connection()
            # No health check: it would read a pending reply, and open a new connection unnoticed.
            self._connection.send_packed_command([encode_commands(request)], check_health=False)
        except TRANSPORT_ERRORS as exc:
            self.close()
            raise translate_error(exc, self._where) from cause_of(exc)
        except AssertionError as exc:
            self.close()
            raise failed_stand_in(exc) from exc
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as exc:
            if self._connection is not None:
                raise
            raise unusable(exc, self._where) from None

    def receive(self, request: Call[Any] | Batch[Any]) -> list[Any]:
        """Read the raw replies to the oldest request that was sent. Raises as `exchange`."""
        read = self._connection.read_response
        replies: list[Any] = []
        try:
            for _ in range(reply_count(request)):
                try:
                    replies.append(read(disable_decoding=True))
                except theirs.ResponseError as exc:
                    replies.append(translate_error(exc, self._where))
        except TRANSPORT_ERRORS as exc:
            self.close()
            raise translate_error(exc, self._where) from cause_of(exc)
        self.answered = True
        return replies

    def check_rested(self) -> None:
        """Drop a connection that was closed since the last operation, or has an unexpected reply."""
        try:
            is_good = self._connection is None or not self._connection.can_read()
        except TRANSPORT_ERRORS:
            is_good = False
        if not is_good:
            self.close()

    def release(self) -> None:
        """Return the connection to its pool. Only without a pending reply."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)

    def client(self) -> AbstractContextManager[redis.Redis]:
        """Open a client of the same server; see `decoding_client`."""
        return decoding_client(self._pool)

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*TRANSPORT_ERRORS):
                connection.disconnect()
            self._pool.release(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
