"""Lua scripts: https://redis.io/docs/latest/develop/interact/programmability/eval-intro/"""

from collections.abc import Sequence
from typing import Any

from redstart.commands.replies import raw
from redstart.effects import Argument, Call


def evalsha(sha1: str, keys: Sequence[str], args: Sequence[Argument]) -> Call[Any]:
    """Run a script the server knows by its digest; CommandFailed with code NOSCRIPT when it does not.

    Every script of this project compares before it writes, so running one twice ends as running it once.
    """
    return Call(("EVALSHA", sha1, len(keys), *keys, *args), raw)


def evaluate(source: str, keys: Sequence[str], args: Sequence[Argument]) -> Call[Any]:
    """Run a script from its source; the server remembers it for `evalsha`."""
    return Call(("EVAL", source, len(keys), *keys, *args), raw)
