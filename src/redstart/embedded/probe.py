"""Probe a starting server through its unix socket, with the standard library only."""

import socket
from collections.abc import Iterator
from pathlib import Path

ANSWER_TIMEOUT_SECONDS = 1.0
ABSENT_KEY = "redstart:probe"


def unready_reply(
    socket_path: Path, *, password: str | None, with_json: bool, with_search: bool
) -> str | None:
    """Return None if the server and its modules reply; otherwise the error, such as `-LOADING ...`.

    A connection that is refused or silent counts as the reply "no answer".
    """
    for command in _commands(with_json=with_json, with_search=with_search):
        try:
            reply = _first_line(socket_path, password, command)
        except OSError as error:
            return f"no answer ({error})"
        if not reply or reply.startswith("-"):
            return reply or "no answer (connection closed)"
    return None


def _commands(*, with_json: bool, with_search: bool) -> Iterator[tuple[str, ...]]:
    yield ("PING",)
    if with_json:
        yield ("JSON.GET", ABSENT_KEY)
    if with_search:
        yield ("FT._LIST",)


def _first_line(socket_path: Path, password: str | None, command: tuple[str, ...]) -> str:
    """Return the first line of the reply, which shows whether it is an error (RESP2, redis.io/docs)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_TIMEOUT_SECONDS)
        connection.connect(str(socket_path))
        with connection.makefile("rb") as replies:
            if password:
                connection.sendall(_packed(("AUTH", password)))
                refusal = replies.readline().decode("utf-8", "replace").strip()
                if refusal != "+OK":
                    return refusal
            connection.sendall(_packed(command))
            return replies.readline().decode("utf-8", "replace").strip()


def _packed(words: tuple[str, ...]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
