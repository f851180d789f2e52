"""What both drivers share: the course of a conversation, packing, typing replies, mapping redis-py's errors."""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

import hiredis
import redis.exceptions as theirs

from redstart.effects import Batch, Call, Op, Pause, Request
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


def conversation(operation: Op[T], was_connected: Callable[[], bool]) -> Generator[Request, Answer, T]:
    """An operation reduced to what a driver has to do: send a request once, or wait.

    Args:
        was_connected: whether the server has ever answered.

    Yields the requests, one that is sent again after a pause. Errors are raised inside the operation.
    """
    reply: Any = None
    error: RedstartError | None = None
    while True:
        try:
            request = operation.send(reply) if error is None else operation.throw(error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type
        try:
            reply, error = (yield from _performed(request, was_connected)), None
        except RedstartError as exc:
            error = exc


def _performed(request: Request, was_connected: Callable[[], bool]) -> Generator[Request, Answer, Any]:
    """One request, sent again after a broken connection if that is harmless."""
    answer = yield request
    if isinstance(request, Pause):
        return None
    if isinstance(answer, ConnectionFailed):
        for seconds in pauses(request, was_connected=was_connected()):
            yield Pause(seconds)
            answer = yield request
            if not isinstance(answer, ConnectionFailed):
                break
    if isinstance(answer, ServerError):
        raise answer
    return typed(request, answer or ())


def packed(request: Call[Any] | Batch[Any]) -> tuple[bytes, int]:
    """The bytes to send, and how many replies will come."""
    if isinstance(request, Call):
        return _pack(request.args), 1
    if request.packed is not None:
        return request.packed, request.replies
    return b"".join(map(_pack, request.calls)), len(request.calls)


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
