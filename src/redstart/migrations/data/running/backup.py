"""`run --backup`: the server writes its RDB file, and we wait until it has.

What became of a save is told by INFO: https://valkey.io/commands/info/ (persistence). `rdb_last_bgsave_status` alone
does not do: it stays `ok` when a FLUSHALL ends a save. `rdb_last_save_time` alone does not either: it counts
in seconds, and a server that restarts sets it.
"""

from dataclasses import dataclass

from redstart.commands.introspection import info, server_time
from redstart.commands.persistence import bgsave
from redstart.effects import Op, call, pause
from redstart.errors import AuthenticationError, CommandError, MigrationError, UnsupportedServerError
from redstart.migrations.data.running.monitor import Monitor, Progress

_POLL_SECONDS = 0.2
_CLOCK_LAG_MS = 50
"""The seconds that INFO tells may come from a coarser clock than TIME, which is a little behind."""
_PROVIDER = "leave --backup out, and take a snapshot with the means of whoever runs the server."


@dataclass(frozen=True, slots=True)
class _Persistence:
    """What INFO says: `saved_at` in seconds since 1970; `keys_done` and `keys_total` of the save under way."""

    run_id: str
    saving: bool
    forked: bool
    saved_at: int
    succeeded: bool
    keys_done: int
    keys_total: int


def back_up(monitor: Monitor) -> Op[int]:
    """Have the server save all its data, and wait until that is done.

    A save that is under way already began before this, so it is waited for, and then another is made.

    Returns:
        When the save ended, in seconds since 1970 by the server's clock.

    Raises:
        UnsupportedServerError: the server, or the user's rights, do not allow it.
        MigrationError: the save failed.

    Effects: BGSAVE, and INFO five times a second until it has ended. Keys are not touched; clients go on writing.
    Safe to repeat: it saves again.
    """
    before = yield from _begin(monitor)
    while (now := (yield from _look())).saving and now.run_id == before.run_id:
        monitor.progress(Progress("backup", 0, now.keys_done, now.keys_total, 0, "keys"))
        yield from pause(_POLL_SECONDS)
    if now.run_id != before.run_id:
        raise _failed("it was restarted meanwhile")
    if not now.succeeded:
        raise _failed(
            "it says rdb_last_bgsave_status:err, and its log says why (a full disk, a missing right)"
        )
    if now.saved_at == before.saved_at:
        raise _failed("the save was ended from outside, as FLUSHALL does")
    return now.saved_at


def _begin(monitor: Monitor) -> Op[_Persistence]:
    """Start a save, when the server is free to. What INFO said before it."""
    while True:
        before = yield from _look()
        if before.forked:
            monitor.progress(
                Progress("waiting for another backup", 0, before.keys_done, before.keys_total, 0, "keys")
            )
            yield from pause(_POLL_SECONDS)
            continue
        now_ms = yield from call(server_time())
        free_at_ms = (before.saved_at + 1) * 1_000 + _CLOCK_LAG_MS
        if (
            before.saved_at * 1_000 <= now_ms < free_at_ms
        ):  # a save that ends within that second could not be told
            yield from pause((free_at_ms - now_ms) / 1_000)
            continue
        if (yield from _was_started()):
            return before
        yield from pause(_POLL_SECONDS)


def _was_started() -> Op[bool]:
    """Whether a save has begun; False while another process of the server stands in the way."""
    try:
        yield from call(bgsave())
    except AuthenticationError as exc:
        hint = f'Permit BGSAVE: see "Permissions" in the documentation. Where that is impossible, {_PROVIDER}'
        raise UnsupportedServerError(exc.message, hint) from exc
    except CommandError as exc:
        text = exc.message.lower()
        if "in progress" in text or "child process" in text:
            return False
        hint = f"Where a server is saved by its provider only, {_PROVIDER}"
        raise UnsupportedServerError(f"The server does not save on command: {exc.message}", hint) from exc
    return True


def _look() -> Op[_Persistence]:
    fields = yield from call(info())
    saving = fields.get("rdb_bgsave_in_progress") == "1"
    return _Persistence(
        run_id=fields.get("run_id", ""),
        saving=saving,
        forked=saving or fields.get("aof_rewrite_in_progress") == "1",
        saved_at=int(fields.get("rdb_last_save_time", 0)),
        succeeded=fields.get("rdb_last_bgsave_status") == "ok",
        keys_done=int(fields.get("current_save_keys_processed", 0)),
        keys_total=int(fields.get("current_save_keys_total", 0)),
    )


def _failed(reason: str) -> MigrationError:
    return MigrationError(
        f"The server did not save its data: {reason}. Nothing was written.",
        "See: redis-cli INFO persistence. After a failed save a server with save points refuses all writes until "
        "one succeeds. Then run this again, or without --backup if there is another backup.",
    )
