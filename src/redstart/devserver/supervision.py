"""Stop a server whose parent was killed by SIGKILL, which the parent cannot handle itself.

A shell reads from a pipe that only the parent has open for writing. When the parent ends in any way, the pipe ends:
the shell stops the server and removes the temporary directory. This takes one sleeping process, needs only /bin/sh,
and works on Linux and macOS (PR_SET_PDEATHSIG is Linux only, and fires when the starting thread ends).
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from redstart.errors import EmbeddedServerError

# A line on the pipe means that the server has been stopped; the end of the pipe without one, that the parent is dead.
# SIGTERM comes first, because a killed server may lose acknowledged writes (`append_sync`). A server that stops in
# order writes its data, then removes its socket; a check of the process alone would mistake a zombie, which some
# containers leave, for a running server. The whole group is stopped, because a server that rewrites its append-only
# file has a child. An ending server may still create a file while its directory is removed; hence the second attempt.
# POSIX `sleep` accepts whole seconds only; hence `sleep 1` if a fraction fails.
SCRIPT = """
if read -r farewell; then exit 0; fi
kill -s TERM -- "-$1"
tenths=0
while [ -S "$3" ] && [ "$tenths" -lt "$4" ] && kill -s 0 -- "-$1"; do
    sleep 0.1 || sleep 1
    tenths=$((tenths + 1))
done
kill -s KILL -- "-$1"
rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
"""

GRACE_TENTHS_OF_A_SECOND = 50
FAREWELL_TIMEOUT_SECONDS = 5.0


class Reaper:
    """A watcher of one server, in a session of its own so that Ctrl-C in a terminal does not end it first.

    A child that the parent forks without exec also has the pipe open: the server then ends with the last of them.

    Args:
        server_pid: the server's process id, which is also its process group.
        temporary_directory: removed together with the server; created for this server only.
        socket_path: the socket of the server; absent before it listens and after it has written its data.
    """

    def __init__(self, server_pid: int, temporary_directory: Path, socket_path: Path) -> None:
        arguments = [
            str(server_pid),
            str(temporary_directory),
            str(socket_path),
            str(GRACE_TENTHS_OF_A_SECOND),
        ]
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "redstart-reaper", *arguments],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End the watcher without any effect: the server has ended."""
        try:
            self._shell.communicate(b"farewell\n", timeout=FAREWELL_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.communicate()


if sys.platform != "win32":  # There, find_binaries raises before; importing must still work.
    import fcntl

LONGEST_SOCKET_PATH_BYTES = 100
"""Slightly below the limits of the kernels: 107 bytes on Linux, 103 on macOS."""

SOCKET_NAME = "socket"


def make_private_directory() -> Path:
    """Create a directory, readable by this user only, whose socket path is short enough for the kernel.

    It is separate from the data, whose path may have any length.

    Raises:
        EmbeddedServerError: neither the temporary directory nor /tmp has such a path.
    """
    for parent in (tempfile.gettempdir(), "/tmp"):
        try:
            directory = Path(tempfile.mkdtemp(prefix="redstart-", dir=parent))
        except OSError as error:
            raise EmbeddedServerError(f"No temporary directory in {parent}: {error.strerror}.") from error
        if len(os.fsencode(directory / SOCKET_NAME)) <= LONGEST_SOCKET_PATH_BYTES:
            return directory
        directory.rmdir()
    raise EmbeddedServerError(f"No temporary directory with a short path: {parent}.", "Set TMPDIR=/tmp")


def lock_data_directory(directory: Path) -> int:
    """Create the directory if needed, and lock it: two servers on one append-only file would destroy it.

    Returns:
        A file descriptor to pass to the server: the lock lasts while any process has it open.

    Raises:
        EmbeddedServerError: another server uses the directory, or it cannot be created.
    """
    try:
        # For this user only: it may contain a copy of confidential data.
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise EmbeddedServerError(f"Cannot use the directory {directory}: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise EmbeddedServerError(
            f"Another development server uses the directory {directory}.",
            "Stop that server, or name another directory.",
        ) from error
    return descriptor


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
