"""Lua scripts.

Source: https://redis.io/docs/latest/develop/interact/programmability/eval-intro/

They are the files of `redstart/lua`. They are sent by digest, and loaded when the server does not know them.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from typing import Any

from redstart.commands.resp import packed_command, raw
from redstart.commands.server_errors import is_noscript
from redstart.effects import Argument, Call, Op, call
from redstart.errors import CommandError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Script:
    """The source of a script, and the digest that identifies it on the server."""

    source: str
    sha1: str

    @classmethod
    def of(cls, source: str) -> "Script":
        """Return a script from its text."""
        return cls(source, sha1(source.encode(), usedforsecurity=False).hexdigest())


def evalsha(
    digest: str, keys: Sequence[str | bytes], args: Sequence[Argument], *, repeatable: bool = True
) -> Call[Any]:
    """Run a cached script by its digest.

    The server replies with NOSCRIPT if it has not cached the script. Every script of this project can be executed twice
    with the same effect; `repeatable` means that the second reply is also the same.
    """
    return Call(("EVALSHA", digest, len(keys), *keys, *args), raw, repeatable)


def packed_evalsha(digest: str, args: Sequence[str | bytes]) -> bytes:
    """Return `evalsha` without keys, as the bytes to send."""
    return packed_command(["EVALSHA", digest, "0", *args])


def evaluate(
    source: str, keys: Sequence[str | bytes], args: Sequence[Argument], *, repeatable: bool = True
) -> Call[Any]:
    """Run a script from its source; the server remembers it for `evalsha`."""
    return Call(("EVAL", source, len(keys), *keys, *args), raw, repeatable)


@cache
def load(*names: str) -> Script:
    """Return one or more files of `redstart/lua`, one after the other, as one script."""
    from importlib.resources import files  # noqa: PLC0415 - it takes a tenth of the time of importing all else

    return Script.of(
        "".join((files("redstart") / "lua" / name).read_text(encoding="utf-8") for name in names)
    )


def run_script(script: Script, keys: Sequence[str | bytes], args: Sequence[Argument]) -> Op[Any]:
    """Run a script. One round trip, or two when the server has forgotten it (restart, failover, SCRIPT FLUSH)."""
    try:
        return (yield from call(evalsha(script.sha1, keys, args)))
    except CommandError as error:
        return (yield from send_source(error, lambda: evaluate(script.source, keys, args)))


def send_source(error: CommandError, source: Callable[[], Call[Any]]) -> Op[Any]:
    """Send a script with its source, because the server does not know its digest. Raise any other error.

    Args:
        error: the reply to the script that was sent by its digest.
        source: returns the command that sends the source.
    """
    if not is_noscript(error):
        raise error
    logger.debug("The server has not cached a script; sending its source.")
    return (yield from call(source()))
