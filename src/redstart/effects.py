"""Requests of operations, as data.

An operation is a generator: it yields requests and is sent their replies, so the same code runs under the
sync driver, the async driver, and the test driver that crashes it at every request. A driver (redstart.server)
performs requests; this module has no sockets, clocks or event loops.

    def is_empty(key: str) -> Op[bool]:
        return (yield from call(hlen(key))) == 0

Never yield inside `finally`: a driver that is cancelled closes the generator, and no reply can follow.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast

from redstart.errors import CommandError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Argument: TypeAlias = bytes | str | int | float


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """One command.

    Args:
        args: the command's words, its name first.
        parse: turns the raw reply (bytes, int, None, list, dict in RESP3) into the result.
        repeatable: whether executing it twice ends as executing it once, so that a driver may send it
            again when a reply was lost.
    """

    args: tuple[Argument, ...]
    parse: Callable[[Any], T_co]
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Batch(Generic[T_co]):
    """Several commands in one round trip, answered in order. Not a transaction.

    Args:
        calls: the commands; or `packed`, the same in the wire format, with `replies` saying how many.
        parse: turns the list of raw replies into the result. An error reply is an item of that list, a
            `CommandError`, so one bad key does not hide the others; but a refusal that says nothing of the
            key (BUSY, OOM, no permission) is raised.
        repeatable: as for `Call`, for all of them together.
    """

    calls: Sequence[tuple[Argument, ...]]
    parse: Callable[[list[Any]], T_co]
    packed: bytes | None = None
    replies: int = 0
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for `seconds` without sending anything."""

    seconds: float


@dataclass(slots=True)
class Pending(Generic[T_co]):
    """A request that was sent and whose reply is received later; `answer` belongs to the driver."""

    request: Call[T_co] | Batch[T_co]
    answer: Any = None


@dataclass(frozen=True, slots=True)
class SendAhead:
    """Send a request and continue; answered with a `Pending`. Meanwhile the server executes it."""

    request: Call[Any] | Batch[Any]


@dataclass(frozen=True, slots=True)
class ServerKnowledge(Generic[T_co]):
    """What was learnt of the server: one object of each kind for each server."""

    kind: Callable[[], T_co]


@dataclass(frozen=True, slots=True)
class Invoke(Generic[T_co]):
    """Call a function of the project, which may block. It must not raise."""

    function: Callable[[], T_co]


Request: TypeAlias = (
    Call[Any] | Batch[Any] | Pause | SendAhead | Pending[Any] | ServerKnowledge[Any] | Invoke[Any]
)
Op: TypeAlias = Generator[Request, Any, T]


def call(request: Call[T]) -> Op[T]:
    """Send one command. Raises ServerError (see redstart.errors) as the driver maps it."""
    return cast(T, (yield request))


def batch(request: Batch[T]) -> Op[T]:
    """Send several commands in one round trip."""
    return cast(T, (yield request))


def send_ahead(request: Call[T] | Batch[T]) -> Op[Pending[T]]:
    """Send a request without waiting for its reply, so that client and server work at the same time.

    Replies come in the order of the requests; another request in between waits for that of this one. Never raises:
    a broken connection shows when the reply is received.
    """
    return cast("Pending[T]", (yield SendAhead(request)))


def receive(later: Pending[T]) -> Op[T]:
    """Return the reply to a request sent ahead. Raises what `call` and `batch` would have raised."""
    return cast(T, (yield later))


def learnt(kind: Callable[[], T]) -> Op[T]:
    """Return the object of a class that collects what is known about the server. Nothing is sent."""
    return cast(T, (yield ServerKnowledge(kind)))


def invoke(function: Callable[[], T]) -> Op[T]:
    """Call a function that may block and does not raise. The async driver calls it in a thread. Nothing is sent."""
    return cast(T, (yield Invoke(function)))


def gather(calls: Sequence[Call[T]]) -> Batch[list[T | CommandError]]:
    """Commands as one batch; each result parsed as its call says, or the error it was answered with."""

    def parse(replies: list[Any]) -> list[T | CommandError]:
        return [
            reply if isinstance(reply, CommandError) else one.parse(reply)
            for one, reply in zip(calls, replies, strict=True)
        ]

    return Batch([one.args for one in calls], parse)


def pause(seconds: float) -> Op[None]:
    """Wait."""
    yield Pause(seconds)
