"""What a run asks of the server before it writes anything; `stats` shows the same facts."""

from dataclasses import dataclass

from redstart.commands.introspection import command_known, info
from redstart.effects import Op, call
from redstart.errors import UnsafeServerError, UnsupportedServerError
from redstart.migrations.data.judging.convert import Outcome
from redstart.migrations.data.judging.tally import Tally
from redstart.migrations.data.planned.plan import Plan
from redstart.values.kinds import Storage

JOURNAL_BYTES_PER_VALUE = 48
"""Upper estimate: measured 15 to 40 with keys, old and new bytes, compressed."""

CENSUS_BYTES_PER_VALUE = 72
"""A 12-byte member of a set, with its hash table's share."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What matters about a server.

    Attributes:
        last_save_seconds: age of the last RDB save that ended well; None when none was made since the start.
        append_only: whether every write also goes to the append-only file.
        replicas: connected ones.
        used_bytes, limit_bytes: memory; the limit is maxmemory, 0 when there is none.
        policy: maxmemory-policy.
        json: whether RedisJSON's commands are there; `fields_expire` whether hash fields can have an expiry.
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
        """Up to maxmemory, or up to the machine's memory where no limit is set."""
        return max(0, (self.limit_bytes or self.system_bytes) - self.used_bytes)


def server_facts() -> Op[ServerFacts]:
    """Three reads: INFO, COMMAND INFO twice."""
    fields = yield from call(info())
    has_json = yield from call(command_known("JSON.MERGE"))
    fields_expire = yield from call(command_known("HPEXPIRETIME"))
    saved_ago = int(fields.get("server_time_usec", 0)) // 1_000_000 - int(fields.get("rdb_last_save_time", 0))
    number = fields.get("valkey_version", fields.get("redis_version", "?"))
    return ServerFacts(
        version=f"{fields.get('server_name', 'redis')} {number}",
        # Before the first save the server gives its own start as the time of the last one.
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
    """Raises UnsupportedServerError when the plan has JSON models and the server no RedisJSON."""
    names = [model.name for model in plan.models if model.storage is Storage.JSON]
    if names and not facts.json:
        raise UnsupportedServerError(
            f"{', '.join(names)} are kept as JSON, and this server ({facts.version}) has no JSON.MERGE command.",
            "Use a server with RedisJSON 2.6 or later (Redis Stack, Redis 8), or name only hash models with --models.",
        )


def require_safe_undo(facts: ServerFacts) -> None:
    """Raises UnsafeServerError when the server may evict keys, the undo log among them."""
    if facts.policy != "noeviction":
        raise UnsafeServerError(
            f"maxmemory-policy is {facts.policy}: under memory pressure the server could evict the undo log.",
            "For the time of the migration: redis-cli CONFIG SET maxmemory-policy noeviction",
        )


def require_memory(facts: ServerFacts, tally: Tally) -> None:
    """Raises UnsafeServerError when maxmemory leaves too little room for the undo log and the census."""
    changing = (
        tally.total(Outcome.CONVERTIBLE) + tally.total(Outcome.LOSSY) + tally.total(Outcome.UNCONVERTIBLE)
    )
    needed = changing * JOURNAL_BYTES_PER_VALUE + tally.total(Outcome.ALREADY) * CENSUS_BYTES_PER_VALUE
    if facts.limit_bytes and needed > facts.free_bytes:
        raise UnsafeServerError(
            f"The undo log needs about {needed / 1e6:.1f} MB, and maxmemory leaves {facts.free_bytes / 1e6:.1f} MB.",
            "Raise it with: redis-cli CONFIG SET maxmemory BYTES",
        )
