"""Saving the server's data: https://valkey.io/commands/bgsave/"""

from redstart.commands.resp import ignored
from redstart.effects import Call


def bgsave() -> Call[None]:
    """Begin to write the RDB file; the server answers before it is written, with an error while it writes one."""
    return Call(("BGSAVE",), ignored)
