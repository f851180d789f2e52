"""Commands on the server itself: its properties, and saving its data."""

import re
from typing import Any

from redstart.commands.resp import ignored, text
from redstart.effects import Call


def info(*sections: str) -> Call[dict[str, str]]:
    """`INFO` as one flat dict of its fields."""
    return Call(("INFO", *sections), _info_fields)


def modules() -> Call[dict[str, str]]:
    """`INFO modules`: the version of each module, by its name."""
    return Call(("INFO", "modules"), lambda reply: dict(map(_module, _MODULE.findall(text(reply)))))


_MODULE = re.compile(r"^module:name=([^,]+),ver=(\d+)", re.MULTILINE)


def _module(found: tuple[str, str]) -> tuple[str, str]:
    number = int(found[1])
    return found[0], f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def command_known(name: str) -> Call[bool]:
    """Return whether the server has a command, from `COMMAND INFO`."""
    return Call(("COMMAND", "INFO", name), lambda reply: bool(reply) and _first(reply) is not None)


def server_time() -> Call[int]:
    """Return the server's clock in milliseconds since 1970."""
    return Call(("TIME",), lambda reply: int(reply[0]) * 1000 + int(reply[1]) // 1000)


def _info_fields(reply: Any) -> dict[str, str]:
    lines = (line for line in text(reply).splitlines() if ":" in line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def _first(reply: Any) -> Any:
    return next(iter(reply.values())) if isinstance(reply, dict) else reply[0]


def client_database() -> Call[int]:
    """Return the number of the database this connection uses, from `CLIENT INFO`."""
    return Call(("CLIENT", "INFO"), _database)


def _database(reply: Any) -> int:
    fields = dict(part.partition("=")[::2] for part in text(reply).split())
    return int(fields["db"])


def bgsave() -> Call[None]:
    """Start writing the RDB file.

    The server replies before it is written; if it is already writing one, with an error.
    """
    return Call(("BGSAVE",), ignored)
