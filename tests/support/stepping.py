"""Operations taken apart: performed one request at a time, or with something else in place of a request."""

from collections.abc import Callable
from typing import Any, TypeVar

from redstart.effects import Op, Pause, Request
from redstart.errors import RedstartError
from tests.support.crash_driver import CrashDriver

T = TypeVar("T")


class Stepped:
    """An operation performed one request at a time.

    Attributes:
        driver: knows the names of the requests so far.
    """

    def __init__(self, url: str, operation: Op[Any]) -> None:
        self.driver = CrashDriver(url)
        self._operation = operation
        self._next: Request = next(operation)

    def step(self, times: int = 1) -> None:
        """Perform some requests. Raises StopIteration, with the result, at the operation's end."""
        for _ in range(times):
            try:
                reply = self.driver.run(_only(self._next))
            except RedstartError as error:
                self._next = self._operation.throw(error)
            else:
                self._next = self._operation.send(reply)

    def step_until(self, name: str) -> None:
        """Perform requests up to the first of this name, and that one."""
        while name not in self.driver.names:
            self.step()


def instead_of_waiting(operation: Op[T], meanwhile: Callable[[], None]) -> Op[T]:
    """The same operation; `meanwhile` is called where it would wait."""

    def perform(request: Request) -> Op[Any]:
        if isinstance(request, Pause):
            meanwhile()
            return None
        return (yield request)

    return performed_by(operation, perform)


def performed_by(operation: Op[T], perform: Callable[[Request], Op[Any]]) -> Op[T]:
    """The same operation; each of its requests is performed by `perform`, which answers what it likes."""
    reply: Any = None
    error: RedstartError | None = None
    while True:
        try:
            request = operation.send(reply) if error is None else operation.throw(error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type
        reply = error = None
        try:
            reply = yield from perform(request)
        except RedstartError as exc:
            error = exc


def _only(request: Request) -> Op[Any]:
    return (yield request)
