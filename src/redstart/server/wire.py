"""What both drivers share: packing requests, typing replies, mapping redis-py's errors, when to send again."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import hiredis
import redis.exceptions as theirs

from redstart.effects import Batch, Call
from redstart.errors import AuthenticationFailed, CommandFailed, ConnectionFailed, ServerError

T = TypeVar("T")

REPEAT_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits before a repeatable request is sent again on a new connection: a restart is survived, an outage is not."""

_CODES: tuple[tuple[type[theirs.ResponseError], str], ...] = (
    (theirs.NoScriptError, "NOSCRIPT"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.OutOfMemoryError, "OOM"),
)


_pack: Callable[..., bytes] = hiredis.pack_command


def packed(request: Call[Any] | Batch[Any]) -> tuple[bytes, int]:
    """The bytes to send, and how many replies will come."""
    if isinstance(request, Call):
        return _pack(request.args), 1
    if request.packed is not None:
        return request.packed, request.replies
    return b"".join(map(_pack, request.calls)), len(request.calls)


def typed(request: Call[T] | Batch[T], replies: Sequence[Any]) -> T:
    """The parsed result. Raises the CommandFailed a `Call` was answered with."""
    if isinstance(request, Batch):
        return request.parse(list(replies))
    (reply,) = replies
    if isinstance(reply, ServerError):
        raise reply
    return request.parse(reply)


def pauses(request: Call[Any] | Batch[Any], *, was_connected: bool) -> Iterable[float]:
    """How long to wait before each further try; empty when the request must not be repeated.

    A server that never answered is reported at once: its address is more likely wrong than it is restarting.
    """
    return REPEAT_PAUSES_SECONDS if request.repeatable and was_connected else ()


def mapped(error: Exception, where: str) -> ServerError:
    """Redstart's error for one of redis-py's, or for what a socket raises. `where` names the server, no password."""
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
        code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
        return CommandFailed(str(error), code=code)
    return ConnectionFailed(
        f"No answer from the server at {where}: {error}",
        "Is it running, and is the URL right? Set it with --url or REDIS_OM_URL.",
    )


TRANSPORT_ERRORS = (theirs.RedisError, OSError)
"""What a connection of redis-py may raise while sending or receiving."""
