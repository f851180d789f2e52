"""The lease: one run at a time, by the server's clock, with a fence inside every script that writes.

A lease expires after 10 seconds and is renewed by every write, or at least every 3 seconds. The next holder writes a
new token into the fence; a script with the old token then does nothing. So a run that was paused for a minute cannot
write at the same time as its successor.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgpack

from redstart.commands.scripts import Script, evalsha, evaluate, load, run_script, send_source
from redstart.commands.server_errors import ScriptErrorCode, script_error_code
from redstart.commands.server_info import info
from redstart.display import printable
from redstart.effects import Argument, Op, Pending, call, pause, receive, send_ahead
from redstart.errors import (
    CommandError,
    LeaseHeldError,
    LeaseLostError,
    RedstartError,
    ServerError,
    UnsafeServerError,
)
from redstart.migrations.lease_state import Activity, Holder, LeaseState, foreign_in_reply, state_in_reply
from redstart.migrations.server_checks import explained, require_server
from redstart.migrations.state_keys import LeaseKeys, foreign_type, require_none
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
        "The server has lost recent writes, including part of the undo log: it restarted or was replaced, or another "
        "client deleted keys. Nothing was written since.",
        "Run the same command again: it continues from the state of the server.",
    )


_BEHIND: dict[ScriptErrorCode | None, type[UnsafeServerError]] = {
    ScriptErrorCode.BEHIND: UnsafeServerError,
    ScriptErrorCode.RESTARTED: ServerRestartedError,
}
"""Errors of scripts that find recent writes missing, by code."""


_LOST: dict[ScriptErrorCode | None, str] = {
    ScriptErrorCode.FENCED: "Another run acquired it.",
    ScriptErrorCode.UNFENCED: "Possible reasons: it was removed by force-unlock, or with other keys (FLUSHALL, SWAPDB, "
    "DEL); the server restarted or was replaced without it; another run acquired it and has ended.",
}
"""Why a lease is lost, by the code of the error of a script."""


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
        self._what = "rollback" if "rollback" in holder.command.split() else "run"
        self._clock = clock
        self._on_activity = on_activity
        self._renewed_at = clock()
        self._stage = ""

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Op[Any]:
        """Run a script that begins with fenced.lua, which renews the lease.

        Raises:
            LeaseLostError: this run lost its lease; nothing was written.

        Effects: one script, under the fence.
        """
        sent = yield from self.send(script, keys, args)
        return (yield from self.receive(sent))

    def send(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Op[SentScript]:
        """Send a script ahead; see `redstart.effects.send_ahead`. `receive` returns its reply.

        Effects: one script, sent ahead.
        """
        all_keys = (self._keys.fence, self._keys.lease, *keys)
        all_args = (self._token, self._holder, LEASE_MS, *args)
        sent_at = self._clock()
        later = yield from send_ahead(evalsha(script.sha1, all_keys, all_args))
        return SentScript(script, all_keys, all_args, sent_at, later)

    def receive(self, sent: SentScript) -> Op[Any]:
        """Return the reply to a script that was sent ahead.

        Raises:
            LeaseLostError: this run lost its lease; nothing was written.
            UnsafeServerError: recent writes are missing on the server.
            ServerRestartedError: the server restarted, and recent writes are missing.

        Effects: none, or the script again, with its source, if the server has not cached it.
        """
        try:
            reply = yield from _receive(sent)
        except CommandError as exc:
            code = script_error_code(exc)
            if code in _BEHIND:
                raise server_is_behind(_BEHIND[code]) from exc
            if code is ScriptErrorCode.FOREIGN:
                found, expected, key = exc.message.split(" ", 3)[1:]
                require_none([foreign_type("", key, found, expected)])
            if code not in _LOST:
                raise
            logger.warning("The lease %s was lost.", self._keys.lease)
            raise LeaseLostError(
                f"This {self._what} lost its lease and stopped before its next write. {_LOST[code]}",
                Hint(
                    "See the progress with: ",
                    Command("migrate-data progress"),
                    ". If no run is active, run the same command again.",
                ),
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

        Effects: one script.
        """
        sent = yield from self.send_commit(commands, under=under)
        return list((yield from self.receive(sent)))

    def send_commit(self, commands: Sequence[Sequence[Argument]], *, under: str = "") -> Op[SentScript]:
        """Send a commit ahead; see `commit` and `receive`.

        Effects: one script, sent ahead.
        """
        payload = msgpack.packb(commands, use_bin_type=False)
        return (yield from self.send(load(*_COMMIT), (), (payload, under)))

    def keep(self, activity: Activity | None = None) -> Op[None]:
        """Renew the lease if the last renewal was 3 seconds ago. For work that only reads.

        Args:
            activity: shown by the progress display, `om migrate-data progress` and commands that wait for the
                lease. A new stage is written at once.

        Effects: one script, or none if the lease was renewed less than 3 seconds ago and the stage is the same.
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

    def hold(self, milliseconds: int, activity: Activity) -> Op[None]:
        """Renew the lease once for a longer time: for work that does not renew it, such as code of the project.

        The next write ends that time: the lease is then valid for the usual time.

        Effects: one script.
        """
        self._on_activity(activity)
        self._stage = activity.stage
        lease = self._keys.lease
        _ = yield from self.commit(
            [["HSET", lease, "activity", activity.to_json()], ["PEXPIRE", lease, milliseconds]]
        )

    def release(self) -> Op[None]:
        """Release the lease.

        Effects: one script, which removes the fence and the lease unless another run has acquired them. Safe to repeat.
        """
        yield from run_script(load("release.lua"), (self._keys.fence, self._keys.lease), (self._token,))
        logger.debug("The lease %s was released.", self._keys.lease)


def _receive(sent: SentScript) -> Op[Any]:
    """Return the reply to a script; send it again if the server has not cached it."""
    try:
        return (yield from receive(sent.later))
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
    only_here: bool = False,
) -> Op[Lease]:
    """Acquire the lease.

    A holder whose process has ended is replaced at once. Otherwise wait: if the holder renews, raise LeaseHeldError; if
    not, its lease expires within 10 seconds and is acquired.

    Args:
        token: unique for this run; it becomes the fence.
        clock: seconds, monotonic.
        waiting: called once with a message that names the holder and the time left.
        on_activity: see `Lease`.
        only_here: whether the lease is valid for this server process only. After a restart or a failover, what was
            read and written before may be lost; then a write raises ServerRestartedError.

    Raises:
        LeaseHeldError: its holder renews it; or it is not renewed and does not expire within 10 seconds.
        UnsupportedServerError, MigrationError: the server is a node of a cluster, or a replica.

    Effects: one or two reads, and a script for each poll, four a second while another process holds the lease. Writes
        the fence and the lease. Safe to repeat.
    """
    yield from require_server(writes=True)
    if only_here:
        run_id = (yield from call(info("server"))).get("run_id", "")
        token = f"{token}@{run_id}"
    script = load("acquire.lua")
    wait = _Wait(waiting)
    replaceable = ""
    while True:
        reply = yield from run_script(
            script, (keys.fence, keys.lease), (token, holder.to_json(), LEASE_MS, replaceable)
        )
        if reply[0] == 1:
            logger.debug("The lease %s was acquired.", keys.lease)
            return Lease(keys, token, holder, clock, on_activity)
        state = state_in_reply(keys, reply)
        if is_gone(state.holder):
            logger.warning(
                "Taking the lease %s from process %d on %s, which has ended.",
                keys.lease,
                state.holder.pid,
                printable(state.holder.host),
            )
            replaceable = state.token
            continue
        wait.observe(state)
        yield from pause(_POLL_SECONDS)


class _Wait:
    """The wait for a lease that another process holds, until it expires or is renewed."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._state: LeaseState | None = None
        self._seconds = 0.0
        self._is_reported = False

    def observe(self, state: LeaseState) -> None:
        """Compare the lease with that of the last poll, and count a poll.

        Raises:
            LeaseHeldError: it was renewed, or it should have expired.
        """
        before = self._state
        if before is not None and (state.token, state.renewals) != (before.token, before.renewals):
            raise LeaseHeldError(
                f"Another run is in progress: {state}.",
                Hint(
                    "Watch it with: ",
                    Command("migrate-data progress"),
                    ". If it is stuck: ",
                    Command("migrate-data force-unlock"),
                ),
            )
        self._state = state
        if self._seconds > LEASE_MS / 1000 + _SILENT_SECONDS:
            raise LeaseHeldError(
                f"The lease of {state} was not renewed for {self._seconds:.0f} s and does not expire.",
                Hint(
                    "If that process has ended: ",
                    Command("migrate-data force-unlock"),
                    ". Then run the same command again.",
                ),
            )
        if self._seconds >= _SILENT_SECONDS and not self._is_reported:
            self._is_reported = True
            self._report(
                f"Waited {self._seconds:.0f} s for {state}; its lease expires in at most "
                f"{LEASE_MS / 1000 - self._seconds:.0f} s."
            )
        self._seconds += _POLL_SECONDS


