"""Ends a server whose parent was killed by SIGKILL, which no handler of the parent can do.

A shell reads from a pipe whose other end only the parent holds. When the parent is gone, however it went,
the pipe ends: the shell ends the server and removes the temporary directory. It costs one sleeping process,
needs nothing but /bin/sh, and works on Linux and macOS alike (PR_SET_PDEATHSIG is Linux only, and fires when
the starting thread ends).
"""

import subprocess
from pathlib import Path

# A word on the pipe is the parent's farewell: all is stopped. The end of the pipe without one is its death.
# SIGTERM comes first, because a server that is killed may lose writes it acknowledged (`append_sync`).
# A server that ends in order writes its data, then removes its socket; to watch the process alone would take
# a zombie, which some containers leave, for a server at work. The group is ended, because a server that
# rewrites its append-only file has a child. A server that is dying may still be creating a file while its
# directory is removed; hence the second attempt. POSIX knows no fraction of a second for `sleep`; where it
# is refused, a whole one does.
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
    """A watcher over one server, in a session of its own so that Ctrl-C in a terminal does not end it first.

    A child that the parent forks without exec holds the pipe too: the server then ends with the last of them.

    Args:
        server_pid: the server's process id, which is also its process group.
        temporary_directory: removed together with the server. Give only a directory made for this server.
        socket_path: where the server listens; absent before it does and after it has written its data.
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
        """Let the watcher go without its touching anything: the server has ended."""
        try:
            self._shell.communicate(b"farewell\n", timeout=FAREWELL_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.communicate()
