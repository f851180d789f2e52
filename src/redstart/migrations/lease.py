"""The lease: one run at a time, by the server's clock, with a fence inside every script that writes.

A lease expires after 10 seconds and is renewed by every write, or at least every 3 seconds. The next holder writes a
new token into the fence; a script with the old token then does nothing. So a run that was paused for a minute cannot
write at the same time as its successor.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgpack

from redstart.commands.keyspace import hgetall
from redstart.commands.scripts import Script, evalsha, evaluate, load, run_script, send_source
from redstart.commands.server_errors import ScriptErrorCode, script_error_code
from redstart.commands.server_info import server_time
from redstart.display import printable
from redstart.effects import Argument, Op, Pending, answer, call, pause, send_ahead
from redstart.errors import (
    CommandError,
    LeaseHeldError,
    LeaseLostError,
    RedstartError,
    ServerError,
    StateDamagedError,
    UnsafeServerError,
)
from redstart.migrations.damage import Damage, foreign_type, of_other_types, require_none
from redstart.migrations.holder import Holder
from redstart.migrations.server_checks import explained, require_server
from redstart.next_steps import Command, Hint

logger = logging.getLogger(__name__)

T = TypeVar("T")

LEASE_MS = 10_000
RENEW_AFTER_SECONDS = 3.0
_POLL_SECONDS = 0.25
_SILENT_SECONDS = 1.0
"""A shorter wait is not reported: an active holder renews with every write."""

_COMMIT = ("fenced.lua", "same_server.lua", "commit.lua")


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


@dataclass(frozen=True, slots=True)
class SentScript:
    """A script that was sent, with everything needed to send it again."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[Argument, ...]
    sent_at: float
    later: Pending[Any]


class ServerRestartedError(UnsafeServerError):
    """The server process was replaced since the data that a write relies on was read; nothing was written."""


def server_is_behind(error: type[UnsafeServerError] = UnsafeServerError) -> UnsafeServerError:
    """Return the error for a server that may have lost writes."""
    return error(
        "The server restarted and lost recent writes, including part of the undo log. Nothing was written since.",
        "Run the same command again: it continues from the state of the server.",
    )


_BEHIND: dict[ScriptErrorCode | None, type[UnsafeServerError]] = {
    ScriptErrorCode.BEHIND: UnsafeServerError,
    ScriptErrorCode.RESTARTED: ServerRestartedError,
}
"""Errors of scripts that find recent writes missing, by code."""


