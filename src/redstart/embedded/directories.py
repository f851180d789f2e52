"""The directories of a scratch server: a private one for its socket, and a lock on the one with its data."""

import os
import sys
import tempfile
from pathlib import Path

from redstart.errors import EmbeddedServerError

if sys.platform != "win32":  # There, find_binaries has already said no; importing must still work.
    import fcntl

LONGEST_SOCKET_PATH_BYTES = 100
"""A little below what the kernels take: 107 bytes on Linux, 103 on macOS."""

SOCKET_NAME = "socket"


def make_private_directory() -> Path:
    """A new directory, readable by this user only, whose socket path is short enough for the kernel.

    It is apart from the data, so that the data may lie under a path of any length.

    Raises:
        EmbeddedServerError: neither the temporary directory nor /tmp gives such a path.
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
    """Make the directory if needed and lock it; two servers on one append-only file would destroy it.

    Returns:
        A file descriptor to hand to the server: the lock lasts as long as any process has it open.

    Raises:
        EmbeddedServerError: another server uses it, or it cannot be made.
    """
    try:
        # For this user only: it may hold a copy of data that others may not read.
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
            f"Another scratch server uses the directory {directory}.", "Stop it, or name another directory."
        ) from error
    return descriptor
