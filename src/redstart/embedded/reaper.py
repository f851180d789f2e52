"""Ends a server whose parent was killed by SIGKILL, which no handler of the parent can do.

A shell reads from a pipe whose other end only the parent holds. When the parent is gone, however it went,
the pipe ends: the shell kills the server and removes the temporary directory. It costs one sleeping process,
needs nothing but /bin/sh, and works on Linux and macOS alike (PR_SET_PDEATHSIG is Linux only, and fires when
the starting thread ends).
"""

import subprocess
from pathlib import Path

# A word on the pipe is the parent's farewell: all is stopped. The end of the pipe without one is its death.
# The group is killed, because a server that rewrites its append-only file has a child. A server that is
# dying may still be creating a file while its directory is removed; hence the second attempt.
SCRIPT = """
if read -r farewell; then exit 0; fi
kill -s KILL -- "-$1"
rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
"""

FAREWELL_TIMEOUT_SECONDS = 5.0


class Reaper:
    """A watcher over one server, in a session of its own so that Ctrl-C in a terminal does not end it first.

    A child that the parent forks without exec holds the pipe too: the server then ends with the last of them.

    Args:
        server_pid: the server's process id, which is also its process group.
        temporary_directory: removed together with the server. Give only a directory made for this server.
    """

    def __init__(self, server_pid: int, temporary_directory: Path) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "redstart-reaper", str(server_pid), str(temporary_directory)],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Let the watcher go without its touching anything: the server has ended."""
        try:
            self._shell.communicate(b"farewell\n", timeout=FAREWELL_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.communicate()
