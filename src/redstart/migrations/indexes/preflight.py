"""What index migrations ask of a server before anything is written."""

from collections.abc import Iterable

from redstart.commands.introspection import client_database, command_known
from redstart.effects import Op, call
from redstart.errors import CapabilityMissing, UnsafeServer
from redstart.migrations.data.preflight import ServerFacts
from redstart.migrations.indexes.forecast import forecast
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.swap import PACKAGE
from redstart.migrations.indexes.tolerant import STRINGS
from redstart.migrations.scripts import load, run_script

_PROBE = "redstart:indexes:probe:"


def require_search() -> Op[None]:
    """Raises CapabilityMissing where no index can be: without the search module, or in another database than 0."""
    if not (yield from call(command_known("FT.CREATE"))):
        raise CapabilityMissing(
            "This server has no FT.CREATE command: the search module is not loaded.",
            "Use a server with RediSearch (Redis Stack, Redis 8). The data alone is converted by: om migrate-data run",
        )
    database = yield from call(client_database())
    if database != 0:
        raise CapabilityMissing(
            f"Indexes can only be in database 0, and this is database {database}.",
            "Give the URL of database 0, as redis://host:6379/0",
        )


def search_is_here() -> Op[bool]:
    """Whether there can be indexes at all: the module is loaded, and this is database 0. Two reads."""
    if not (yield from call(command_known("FT.CREATE"))):
        return False
    return (yield from call(client_database())) == 0


def require_index_memory(facts: ServerFacts, planned: Iterable[PlannedIndex], *, keep_old: bool) -> Op[None]:
    """Raises UnsafeServer when maxmemory leaves no room for the indexes that are built beside. Some reads for each."""
    if not facts.limit_bytes:
        return
    needed = sum(one.megabytes for one in (yield from forecast(planned, keep_old=keep_old)))
    free = facts.free_bytes / 1e6
    if needed > free:
        raise UnsafeServer(
            f"The indexes built beside the old ones need about {needed:.1f} MB, and maxmemory leaves {free:.1f} MB.",
            "Raise it with: redis-cli CONFIG SET maxmemory BYTES",
        )


def understands_filters(has_json: bool) -> Op[bool]:
    """Whether the server keeps a document in an index whose path filters a scalar. One script, on scratch keys."""
    if not has_json:
        return False
    path = f"$.at[?({STRINGS.format('')})]"
    script = load(PACKAGE, "probe.lua")
    found = yield from run_script(script, (f"{_PROBE}1", f"{_PROBE}2"), (f"{_PROBE}index", _PROBE, path))
    return bool(found == 2)
