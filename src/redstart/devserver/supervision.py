"""Stop a server whose parent was killed by SIGKILL, which the parent cannot handle itself.

A shell reads from a pipe that only the parent has open for writing. When the parent ends in any way, the pipe ends:
the shell stops the server and removes the temporary directory. This takes one sleeping process, needs only /bin/sh,
and works on Linux and macOS (PR_SET_PDEATHSIG is Linux only, and fires when the starting thread ends).
"""

import subprocess
from pathlib import Path

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
