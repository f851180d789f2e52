"""Operations that are interrupted at one request, as a killed process or a broken connection interrupts them.

An operation has an effect on the server only through its requests. So to stop it is to send no more of them.
"""

from enum import Enum
from typing import Any, TypeVar

from redstart.effects import Batch, Call, Op, SendAhead
from redstart.errors import RedstartError

T = TypeVar("T")


class Interruption(Enum):
    """How an operation is interrupted at a request."""

    STOPPED_BEFORE = "stopped before"
    STOPPED_AFTER = "stopped after"
    REPLY_LOST = "sent twice, because the reply was lost,"


def interrupted(
    operation: Op[T], at: int | None, how: Interruption, names: list[str] | None = None
) -> Op[tuple[bool, T | None]]:
    """Perform an operation that is interrupted at one request.

    Args:
        at: the number of the request, from 0; None: no request.
        names: receives the name of the command of each request.

    Returns:
        Whether the operation is complete, and its result.
    """
    names = [] if names is None else names
    lost = how is Interruption.REPLY_LOST
    reply: Any = None
    error: RedstartError | None = None
    while True:
        try:
            request = operation.send(reply) if error is None else operation.throw(error)
        except StopIteration as stop:
            return True, stop.value
        sent = request.request if isinstance(request, SendAhead) else request
        is_chosen = False
        if isinstance(sent, Call | Batch):
            is_chosen = len(names) == at
            names.append(_name(sent))
        if is_chosen and how is Interruption.STOPPED_BEFORE:
            return _abandoned(operation)
        try:
            reply, error = (yield request), None
            if is_chosen and lost and isinstance(request, Call | Batch) and request.repeatable:
                reply = yield request
        except RedstartError as exc:
            error = exc
        if is_chosen and how is Interruption.STOPPED_AFTER:
            return _abandoned(operation)


def _abandoned(operation: Op[Any]) -> tuple[bool, None]:
    operation.close()
    return False, None


def _name(request: Call[Any] | Batch[Any]) -> str:
    first = request.args if isinstance(request, Call) else next(iter(request.calls), ("batch",))
    return str(first[0])
