"""The lease as stored on the server, read and checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.commands.keyspace import hgetall
from redstart.commands.server_info import server_time
from redstart.display import printable
from redstart.effects import Op, call
from redstart.errors import StateDamagedError
from redstart.migrations.damage import Damage, foreign_type, of_other_types, require_none
from redstart.migrations.holder import Holder
from redstart.next_steps import Command, Hint


@dataclass(frozen=True, slots=True)
class LeaseKeys:
    """Keys of the fence and the lease of one migration."""

    fence: str
    lease: str


@dataclass(frozen=True, slots=True)
class Activity:
    """What the holder of a lease is doing.

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
