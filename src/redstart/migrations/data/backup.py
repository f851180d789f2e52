"""`om migrate-data run --backup`: have the server write its RDB file, and wait for the result.

The result is read from INFO: https://valkey.io/commands/info/ (persistence). `rdb_last_bgsave_status` alone is not
enough: it stays `ok` when a FLUSHALL ends a save. Neither is `rdb_last_save_time`: its unit is a second, and a
restart of the server sets it.
"""

from dataclasses import dataclass

from redstart.commands.server_errors import is_save_under_way
from redstart.commands.server_info import bgsave, info, server_time
from redstart.effects import Op, call, pause
from redstart.errors import AuthenticationError, CommandError, MigrationError, UnsupportedServerError
from redstart.migrations.context import Monitor, Progress

_POLL_SECONDS = 0.2
_CLOCK_LAG_MS = 50
"""The clock behind the seconds in INFO may be coarser than TIME, and a little behind it."""
_PROVIDER = "omit --backup, and take a snapshot with the tools of your provider."


@dataclass(frozen=True, slots=True)
class _Persistence:
    """Fields of INFO: `saved_at` in seconds since 1970; `keys_done` and `keys_total` of the current save."""

    run_id: str
    saving: bool
    forked: bool
    saved_at: int
    succeeded: bool
    keys_done: int
    keys_total: int


def back_up(monitor: Monitor) -> Op[int]:
    """Have the server save all its data, and wait until it is done.

    If a save is already in progress, it does not cover all data; another one is made after it.

    Returns:
        The end of the save, in seconds since 1970 by the server's clock.

    Raises:
        UnsupportedServerError: the server, or the user's permissions, do not allow it.
        MigrationError: the save failed.

    Effects: BGSAVE, and INFO five times a second until it has ended. Keys are not changed. Clients can write.
    Safe to repeat: it saves again.
    """
    before = yield from _begin(monitor)
    total = 0
    while (now := (yield from _look())).saving and now.run_id == before.run_id:
        total = max(total, now.keys_total)
        monitor.progress(Progress("backup", 0, now.keys_done, now.keys_total, 0, "keys"))
        yield from pause(_POLL_SECONDS)
    if now.run_id != before.run_id:
        raise _failed("the server was restarted during the save")
    if not now.succeeded:
        raise _failed(
            "rdb_last_bgsave_status is err; the reason is in the server's log (for example, a full disk)"
        )
    if now.saved_at == before.saved_at:
        raise _failed("another client ended the save, for example with FLUSHALL")
    if total:
        monitor.progress(Progress("backup", 0, total, total, 0, "keys"))
    return now.saved_at


def _begin(monitor: Monitor) -> Op[_Persistence]:
    """Start a save as soon as the server can. Return the state before it."""
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
        ):  # a save that ends within the same second could not be detected
            yield from pause((free_at_ms - now_ms) / 1_000)
            continue
        if (yield from _was_started()):
            return before
        yield from pause(_POLL_SECONDS)


def _was_started() -> Op[bool]:
    """Return whether a save was started; False while another child process of the server is running."""
    try:
        yield from call(bgsave())
    except AuthenticationError as exc:
        hint = f'Permit BGSAVE: see "Permissions" in the documentation. Where that is impossible, {_PROVIDER}'
        raise UnsupportedServerError(exc.message, hint) from exc
    except CommandError as exc:
        if is_save_under_way(exc):
            return False
        hint = f"If only your provider can save the data, {_PROVIDER}"
        raise UnsupportedServerError(f"The server rejected BGSAVE: {exc.message}", hint) from exc
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
        f"Backup failed (BGSAVE): {reason}. Nothing was written.",
        "Check with: redis-cli INFO persistence. After a failed save, a server with save points rejects all writes "
        "until a save succeeds. Fix the cause and run again, or omit --backup if you have another backup.",
    )
