"""What both drivers share: the course of a conversation, packing, typing replies, mapping redis-py's errors."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import hiredis
import redis.exceptions as theirs

from redstart.effects import Ahead, Batch, Call, Later, Op, Pause, Request
from redstart.errors import AuthenticationFailed, CommandFailed, ConnectionFailed, RedstartError, ServerError

T = TypeVar("T")

REPEAT_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits before a repeatable request is sent again on a new connection: a restart is survived, an outage is not."""

TRANSPORT_ERRORS = (theirs.RedisError, OSError)
"""What a connection of redis-py may raise while sending or receiving."""

REFUSALS = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN"}
)
"""Errors of a server that does no such work at present: they say nothing of the key that was asked for."""

Answer: TypeAlias = Sequence[Any] | ServerError | None
"""Raw replies to a request, an error reply being an item; why there are none; or nothing, after a pause."""

_CODES: tuple[tuple[type[theirs.ResponseError], str], ...] = (
    (theirs.NoScriptError, "NOSCRIPT"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.OutOfMemoryError, "OOM"),
    (theirs.ClusterDownError, "CLUSTERDOWN"),
    (theirs.MasterDownError, "MASTERDOWN"),
    (theirs.TryAgainError, "TRYAGAIN"),
)
"""redis-py cuts these codes off the text."""

_pack: Callable[..., bytes] = hiredis.pack_command


@dataclass(frozen=True, slots=True)
class Send:
    """To a driver: send this, and do not wait for the answer."""

    request: Call[Any] | Batch[Any]


@dataclass(frozen=True, slots=True)
class Receive:
    """To a driver: read the answer to this, the oldest request without one."""

    request: Call[Any] | Batch[Any]


Step: TypeAlias = Call[Any] | Batch[Any] | Pause | Send | Receive
"""What a driver is asked to do: a request is sent and its answer read at once."""


class Conversation:
    """An operation reduced to what a driver has to do.

    Args:
        was_connected: whether the server has ever answered.
    """

    def __init__(self, was_connected: Callable[[], bool]) -> None:
        self._was_connected = was_connected
        self._unanswered: deque[Later[Any]] = deque()

    def steps(self, operation: Op[T]) -> Generator[Step, Answer, T]:
        """Yields steps, one that is sent again after a pause. Errors are raised inside the operation."""
        reply: Any = None
        error: RedstartError | None = None
        while True:
            try:
                request = operation.send(reply) if error is None else operation.throw(error)
            except StopIteration as stop:
                yield from self._catch_up(None)
                return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type
            try:
                reply, error = (yield from self._performed(request)), None
            except RedstartError as exc:
                error = exc

    def _performed(self, request: Request) -> Generator[Step, Answer, Any]:
        if isinstance(request, Pause):
            yield request
            return None
        if isinstance(request, Ahead):
            return (yield from self._sent(request.request))
        if isinstance(request, Later):
            yield from self._catch_up(request)
            return (yield from self._settled(request.request, request.answer))
        yield from self._catch_up(None)
        return (yield from self._settled(request, (yield request)))

    def _sent(self, request: Call[Any] | Batch[Any]) -> Generator[Step, Answer, Later[Any]]:
        later: Later[Any] = Later(request)
        self._unanswered.append(later)
        failure = yield Send(request)
        if failure is not None:
            self._lose(failure)
        return later

    def _catch_up(self, until: Later[Any] | None) -> Generator[Step, Answer, None]:
        """Read what was sent ahead, in order, up to one request or to the last."""
        while self._unanswered and (until is None or until.answer is None):
            found = yield Receive(self._unanswered[0].request)
            if isinstance(found, ServerError):
                self._lose(found)
            else:
                self._unanswered.popleft().answer = found

    def _lose(self, failure: Answer) -> None:
        """The connection is gone, and with it all that was still to come on it."""
        while self._unanswered:
            self._unanswered.popleft().answer = failure

    def _settled(self, request: Call[Any] | Batch[Any], found: Answer) -> Generator[Step, Answer, Any]:
        """The parsed answer; after a broken connection of another try, if that is harmless."""
        if isinstance(found, ConnectionFailed):
            for seconds in pauses(request, was_connected=self._was_connected()):
                yield Pause(seconds)
                found = yield request
                if not isinstance(found, ConnectionFailed):
                    break
        if isinstance(found, ServerError):
            raise found
        return typed(request, found or ())


def packed(request: Call[Any] | Batch[Any]) -> bytes:
    """The bytes to send."""
    if isinstance(request, Call):
        return _pack(request.args)
    return b"".join(map(_pack, request.calls)) if request.packed is None else request.packed


def reply_count(request: Call[Any] | Batch[Any]) -> int:
    """How many replies will come."""
    if isinstance(request, Call):
        return 1
    return len(request.calls) if request.packed is None else request.replies


def typed(request: Call[T] | Batch[T], replies: Sequence[Any]) -> T:
    """The parsed result.

    Raises:
        CommandFailed: what a `Call` was answered with; in a `Batch`, only a refusal.
        AuthenticationFailed: a command that the user may not send.
    """
    for reply in replies:
        if isinstance(reply, ServerError) and (isinstance(request, Call) or is_refusal(reply)):
            raise reply
    return request.parse(list(replies)) if isinstance(request, Batch) else request.parse(replies[0])


def is_refusal(error: ServerError) -> bool:
    """Whether the server would not do such work at all, so that the error says nothing of the key."""
    return not isinstance(error, CommandFailed) or error.code in REFUSALS


def pauses(request: Call[Any] | Batch[Any], *, was_connected: bool) -> Iterable[float]:
    """How long to wait before each further try; empty when the request must not be repeated.

    A server that never answered is reported at once: its address is more likely wrong than it is restarting.
    """
    return REPEAT_PAUSES_SECONDS if request.repeatable and was_connected else ()


def mapped(error: Exception, where: str) -> ServerError:
    """Redstart's error for one of redis-py's, or for what a socket raises. `where` names the server, no password."""
    if isinstance(error.__cause__, theirs.RedisError):
        error = error.__cause__  # asyncio: a refusal while connecting is wrapped in a ConnectionError
    if isinstance(error, theirs.AuthenticationError | theirs.AuthorizationError):
        return AuthenticationFailed(
            f"The server at {where} refused the credentials: {error}",
            "Give user and password in the URL: redis://user:password@host:port",
        )
    if isinstance(error, theirs.NoPermissionError):
        return AuthenticationFailed(
            f"The server at {where} does not permit this: {error}",
            "The ACL a run needs is listed in docs/acl.md.",
        )
    if isinstance(error, theirs.ResponseError):
        return CommandFailed(str(error), code=_code(error))
    if isinstance(error, theirs.BusyLoadingError):
        return ConnectionFailed(
            f"The server at {where} is still loading its data, and answers nothing until it has.",
            "Try again when it has; its log says how far it is.",
        )
    return ConnectionFailed(
        f"No answer from the server at {where}: {error}",
        "Is it running, and is the URL right? Set it with --url or REDIS_OM_URL.",
    )


def _code(error: theirs.ResponseError) -> str:
    """The error's code, which redis-py cuts off some texts. A module's text may begin without one: ERR."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    word = str(error).partition(" ")[0]
    return word if word.isupper() else "ERR"
