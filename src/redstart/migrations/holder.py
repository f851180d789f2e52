"""The holder of a lease, with enough detail to tell on the same machine whether its process has ended."""

import getpass
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from redstart.display import printable, without_passwords

_COMMANDS = ("migrate", "migrate-data", "run", "rollback", "clear-progress", "drop-undo-log", "cleanup")
"""Of `om`: those that take a lease."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. `start_ticks` tells it from a later process with the same number; empty if unknown."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    start_ticks: str
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} on {printable(self.host)} ({printable(without_passwords(self.command))})"

    def to_json(self) -> str:
        """Return the text that the lease stores."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: bytes | str) -> "Holder":
        """Read the text that a lease stores. Fields of a newer version are ignored.

        Raises:
            ValueError: the text does not describe a holder.
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
    """Return this process."""
    pid = os.getpid()
    # Never the arguments: they may contain a password, and the lease is kept by the server, its files and replicas.
    words = (word for word in sys.argv[1:] if word in _COMMANDS)
    command = " ".join([Path(sys.argv[0]).name, *words])
    return Holder(socket.gethostname(), _boot_id(), _pid_namespace(), pid, _start_ticks(pid), command)


def this_user() -> str:
    """Return the user of this process and the host, as `user@host`."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # in a container, its number may have no name
        name = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{name}@{socket.gethostname()}"


def is_gone(holder: Holder) -> bool:
    """Return True only when the holder ran on this very machine since its last boot and has ended since.

    Return False on another machine, in another container, on a system that does not show it (macOS) or that hides the
    processes of other users (`hidepid`, `ProtectProc`): then its lease has to expire.
    """
    here = (_boot_id(), _pid_namespace())
    if not all(here) or here != (holder.boot_id, holder.pid_namespace):
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it exists, and belongs to another user; or the system does not report it
    stat = _stat(holder.pid)  # nothing of a hidden process, which may exist
    return stat is not None and (stat[0] in "ZX" or stat[1] != holder.start_ticks)


def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip()


def _pid_namespace() -> str:
    """Return the namespaces of process numbers and start times; "" if the system does not show them."""
    numbers = _link("/proc/self/ns/pid")
    times = _link("/proc/self/ns/time")  # before Linux 5.6 there is none
    return f"{numbers} {times}" if numbers and times else numbers


def _stat(pid: int) -> tuple[str, str] | None:
    """Return state and start time of a process: fields 3 and 22 of /proc/PID/stat (proc(5)); None if unknown."""
    # The command name in field 2 may hold spaces and brackets: count from behind its last bracket.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else None


def _start_ticks(pid: int) -> str:
    stat = _stat(pid)
    return "" if stat is None else stat[1]


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
