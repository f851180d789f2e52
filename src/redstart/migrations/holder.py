"""Who holds a lease, described so that a process on the same machine can tell whether the holder is gone."""

import json
import os
import socket
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from redstart.display import printable, without_passwords

_COMMANDS = ("migrate", "migrate-data", "run", "rollback", "clear-progress", "forget", "swap-back", "cleanup")
"""Of `om`: those that take a lease."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. `start_ticks` tells it from a later process with the same number; empty where unknown."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    start_ticks: str
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} on {printable(self.host)} ({printable(without_passwords(self.command))})"

    def to_json(self) -> str:
        """One line for the lease."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: bytes | str) -> "Holder":
        """From a lease's line. What a newer version adds is left out.

        Raises:
            ValueError: it is not the line of a holder.
        """
        data = json.loads(text)
        names = {field.name: field.type for field in fields(cls)}
        if not isinstance(data, dict) or not names.keys() <= data.keys():
            raise ValueError("the holder is not described")
        if not isinstance(data["pid"], int) or not all(
            isinstance(data[name], str) for name in names if name != "pid"
        ):
            raise ValueError("the holder is not described")
        return cls(**{name: data[name] for name in names})


def this_process() -> Holder:
    """This process."""
    pid = os.getpid()
    # Never the arguments: they may contain a password, and the lease is kept by the server, its files and replicas.
    words = (word for word in sys.argv[1:] if word in _COMMANDS)
    command = " ".join([Path(sys.argv[0]).name, *words])
    return Holder(socket.gethostname(), _boot_id(), _pid_namespace(), pid, _start_ticks(pid), command)


def is_gone(holder: Holder) -> bool:
    """True only when the holder ran on this very machine since its last boot and exists no more.

    Elsewhere, in another container, or where the system does not tell (macOS), the answer is False: its lease
    is then waited out.
    """
    if not holder.boot_id or holder.boot_id != _boot_id() or holder.pid_namespace != _pid_namespace():
        return False
    return _start_ticks(holder.pid) != holder.start_ticks


def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip()


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _start_ticks(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)); "" for a process that is gone or a zombie."""
    # The command name in field 2 may hold spaces and brackets: count from behind its last bracket.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "" if not fields or fields[0] in "ZX" else fields[19]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
