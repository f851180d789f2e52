"""Wire format: packed requests, typed replies, and errors of redis-py as errors of Redstart."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import hiredis
import redis.exceptions as theirs

from redstart.commands.server_errors import (
    EMULATED,
    NO_CODE,
    is_database_out_of_range,
    is_refusal,
    is_temporary,
    names_no_index,
)
from redstart.display import without_passwords
from redstart.effects import Batch, Call
from redstart.errors import (
    AuthenticationError,
    CommandError,
    ConfigurationError,
    ServerConnectionError,
    ServerError,
)
from redstart.next_steps import Command, Hint
from redstart.server.pools import TlsHandshakeError

T = TypeVar("T")

TRANSPORT_ERRORS = (theirs.RedisError, OSError)
"""What a connection of redis-py may raise while sending or receiving."""

_AGAIN = "Then run the same command again."
_HINTS = {
    "BUSY": "Wait for the script of another client to end, or stop it with: redis-cli SCRIPT KILL (not "
    f"possible once it has written). {_AGAIN}",
    "LOADING": f"Wait until the server has loaded its data (see redis-cli INFO persistence). {_AGAIN}",
    "MASTERDOWN": "Use the URL of the primary (--url); this server is a replica without a link to it. See: "
    "redis-cli INFO replication",
    "CLUSTERDOWN": f"List the slots without a node with: redis-cli CLUSTER INFO. {_AGAIN}",
    "TRYAGAIN": f"Wait until the slots of the cluster have been migrated. {_AGAIN}",
    "MISCONF": "Find out why the server cannot save its data (a full disk, a missing permission), in its log or with: "
    f"redis-cli INFO persistence. {_AGAIN}",
    "NOREPLICAS": "Wait until enough replicas are connected (min-replicas-to-write). List them with: "
    f"redis-cli INFO replication. {_AGAIN}",
    "OOM": f"Raise the memory limit with: redis-cli CONFIG SET maxmemory BYTES. {_AGAIN}",
    "READONLY": "Use the URL of the primary (--url); this server is a replica. See: redis-cli INFO replication",
}
"""Hints for error replies, by code."""

_CODES: tuple[tuple[type[theirs.ResponseError], str], ...] = (
    (theirs.NoScriptError, "NOSCRIPT"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.OutOfMemoryError, "OOM"),
    (theirs.MasterDownError, "MASTERDOWN"),  # to redis-py also a ClusterDownError
    (theirs.ClusterDownError, "CLUSTERDOWN"),
    (theirs.TryAgainError, "TRYAGAIN"),
)
"""redis-py cuts these codes off the text."""

_ENDED = re.compile(
    "reset by peer|closed by server|protocol error|connection lost|broken pipe", re.IGNORECASE
)
"""Messages of redis-py about a connection that the other end closed."""
_CONNECTING = re.compile(r"Error (?P<error>.*?) ?connecting to \S+?\.(?: (?P<reason>.+))?", re.DOTALL)
"""Messages of redis-py about a connection that could not be opened: `Error 111 connecting to host:6379. Reason.`"""

_pack: Callable[..., bytes] = hiredis.pack_command


def encode_commands(request: Call[Any] | Batch[Any]) -> bytes:
    """Return the bytes to send."""
    if isinstance(request, Call):
        return _pack(request.args)
    return b"".join(map(_pack, request.calls)) if request.packed is None else request.packed


def reply_count(request: Call[Any] | Batch[Any]) -> int:
    """Return how many replies will come."""
    if isinstance(request, Call):
        return 1
    return len(request.calls) if request.packed is None else request.replies


def parse_replies(request: Call[T] | Batch[T], replies: Sequence[Any]) -> T:
    """Return the parsed result.

    Raises:
        CommandError: what a `Call` was answered with; in a `Batch`, only a refusal.
        AuthenticationError: a command that the user may not send.
    """
    for reply in replies:
        if isinstance(reply, ServerError) and (
            isinstance(request, Call) or not isinstance(reply, CommandError) or is_refusal(reply)
        ):
            raise reply
    return request.parse(list(replies)) if isinstance(request, Batch) else request.parse(replies[0])


def cause_of(error: Exception) -> Exception | None:
    """Return the error of redis-py as a cause, unless its message contains a password."""
    text = f"{error}{error.__cause__ or ''}"
    return error if without_passwords(text) == text else None


def unusable(error: Exception, where: str) -> ConfigurationError:
    """Return the error for settings with which no connection can be opened."""
    reason = without_passwords(str(error) or type(error).__name__)
    return ConfigurationError(
        f"Cannot connect to {where} with these settings: {reason}.",
        "Correct the options of the URL or of the client.",
    )


def failed_stand_in(error: AssertionError) -> CommandError:
    """Return the error for a failure of fakeredis, which executes a command while it is sent."""
    return CommandError(
        f"The emulated server (such as fakeredis) cannot execute this command: {error or 'no reason given'}",
        Hint(
            "Use a server instead (",
            Command("server"),
            '), or see "With fakeredis" in the documentation for its limits.',
        ),
        code=EMULATED,
    )


def may_be_sent_again(request: Call[Any] | Batch[Any], replies: Sequence[Any]) -> bool:
    """Return whether a request was answered with a refusal that passes, and may be sent again: none of it was done."""
    refused = any(is_temporary(one) for one in replies if isinstance(one, CommandError))
    return refused and (isinstance(request, Call) or request.repeatable)


def translate_error(error: Exception, where: str) -> ServerError:
    """Return the error of Redstart for one of redis-py or of a socket. `where` names the server, without a password."""
    if isinstance(error.__cause__, theirs.RedisError):
        error = error.__cause__  # asyncio: a refusal while connecting is wrapped in a ConnectionError
    text = without_passwords(str(error))
    if isinstance(error, theirs.AuthenticationError | theirs.AuthorizationError):
        return AuthenticationError(
            f"The server at {where} rejected the credentials: {text}",
            "Set user and password in the URL: redis://user:password@host:port",
        )
    if isinstance(error, theirs.NoPermissionError):
        return AuthenticationError(
            f"The ACL of the server at {where} forbids the command: {text}",
            'Grant the permissions listed under "Permissions" in the documentation.',
        )
    if isinstance(error, theirs.ResponseError):
        return CommandError(text, _hint(error, where), code=_code(error))
    if isinstance(error, theirs.BusyLoadingError):
        return ServerConnectionError(
            f"The server at {where} is loading its dataset.",
            "Retry when it is done. Its log shows the progress.",
        )
    return ServerConnectionError(
        f"The server at {where} did not reply: {_without_address(text)}", _way_to_answers(error)
    )


def _without_address(text: str) -> str:
    """Return the reason in a message of redis-py without the address, which our message begins with."""
    found = _CONNECTING.fullmatch(text)
    return (found["reason"] or found["error"] or text) if found else text


def _way_to_answers(error: Exception) -> str | Hint:
    """Return the hint for a server that does not reply."""
    url = Hint(
        "Check that the server is running (start one with: ",
        Command("server"),
        ") and that the URL is correct (--url, REDIS_OM_URL or Meta.database).",
    )
    if isinstance(error, TlsHandshakeError) and error.is_about_certificate:
        return "Set the CA of its certificate: rediss://host:6379/0?ssl_ca_certs=/path/to/ca.pem"
    if isinstance(error, TlsHandshakeError):
        return Hint("Use redis:// in the URL if the port does not use TLS. ", url)
    if _ENDED.search(str(error)):
        return Hint(url, " If the port uses TLS, use rediss:// in the URL.")
    return url


def _hint(error: theirs.ResponseError, where: str) -> str | Hint | None:
    """Return the hint for an error reply; None if there is none."""
    hint = _HINTS.get(_code(error))
    if hint is not None:
        return hint
    if is_database_out_of_range(str(error)):
        return f"The server has no database with the number in {where}. Use another number; database 0 always exists."
    if names_no_index(str(error)):
        return Hint(
            "Another client dropped the index. List the indexes with: ",
            Command("migrate status"),
            f". {_AGAIN}",
        )
    return None


def _code(error: theirs.ResponseError) -> str:
    """Return the error's code, which redis-py cuts off some texts. A module's text may begin without one: ERR."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    word = str(error).partition(" ")[0]
    return word if word.isupper() else NO_CODE