def renewing(lease: Lease, work: Op[T]) -> Op[T]:
    """Do work that does not use a lease itself, and renew the lease between its requests.

    Raises:
        LeaseLostError: this run lost the lease; the work was stopped before its next request.

    Effects: those of the work, and a script at least every 3 seconds.
    """
    try:
        request = next(work)
        while True:
            try:
                yield from lease.keep()
                reply = yield request
            except Exception as exc:  # noqa: BLE001 - the work may handle it
                request = work.throw(exc)
            else:
                request = work.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result


def under_lease(acquiring: Op[Lease], work: Callable[[Lease], Op[T]]) -> Op[T]:
    """Acquire a lease, do the work, and release the lease.

    The lease is released after a refusal, too. After a failure of the server it expires.

    Raises:
        LeaseHeldError: another run is in progress; `work` was not started.

    Effects: those of `acquiring`, the work and `Lease.release`.
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
    """Do work that acquires a lease; while another process holds it, wait and start again.

    Effects: those of the work, repeated until it has acquired its lease.
    """
    while True:
        try:
            return (yield from work())
        except LeaseHeldError:
            yield from pause(_POLL_SECONDS)


def break_lease(keys: LeaseKeys) -> Op[None]:
    """Remove the lease; its holder stops before its next write.

    Raises:
        StateDamagedError: another program has written the fence or the lease; nothing was removed.

    Effects: one script, which removes the fence and the lease. Safe to repeat.
    """
    reply = yield from run_script(load("release.lua"), (keys.fence, keys.lease), ("",))
    require_none(foreign_in_reply(keys, reply))
    logger.warning("The lease %s was removed.", keys.lease)
