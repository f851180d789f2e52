"""Facts and checks of the server: memory policy, modules, primary or replica."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from redstart.commands.server_errors import is_read_only
from redstart.commands.server_info import client_database, command_known, info
from redstart.effects import Op, call
from redstart.errors import (
    CommandError,
    MigrationError,
    RedstartError,
    SearchDatabaseError,
    UnsafeServerError,
    UnsupportedServerError,
)
from redstart.next_steps import Command, Hint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Facts about a server.

    Attributes:
        last_save_seconds: age of the last successful RDB save; None if there was none since the start.
        append_only: whether every write also goes to the append-only file.
        replicas: number of connected replicas.
        used_bytes, limit_bytes: memory; the limit is maxmemory, 0 if there is none.
        policy: maxmemory-policy.
        json: whether the server has the commands of RedisJSON; `fields_expire`: whether hash fields can expire.
    """

    version: str
    last_save_seconds: int | None
    append_only: bool
    replicas: int
    used_bytes: int
    limit_bytes: int
    system_bytes: int
    policy: str
    json: bool
    fields_expire: bool

    @property
    def free_bytes(self) -> int:
        """Memory up to maxmemory, or up to the machine's memory if there is no limit."""
        return max(0, (self.limit_bytes or self.system_bytes) - self.used_bytes)


def server_facts() -> Op[ServerFacts]:
    """Return the facts. Three reads: INFO, COMMAND INFO twice."""
    fields = yield from call(info())
    has_json = yield from call(command_known("JSON.MERGE"))
    fields_expire = yield from call(command_known("HPEXPIRETIME"))
    saved_ago = int(fields.get("server_time_usec", 0)) // 1_000_000 - int(fields.get("rdb_last_save_time", 0))
    number = fields.get("valkey_version", fields.get("redis_version", "?"))
    return ServerFacts(
        version=f"{fields.get('server_name', 'redis')} {number}",
        # Before the first save, the server returns its own start as the time of the last one.
        last_save_seconds=None if fields.get("rdb_saves") == "0" else max(0, saved_ago),
        append_only=fields.get("aof_enabled") == "1",
        replicas=int(fields.get("connected_slaves", 0)),
        used_bytes=int(fields.get("used_memory", 0)),
        limit_bytes=int(fields.get("maxmemory", 0)),
        system_bytes=int(fields.get("total_system_memory", 0)),
        policy=fields.get("maxmemory_policy", "noeviction"),
        json=has_json,
        fields_expire=fields_expire,
    )


def require_safe_undo(facts: ServerFacts) -> None:
    """Raise UnsafeServerError if the server may evict keys, the undo log among them."""
    if facts.policy != "noeviction":
        raise UnsafeServerError(
            f"maxmemory-policy is {facts.policy}: when memory is full, the server could evict the undo log.",
            "Set it before the run: redis-cli CONFIG SET maxmemory-policy noeviction",
        )


def require_server(*, writes: bool) -> Op[str | None]:
    """Refuse a server with only a part of the documents or, for work that writes, a read-only one. One read.

    Returns:
        A warning if the documents may be outdated: the server is a replica without a link to its primary.

    Raises:
        UnsupportedServerError: it is a node of a cluster.
        MigrationError: it is a replica, and `writes`; or a replica that has not received the data of its primary.
    """
    fields = yield from call(info())
    if fields.get("cluster_enabled") == "1":
        raise UnsupportedServerError(
            "This server is one node of a Redis Cluster and holds only a part of the documents. Clusters are not "
            "supported yet. Nothing was read or written.",
            "Name a server that holds all documents with --url, for example a copy of the data on a single server.",
        )
    if not is_replica(fields):
        return None
    if writes:
        raise replica_refuses(fields)
    if fields.get("slave_repl_offset") == "0" or fields.get("master_sync_in_progress") == "1":
        raise MigrationError(
            f"This server is a replica of {_primary(fields)} and has not received the data of that primary yet. Its "
            "content does not show the documents.",
            f"Wait until the link is up (redis-cli INFO replication), or name the primary: --url redis://{_primary(fields)}",
        )
    if fields.get("master_link_status") == "up":
        return None
    return (
        f"This server is a replica of {_primary(fields)}, and its link to that primary has been down for "
        f"{fields.get('master_link_down_since_seconds', '?')} s: its documents may be outdated. "
        f"Name the primary: --url redis://{_primary(fields)}"
    )


def is_replica(fields: dict[str, str]) -> bool:
    """Return whether a server is a replica, by its INFO."""
    return fields.get("role") == "slave"


def replica_refuses(fields: dict[str, str]) -> MigrationError:
    """Return the error of work that writes, on a replica."""
    link = "" if fields.get("master_link_status") == "up" else ", and its link to that primary is down"
    return MigrationError(
        f"This server is a replica of {_primary(fields)}{link}. A replica is read-only.",
        f"Name its primary: --url redis://{_primary(fields)}",
    )


def _primary(fields: dict[str, str]) -> str:
    return f"{fields.get('master_host', '?')}:{fields.get('master_port', '?')}"


def explained(error: CommandError) -> Op[RedstartError]:
    """Return the error of a refused command, with the primary if the server has become a replica. One read, or none."""
    if not is_read_only(error):
        return error
    fields = yield from call(info())
    return replica_refuses(fields) if is_replica(fields) else error


def require_search() -> Op[None]:
    """Raise UnsupportedServerError if the server cannot have indexes: no search module, or a database other than 0.

    Effects: two reads.
    """
    if not (yield from call(command_known("FT.CREATE"))):
        raise UnsupportedServerError(
            "This server has no FT.CREATE command: the search module is not loaded.",
            Hint(
                "Use a server with RediSearch (Redis Stack, Redis 8), or convert only the data with: ",
                Command("migrate-data run"),
            ),
        )
    database = yield from call(client_database())
    if database != 0:
        raise SearchDatabaseError(database)


def has_search() -> Op[bool]:
    """Return whether the server can have indexes: the module is loaded, and this is database 0. Two reads."""
    if not (yield from call(command_known("FT.CREATE"))):
        return False
    return (yield from call(client_database())) == 0


def on_suitable_server(work: Op[T], *, writes: bool, warn: Callable[[str], None]) -> Op[T]:
    """Do the work, unless the server has only a part of the documents or cannot be written to.

    Args:
        warn: receives a message if the documents may be outdated; called after the first reply to the work. A server
            that refuses to serve outdated data is reported by the error alone.

    Raises:
        See `require_server`.

    Effects: one read, and those of the work.
    """
    warning = yield from require_server(writes=writes)
    if warning is None:
        return (yield from work)
    return (yield from _with_first_reply(work, partial(warn, warning)))


def _with_first_reply(work: Op[T], report: Callable[[], None]) -> Op[T]:
    """Do the work, and call `report` once, after its first reply."""
    is_reported = False
    try:
        request = next(work)
        while True:
            try:
                reply = yield request
            except Exception as exc:  # noqa: BLE001 - the work may handle it
                request = work.throw(exc)
            else:
                if not is_reported:
                    report()
                    is_reported = True
                request = work.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
