"""Checks of the server before a run writes anything; `stats` shows the same facts."""

from dataclasses import dataclass

from redstart.commands.server_info import command_known, info
from redstart.effects import Op, call
from redstart.errors import UnsafeServerError, UnsupportedServerError
from redstart.migrations.data.converter import Outcome
from redstart.migrations.data.judging.tally import Tally
from redstart.migrations.data.plan import Plan
from redstart.values.types import Storage

JOURNAL_BYTES_PER_VALUE = 48
"""Upper estimate: measured 15 to 40 with keys, old and new bytes, compressed."""

CENSUS_BYTES_PER_VALUE = 72
"""A 12-byte member of a set, with its share of the hash table."""


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


def require_json(facts: ServerFacts, plan: Plan) -> None:
    """Raise UnsupportedServerError if the plan has JSON models and the server does not have RedisJSON."""
    names = [model.name for model in plan.models if model.storage is Storage.JSON]
    if names and not facts.json:
        raise UnsupportedServerError(
            f"{', '.join(names)} are stored as JSON, and this server ({facts.version}) does not have JSON.MERGE.",
            "Use a server with RedisJSON 2.6 or later (Redis Stack, Redis 8), or give only hash models with --models.",
        )


def require_safe_undo(facts: ServerFacts) -> None:
    """Raise UnsafeServerError if the server may evict keys, the undo log among them."""
    if facts.policy != "noeviction":
        raise UnsafeServerError(
            f"maxmemory-policy is {facts.policy}: when memory is full, the server could evict the undo log.",
            "Set it for the time of the migration: redis-cli CONFIG SET maxmemory-policy noeviction",
        )


def require_memory(facts: ServerFacts, tally: Tally) -> None:
    """Raise UnsafeServerError if maxmemory leaves too little memory for the undo log and the census."""
    changing = (
        tally.total(Outcome.CONVERTIBLE) + tally.total(Outcome.LOSSY) + tally.total(Outcome.UNCONVERTIBLE)
    )
    needed = changing * JOURNAL_BYTES_PER_VALUE + tally.total(Outcome.ALREADY) * CENSUS_BYTES_PER_VALUE
    if facts.limit_bytes and needed > facts.free_bytes:
        raise UnsafeServerError(
            f"The undo log needs about {needed / 1e6:.1f} MB, and maxmemory leaves {facts.free_bytes / 1e6:.1f} MB.",
            "Raise the limit with: redis-cli CONFIG SET maxmemory BYTES",
        )
