"""The command line of a development server, and the settings that must not appear there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from redstart.devserver.binaries import Binaries

AppendSync: TypeAlias = Literal["always", "everysec", "no"]

# By default the search module returns what it finds within 500 ms, silently incomplete.
SEARCH_ARGUMENTS = ("TIMEOUT", "0", "ON_TIMEOUT", "FAIL")


# By default Valkey frees in a background thread what FLUSHALL and expiry remove. Seen with RedisJSON 2.8: after a
# few hundred such flushes the next JSON.GET panics, and the server crashes.
FREED_AT_ONCE = (
    "lazyfree-lazy-user-flush",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-eviction",
)


def server_arguments(
    binaries: Binaries,
    *,
    socket_path: Path,
    directory: Path,
    port: int,
    append_only: bool,
    append_sync: AppendSync,
    extra_arguments: Sequence[str],
) -> list[str]:
    """Return the command line of a server that reads further settings from its standard input (`-`).

    No snapshots (`--save ""`): a module can abort one at shutdown, and the append-only file needs none.
    """
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(directory),
        "save": "",
        "appendonly": "yes" if append_only else "no",
        "appendfsync": append_sync,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    } | dict.fromkeys(FREED_AT_ONCE, "no")
    words = [str(binaries.server), "-"]
    for name, value in settings.items():
        words += [f"--{name}", value]
    if binaries.json_module is not None:
        words += ["--loadmodule", str(binaries.json_module)]
    if binaries.search_module is not None:
        words += ["--loadmodule", str(binaries.search_module), *SEARCH_ARGUMENTS]
    return [*words, *extra_arguments]


def secret_settings(password: str | None) -> bytes:
    """Return the lines for the server's standard input: every user can read a password on a command line."""
    if not password:
        return b""
    quoted = "".join(f"\\x{byte:02x}" for byte in password.encode())
    return f'requirepass "{quoted}"\n'.encode()
