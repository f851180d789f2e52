"""The directories of a development server: a private one for its socket, and a lock on that of its data."""

import os
import sys
import tempfile
from pathlib import Path

from redstart.errors import EmbeddedServerError

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
