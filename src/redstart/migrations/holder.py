"""Who holds a lease, described so that a process on the same machine can tell whether the holder is gone."""

import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


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
        return f"process {self.pid} on {self.host} ({self.command})"

    def to_json(self) -> str:
        """One line for the lease."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: bytes | str) -> "Holder":
        """From a lease's line."""
        return cls(**json.loads(text))


def this_process() -> Holder:
    """This process."""
    pid = os.getpid()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:3]])
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
