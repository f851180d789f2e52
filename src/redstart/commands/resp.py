"""Parsers of raw replies, for RESP2 and RESP3."""

from typing import Any


def raw(reply: Any) -> Any:
    """Return the reply as it came, for callers that take it apart themselves."""
    return reply


def ignored(_: Any) -> None:
    """For commands whose reply says nothing."""


def integer(reply: Any) -> int:
    """Return an integer reply."""
    return int(reply)


def text(reply: Any) -> str:
    """Return a bulk or status string as text."""
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def optional_bytes(reply: Any) -> bytes | None:
    """Return a bulk string, or None for a missing key."""
    return None if reply is None else bytes(reply)


def mapping(reply: Any) -> dict[bytes, bytes]:
    """Field and value pairs: a map in RESP3, a flat list in RESP2."""
    if isinstance(reply, dict):
        return reply
    words = iter(reply)
    return dict(zip(words, words, strict=True))


def items(reply: Any) -> list[Any]:
    """Return an array; sets of RESP3 come as a list too. A missing key is an empty one."""
    return [] if reply is None else list(reply)


def decoded(reply: Any) -> Any:
    """Return a reply of any shape, bytes as text where they are UTF-8."""
    if isinstance(reply, bytes):
        try:
            return reply.decode()
        except UnicodeDecodeError:
            return reply
    if isinstance(reply, dict):
        return {decoded(name): decoded(value) for name, value in reply.items()}
    return [decoded(item) for item in reply] if isinstance(reply, list) else reply
