"""The lease as stored on the server, read and checked, and its holder.

A holder has enough details to detect, on the same machine, whether its process has ended.
"""

import getpass
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from redstart.commands.keyspace import hgetall
from redstart.commands.server_info import server_time
from redstart.display import printable, without_passwords
from redstart.effects import Op, call
from redstart.errors import StateDamagedError
from redstart.migrations.state_keys import Damage, LeaseKeys, foreign_type, of_other_types, require_none
from redstart.next_steps import Command, Hint

_COMMANDS = frozenset(
    (
        *("migrate", "migrate-data", "index", "upgrade", "downgrade"),
        *("run", "rollback", "reset", "stamp", "sync", "cleanup", "clear-progress", "drop-undo-log"),
        *("create", "rebuild", "drop"),
    )
)
"""Words of the commands that take a lease."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. `start_ticks` distinguishes it from a later process with the same number; empty if unknown."""

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
    program = Path(sys.argv[0])
    name = f"python -m {program.parent.name}" if program.name == "__main__.py" else program.name
    command = " ".join([name, *words])
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


@dataclass(frozen=True, slots=True)
class Activity:
    """The activity of the holder of a lease.

    Attributes:
        stage: what is being done, in one or two words and a name.
        done, total: in units; total is 0 while unknown.
        unit: what `done` counts, in the plural; `%` where it is a percentage. Not stored.
    """

    stage: str
    done: int = 0
    total: int = 0
    unit: str = "documents"

    def __str__(self) -> str:
        if not self.done:
            return self.stage
        return (
            f"{self.stage}, {self.done:,} of {self.total:,}" if self.total else f"{self.stage}, {self.done:,}"
        )

    def to_json(self) -> str:
        """Return the text that the lease stores."""
        return json.dumps([self.stage, self.done, self.total])

    @classmethod
    def from_json(cls, text: bytes | None) -> "Activity | None":
        """Read the text that a lease stores; None if there is none. Raises ValueError, TypeError for another text."""
        if not text:
            return None
        stage, done, total = json.loads(text)
        return cls(printable(stage), int(done), int(total))


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A lease as stored on the server: its holder, its start and the current time (server's clock, ms), its renewals.

    Attributes:
        activity: the last activity that the holder stored, or None.
    """

    token: str
    holder: Holder
    since_ms: int
    renewals: int
    now_ms: int
    activity: Activity | None = None

    def __str__(self) -> str:
        seconds = max(0, self.now_ms - self.since_ms) / 1000
        doing = "" if self.activity is None else f": {self.activity}"
        return f"{self.holder}, for {seconds:.0f} s{doing}"


def current(keys: LeaseKeys) -> Op[LeaseState | None]:
    """Return the lease, or None. Two reads. Raises StateDamagedError."""
    fields = yield from call(hgetall(keys.lease))
    if not fields:
        return None
    now_ms = yield from call(server_time())
    return read_state(keys, fields, now_ms)


def lease_damage(keys: LeaseKeys, fields: Mapping[bytes, bytes]) -> list[Damage]:
    """Return the damage of the fields of a lease."""
    try:
        _ = read_state(keys, fields, 0)
    except StateDamagedError as exc:
        return [Damage("lease", exc.message, exc.next_step)]
    return []


def foreign_in_reply(keys: LeaseKeys, reply: Sequence[Any]) -> list[Damage]:
    """Return the damage that acquire.lua and release.lua report."""
    if reply[0] != -1:
        return []
    part, key = ("fence", keys.fence) if reply[1] == 1 else ("lease", keys.lease)
    return [foreign_type(part, key, reply[2].decode(), reply[3].decode())]


def require_own_types(keys: LeaseKeys) -> Op[None]:
    """Raise StateDamagedError if another program has written the fence or the lease. One read."""
    parts = [("fence", keys.fence, "string"), ("lease", keys.lease, "hash")]
    require_none((yield from of_other_types(parts)))


_FIELDS = (b"token", b"holder", b"since_ms", b"renewals", b"activity")


def read_state(keys: LeaseKeys, fields: Mapping[bytes, bytes | None], now_ms: int) -> LeaseState:
    """Return the lease of these fields. Raises StateDamagedError."""
    try:
        token, holder, since_ms, renewals = (fields[name] or b"" for name in _FIELDS[:4])
        if not token:
            raise ValueError("there is no token")
        activity = Activity.from_json(fields.get(b"activity"))
        holding = Holder.from_json(holder)
        return LeaseState(token.decode(), holding, int(since_ms), int(renewals), now_ms, activity)
    except (ValueError, KeyError, TypeError) as exc:
        reason = f"{exc} is missing" if isinstance(exc, KeyError) else exc
        raise StateDamagedError(
            f"The lease {keys.lease} cannot be read: {reason}.",
            Hint(
                (
                    "Wait until the run that holds the lease has ended. If no run is active, remove the "
                    "lease with: "
                ),
                Command("migrate-data force-unlock"),
            ),
        ) from exc


def state_in_reply(keys: LeaseKeys, reply: Sequence[Any]) -> LeaseState:
    """Return the lease of another holder, from a reply of acquire.lua. Raises StateDamagedError."""
    require_none(foreign_in_reply(keys, reply))
    return read_state(keys, dict(zip(_FIELDS, (*reply[1:5], reply[6]), strict=True)), reply[5])