class Lease:
    """A lease that this process holds: the only way to write anything.

    Args:
        on_activity: called with each activity that `keep` is given.
    """

    def __init__(
        self,
        keys: LeaseKeys,
        token: str,
        holder: Holder,
        clock: Callable[[], float],
        on_activity: Callable[[Activity], None],
    ) -> None:
        self._keys = keys
        self._token = token
        self._holder = holder.to_json()
        self._clock = clock
        self._on_activity = on_activity
        self._renewed_at = clock()
        self._stage = ""

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Op[Any]:
        """Run a script that begins with fenced.lua, which renews the lease.

        Raises:
            LeaseLostError: this run lost its lease; nothing was written.
        """
        sent = yield from self.send(script, keys, args)
        return (yield from self.answer(sent))

    def send(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Op[SentScript]:
        """Send a script ahead; see redstart.effects.ahead. `answer` returns its reply, or raises LeaseLostError."""
        all_keys = (self._keys.fence, self._keys.lease, *keys)
        all_args = (self._token, self._holder, LEASE_MS, *args)
        sent_at = self._clock()
        later = yield from send_ahead(evalsha(script.sha1, all_keys, all_args))
        return SentScript(script, all_keys, all_args, sent_at, later)

    def answer(self, sent: SentScript) -> Op[Any]:
        """Return the reply to a script that was sent ahead.

        Raises:
            LeaseLostError: this run lost its lease; nothing was written.
            UnsafeServerError: recent writes are missing on the server.
            ServerRestartedError: the server restarted, and recent writes are missing.
        """
        try:
            reply = yield from _answer(sent)
        except CommandError as exc:
            code = script_error_code(exc)
            if code in _BEHIND:
                raise server_is_behind(_BEHIND[code]) from exc
            if code is ScriptErrorCode.FOREIGN:
                found, expected, key = exc.message.split(" ", 3)[1:]
                require_none([foreign_type("", key, found, expected)])
            if code is not ScriptErrorCode.FENCED:
                raise
            logger.warning("The lease %s was lost.", self._keys.lease)
            raise LeaseLostError(
                "This run lost its lease: another run took it, or it was unlocked, or the server restarted. It stopped "
                "before its next write.",
                Hint("See the progress with: ", Command("migrate-data progress")),
            ) from exc
        self._renewed_at = max(self._renewed_at, sent.sent_at)
        return reply

    def commit(self, commands: Sequence[Sequence[Argument]], *, under: str = "") -> Op[list[Any]]:
        """Write to state keys: all commands as one atomic unit, under the fence. Safe to repeat if they are.

        Keys are removed with the command `REMOVE`, which takes the type of each before its name.

        Args:
            under: the run id of the server, if the commands are valid only for that server process.

        Raises:
            LeaseLostError: see `run`.
            StateDamagedError: another program has written a value of another type to one of the keys; nothing was
                written.
            ServerRestartedError: the server has another run id; nothing was written.
        """
        sent = yield from self.send_commit(commands, under=under)
        return list((yield from self.answer(sent)))

    def send_commit(self, commands: Sequence[Sequence[Argument]], *, under: str = "") -> Op[SentScript]:
        """Send a commit ahead; see `commit` and `answer`."""
        payload = msgpack.packb(commands, use_bin_type=False)
        return (yield from self.send(load(*_COMMIT), (), (payload, under)))

    def keep(self, activity: Activity | None = None) -> Op[None]:
        """Renew the lease if the last renewal was 3 seconds ago. For work that only reads.

        Args:
            activity: shown by the progress display, `om migrate-data progress` and commands that wait for the
                lease. A new stage is written at once.
        """
        if activity is not None:
            self._on_activity(activity)
        is_new = activity is not None and activity.stage != self._stage
        if not is_new and self._clock() - self._renewed_at < RENEW_AFTER_SECONDS:
            return
        logger.debug("Renewing the lease %s.", self._keys.lease)
        if activity is None:
            yield from self.commit(())
        else:
            self._stage = activity.stage
            yield from self.commit([["HSET", self._keys.lease, "activity", activity.to_json()]])

    def release(self) -> Op[None]:
        """Release the lease."""
        yield from run_script(load("release.lua"), (self._keys.fence, self._keys.lease), (self._token,))
        logger.debug("The lease %s was released.", self._keys.lease)


def _answer(sent: SentScript) -> Op[Any]:
    """Return the reply to a script; send it again if the server has not cached it."""
    try:
        return (yield from answer(sent.later))
    except CommandError as exc:
        return (yield from send_source(exc, lambda: evaluate(sent.script.source, sent.keys, sent.args)))


def acquire(
    keys: LeaseKeys,
    token: str,
    holder: Holder,
    *,
    is_gone: Callable[[Holder], bool],
    clock: Callable[[], float],
    waiting: Callable[[str], None] = lambda _: None,
    on_activity: Callable[[Activity], None] = lambda _: None,
) -> Op[Lease]:
    """Acquire the lease.

    A holder whose process has ended is replaced at once. Otherwise wait: if the holder renews, raise LeaseHeldError; if
    not, its lease expires within 10 seconds and is acquired.

    Args:
        token: unique for this run; it becomes the fence.
        clock: seconds, monotonic.
        waiting: called once with a message that names the holder and the time left.
        on_activity: see `Lease`.

    Raises:
        LeaseHeldError: its holder renews it; or it is not renewed and does not expire within 10 seconds.
        UnsupportedServerError, MigrationError: the server is a node of a cluster, or a replica.
    """
    yield from require_server(writes=True)
    script = load("acquire.lua")
    replaceable = ""
    seen: LeaseState | None = None
    waited, told = 0.0, False
    while True:
        reply = yield from run_script(
            script, (keys.fence, keys.lease), (token, holder.to_json(), LEASE_MS, replaceable)
        )
        if reply[0] == 1:
            logger.debug("The lease %s was acquired.", keys.lease)
            return Lease(keys, token, holder, clock, on_activity)
        require_none(_foreign(keys, reply))
        state = _state(keys, dict(zip(_FIELDS, (*reply[1:5], reply[6]), strict=True)), reply[5])
        if is_gone(state.holder):
            logger.warning(
                "Taking the lease %s from process %d on %s, which has ended.",
                keys.lease,
                state.holder.pid,
                printable(state.holder.host),
            )
            replaceable = state.token
            continue
        if seen is not None and (state.token, state.renewals) != (seen.token, seen.renewals):
            raise LeaseHeldError(
                f"Another run is in progress: {state}.",
                Hint(
                    "Watch it with: ",
                    Command("migrate-data progress"),
                    ". If it is stuck: ",
                    Command("migrate-data force-unlock"),
                ),
            )
        seen = state
        if waited > LEASE_MS / 1000 + _SILENT_SECONDS:
            raise LeaseHeldError(
                f"The lease of {state} was not renewed for {waited:.0f} s and does not expire.",
                Hint(
                    "If that process has ended: ",
                    Command("migrate-data force-unlock"),
                    ". Then run the same command again.",
                ),
            )
        if waited >= _SILENT_SECONDS and not told:
            told = True
            waiting(
                f"Waiting for the lease of {state}. It is not being renewed and expires "
                f"within {LEASE_MS / 1000 - waited:.0f} s."
            )
        yield from pause(_POLL_SECONDS)
        waited += _POLL_SECONDS


def under_lease(acquiring: Op[Lease], work: Callable[[Lease], Op[T]]) -> Op[T]:
    """Acquire a lease, do the work, and release the lease.

    The lease is released after a refusal, too. After a failure of the server it expires.

    Raises:
        LeaseHeldError: another run is in progress; `work` was not started.
    """
    lease = yield from acquiring
    try:
        result = yield from work(lease)
    except CommandError as exc:
        raise (yield from explained(exc)) from exc
    except (LeaseLostError, ServerError):
        raise
    except RedstartError:
        yield from lease.release()
        raise
    yield from lease.release()
    return result


def retry_while_locked(work: Callable[[], Op[T]]) -> Op[T]:
    """Do work that acquires a lease; while another process holds it, wait and start again."""
    while True:
        try:
            return (yield from work())
        except LeaseHeldError:
            yield from pause(_POLL_SECONDS)


def current(keys: LeaseKeys) -> Op[LeaseState | None]:
    """Return the lease, or None. Two reads. Raises StateDamagedError."""
    fields = yield from call(hgetall(keys.lease))
    if not fields:
        return None
    now_ms = yield from call(server_time())
    return _state(keys, fields, now_ms)


def lease_damage(keys: LeaseKeys, fields: Mapping[bytes, bytes]) -> list[Damage]:
    """Return the damage of the fields of a lease."""
    try:
        _ = _state(keys, fields, 0)
    except StateDamagedError as exc:
        return [Damage("lease", exc.message, exc.next_step)]
    return []


def _foreign(keys: LeaseKeys, reply: Sequence[Any]) -> list[Damage]:
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


def _state(keys: LeaseKeys, fields: Mapping[bytes, bytes | None], now_ms: int) -> LeaseState:
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


def break_lease(keys: LeaseKeys) -> Op[None]:
    """Remove the lease; its holder stops before its next write.

    Raises:
        StateDamagedError: another program has written the fence or the lease; nothing was removed.
    """
    reply = yield from run_script(load("release.lua"), (keys.fence, keys.lease), ("",))
    require_none(_foreign(keys, reply))
    logger.warning("The lease %s was removed.", keys.lease)
