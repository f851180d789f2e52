"""The async driver: performs the requests of an operation on one connection."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import redis.asyncio
import redis.exceptions as theirs

from redstart.effects import Batch, Call, Invoke, Op
from redstart.errors import ServerError
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


class AsyncDriver:
    """Runs operations on one connection of a redis-py asyncio pool, read undecoded. For one task at a time.

    Attributes:
        answered: whether the server has ever answered.
        known: what was learnt of the server, by kind.
    """

    def __init__(self, pool: redis.asyncio.ConnectionPool, where: str) -> None:
        self._pool = pool
        self._where = where
        self._connection: Any = None
        self.answered = False
        self.known: dict[Any, Any] = {}
        self._cancellations = 0

    async def run(self, operation: Op[T]) -> T:
        """Perform the operation. Raises what it raises, and ServerError it does not handle."""
        self._cancellations = _cancellations()
        steps = Conversation(lambda: self.answered, self.known).steps(operation)
        answer: Answer = None
        try:
            while True:
                step = steps.send(answer)
                try:
                    answer = await self._take(step)
                except ServerError as exc:
                    answer = exc
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type
        except BaseException:
            await self.close()  # pending replies must not be read as those of the next request
            raise

    async def _take(self, step: Step) -> Answer:
        if isinstance(step, Call | Batch):
            return await self.exchange(step)
        if isinstance(step, Receive):
            return await self.receive(step.request)
        if isinstance(step, Send):
            await self.send(step.request)
        elif isinstance(step, Invoke):
            return [await _in_thread(step.function)]
        else:
            await asyncio.sleep(step.seconds)
        return None

    async def exchange(self, request: Call[Any] | Batch[Any]) -> list[Any]:
        """Send once and read the raw replies; an error reply is an item.

        Raises ServerConnectionError, and AuthenticationError while connecting.
        """
        await self.send(request)
        return await self.receive(request)

    async def send(self, request: Call[Any] | Batch[Any]) -> None:
        """Send once, on a new connection if there is none. Raises as `exchange`, and ConfigurationError."""
        task = asyncio.current_task()
        cancellations = 0 if task is None else task.cancelling()
        try:
            if self._connection is None:
                self._connection = await cast(Any, self._pool).get_connection()  # redis-py leaves it untyped
            # No health check: it would read a pending reply, and open a new connection unnoticed.
            await self._connection.send_packed_command([encode_commands(request)], check_health=False)
            # redis-py sends with asyncio.wait_for, which in Python 3.11 loses a cancellation that arrives at its end.
            if _cancellations() > self._cancellations:
                raise asyncio.CancelledError
        except TRANSPORT_ERRORS as exc:
            await self.close()
            raise translate_error(exc, self._where) from cause_of(exc)
        except AssertionError as exc:
            await self.close()
            raise failed_stand_in(exc) from exc
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as exc:
            if self._connection is not None:
                raise
            raise unusable(exc, self._where) from None
        # redis-py sends with asyncio.wait_for(), which before Python 3.12 loses a cancellation that arrives as it ends.
        if task is not None and task.cancelling() > cancellations:
            raise asyncio.CancelledError

    async def receive(self, request: Call[Any] | Batch[Any]) -> list[Any]:
        """Read the raw replies to the oldest request that was sent. Raises as `exchange`."""
        read = self._connection.read_response
        replies: list[Any] = []
        try:
            for _ in range(reply_count(request)):
                try:
                    replies.append(await read(disable_decoding=True))
                except theirs.ResponseError as exc:
                    replies.append(translate_error(exc, self._where))
        except TRANSPORT_ERRORS as exc:
            await self.close()
            raise translate_error(exc, self._where) from cause_of(exc)
        self.answered = True
        return replies

    async def release(self) -> None:
        """Return the connection to its pool. Only without a pending reply."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)

    async def close(self) -> None:
        """Drop the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*TRANSPORT_ERRORS):
                await connection.disconnect()
            await self._pool.release(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread.

    A thread cannot be cancelled, and what the function did has to be recorded: a cancellation takes effect at the next
    request.
    """
    task = asyncio.ensure_future(asyncio.to_thread(function))
    while not task.done():
        with suppress(asyncio.CancelledError):
            _ = await asyncio.wait([task])
    return task.result()


def _cancellations() -> int:
    """Return how many times the cancellation of this task was requested."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
