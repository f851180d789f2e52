"""Wire format: commands packed for many keys, and parsers of raw replies for RESP2 and RESP3."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from redstart.effects import Batch


def raw(reply: Any) -> Any:
    """Return the raw reply, for callers that parse it themselves."""
    return reply


def ignored(_: Any) -> None:
    """Ignore the reply of a command that returns no information."""


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


PAGE_BYTES: Final = 2_000_000
"""The limit of one reply. Other clients of the server wait for it, and this process keeps it in memory as a whole."""

_FIRST_KEYS = 1
_GROWTH = 4
_SAMPLED = 8
"""One of this many replies is measured."""


class KeyedCommand:
    """A command `NAME key tail...`, packed once for all keys."""

    __slots__ = ("_head", "_tail")

    def __init__(self, name: str, tail: Sequence[str | bytes]) -> None:
        self._head = b"*%d\r\n%b$" % (2 + len(tail), _bulk(name))
        self._tail = b"\r\n" + b"".join(map(_bulk, tail))

    def pack(self, key: bytes) -> bytes:
        """Return the bytes to send for one key."""
        return b"%b%d\r\n%b%b" % (self._head, len(key), key, self._tail)

    def pack_all(self, keys: Sequence[bytes]) -> bytes:
        """Return the bytes to send for several keys."""
        if len(set(map(len, keys))) != 1:
            return b"".join(map(self.pack, keys))
        # Keys with a ULID have the same length; then this takes a tenth of the time.
        head = b"%b%d\r\n" % (self._head, len(keys[0]))
        return head + (self._tail + head).join(keys) + self._tail


class PageSize:
    """How many keys to read at once, so that their replies are about `PAGE_BYTES` at most.

    Follows the replies so far: starts with one key, since the first documents may be large.

    Attributes:
        keys: for the next page; callers have a limit of their own.
        is_known: whether there were replies yet.
    """

    __slots__ = ("is_known", "keys")

    def __init__(self) -> None:
        self.keys = _FIRST_KEYS
        self.is_known = False

    def observe(self, replies: Sequence[Any]) -> None:
        """Adapt to the replies to a page: texts, or lists of texts."""
        measured = replies[::_SAMPLED]
        if measured:
            self.is_known = True
            fitting = PAGE_BYTES * len(measured) // max(1, sum(map(_reply_bytes, measured)))
            self.keys = max(1, min(fitting, self.keys * _GROWTH))


def _reply_bytes(reply: Any) -> int:
    if isinstance(reply, bytes):
        return len(reply)
    if isinstance(reply, dict):  # HGETALL in RESP3
        return sum(map(len, reply)) + sum(map(len, reply.values()))
    return sum(map(len, filter(None, reply))) if isinstance(reply, list) else 0


def packed_command(words: Sequence[str | bytes]) -> bytes:
    """Return the bytes to send for a command, its name first."""
    return b"*%d\r\n%b" % (len(words), b"".join(map(_bulk, words)))


def packed_batch(commands: Iterable[bytes], count: int) -> Batch[list[Any]]:
    """Packed commands as one request; the replies come back raw, errors among them."""
    return Batch((), list, packed=b"".join(commands), replies=count)


def _bulk(word: str | bytes) -> bytes:
    data = word.encode() if isinstance(word, str) else word
    return b"$%d\r\n%b\r\n" % (len(data), data)
