"""Resources of one event loop, such as connections, closed with their loop."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class OfEachLoop(Generic[T]):
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

    def close_soon(self) -> None:
        """Close what is kept, each in its loop, as soon as that gets there. From any thread."""
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
