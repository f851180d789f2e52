"""What index migrations ask of a server before anything is written."""

import shlex
from collections.abc import Iterable, Sequence

from redstart.commands.introspection import client_database, command_known
from redstart.commands.scripts import load, run_script
from redstart.effects import Op, call
from redstart.errors import MigrationError, SearchDatabaseError, UnsafeServerError, UnsupportedServerError
from redstart.migrations.data.running.preflight import ServerFacts, require_safe_undo, server_facts
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.forecast import forecast
from redstart.migrations.indexes.hidden import read_synonyms, require_droppable, with_hidden_options
from redstart.migrations.indexes.keys import SCRATCH, is_built_name, shown
from redstart.migrations.indexes.plan import PlannedIndex, dates_as_text, with_options_of
from redstart.migrations.indexes.records import previous_index, read_records
from redstart.migrations.indexes.swap import PACKAGE
from redstart.migrations.indexes.tolerant import STRINGS
from redstart.migrations.indexes.trial import try_index
from redstart.search.difference import same_definition
from redstart.search.index import Index
from redstart.search.info import IndexInfo
from redstart.values.kinds import Storage

_PROBE = "redstart:indexes:probe:"


def require_search() -> Op[None]:
    """Raises UnsupportedServerError where no index can be: without the search module, or in another database than 0."""
    if not (yield from call(command_known("FT.CREATE"))):
        raise UnsupportedServerError(
            "This server has no FT.CREATE command: the search module is not loaded.",
            "Use a server with RediSearch (Redis Stack, Redis 8). The data alone is converted by: om migrate-data run",
        )
    database = yield from call(client_database())
    if database != 0:
        raise SearchDatabaseError(database)


def search_is_here() -> Op[bool]:
    """Whether there can be indexes at all: the module is loaded, and this is database 0. Two reads."""
    if not (yield from call(command_known("FT.CREATE"))):
        return False
    return (yield from call(client_database())) == 0


def require_possible(
    planned: Sequence[PlannedIndex], *, keep_old_index: bool, definitions: bool = True
) -> Op[ServerFacts]:
    """Return what was found of the server, unless a run over these indexes is refused.

    Args:
        definitions: whether the definition of one index refuses the run over all.

    Raises:
        MigrationError, UnsafeServerError: see the checks below.

    Effects: reads, and scripts that leave nothing behind.
    """
    yield from require_own_names(planned)
    if definitions:
        yield from require_definitions(planned)
    facts = yield from server_facts()
    yield from require_safe_way_back(facts, planned)
    yield from require_index_memory(facts, planned, keep_old_index=keep_old_index)
    return facts


def require_own_names(planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raises MigrationError when an index of something else has a name that is needed. A read for each.

    A name that leads to documents of another type, or under other keys, is not that of an older form of the index:
    taking it over would end the queries of somebody else.
    """
    for one in planned:
        found = yield from find_index(one.name)
        if (
            found is not None
            and not is_built_name(one.name, found.name)
            and not _overlap(found.index, one.index)
        ):
            raise _in_use(one, one.name, found)


def require_aliases(aliases: Iterable[str], planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raise MigrationError if an alias that is to follow does not lead to the index of one of the models."""
    indexes = set()
    for one in planned:
        found = yield from find_index(one.name)
        indexes |= set() if found is None else {found.name}
    for alias in aliases:
        found = yield from find_index(alias)
        if found is None or found.name not in indexes:
            place = (
                "to nothing"
                if found is None
                else f"to the index {shown(found.name)}, which is of no model named"
            )
            raise MigrationError(
                f"The alias {shown(alias)} leads {place}.",
                "Name aliases of indexes that queries of the models use, or leave out --alias.",
            )


def require_definitions(planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raise if an index cannot be replaced, or could not be created again by a rollback.

    Raises:
        MigrationError: the server does not create the index of a model, or what serves now would not be created again
            as it is; or see `require_droppable`.

    Effects: some reads for each index that serves, and a script for each definition that is not there yet.
    """
    records = yield from read_records()
    for one in planned:
        found = yield from find_index(one.name)
        if found is not None and not is_built_name(one.name, found.name):
            yield from require_droppable(found)
            # What is read of it later is read now, too: without the right to that, nothing is written.
            _ = yield from with_hidden_options(found)
            _ = yield from read_synonyms(found.name, found.index)
        previous = previous_index(records.get(one.name), found)
        wanted = with_options_of(one, previous).index
        if found is not None and same_definition(found.index, wanted):
            continue
        if (why := (yield from try_index(wanted))) is not None:
            raise MigrationError(
                f"The server does not create the index {one.name} as {one.model} needs it: {why}.",
                "Correct the model, or leave it out with --models.",
            )
        if found is not None and (why := (yield from try_index(found.index))) is not None:
            raise MigrationError(
                f"The index {shown(found.name)} cannot be replaced: a rollback could not create it again as it is. "
                f"The server reports: {why}.",
                f"See its definition with: redis-cli FT.INFO {shlex.quote(found.name)}. Create it in a way that this "
                "server accepts again, or leave the model out with --models.",
            )


def _overlap(one: Index, other: Index) -> bool:
    """Whether a document can be in both: same type, and a prefix that begins one of the other's, or is begun by it."""
    return one.storage is other.storage and any(
        ours.startswith(theirs) or theirs.startswith(ours)
        for ours in one.prefixes
        for theirs in other.prefixes
    )


def _in_use(planned: PlannedIndex, name: str, found: IndexInfo) -> MigrationError:
    what = f"{_described(found.index)}, not {_described(planned.index)} as {planned.model} needs it"
    if found.name == name:
        return MigrationError(
            f"Something else has an index named {name}: it is over {what}.",
            "Give the model another Meta.index_name; or remove that index, if no application queries it.",
        )
    return MigrationError(
        f"The name {name} is an alias of the index {shown(found.name)} of something else: that is over {what}.",
        "Give the model another Meta.index_name. "
        f"Or, if nobody queries by that alias: redis-cli FT.ALIASDEL {shlex.quote(name)}",
    )


def _described(index: Index) -> str:
    kind = "JSON documents" if index.storage is Storage.JSON else "hashes"
    return f"{kind} under {', '.join(map(repr, index.prefixes))}, {len(index.fields)} fields"


def require_safe_way_back(facts: ServerFacts, planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raises UnsafeServerError when the server may evict keys, and an index that takes dates as text is to be replaced.

    A read for each. New indexes, and changes without dates, have no undo that an eviction could spoil: an application
    may make them on a server that is a cache.
    """
    for one in planned:
        found = yield from find_index(one.name)
        if found is not None and dates_as_text(found.index, one):
            require_safe_undo(facts)


def require_index_memory(
    facts: ServerFacts, planned: Iterable[PlannedIndex], *, keep_old_index: bool
) -> Op[None]:
    """Raises UnsafeServerError when maxmemory leaves no room for the indexes that are built beside. Some reads for each."""
    if not facts.limit_bytes:
        return
    needed = sum(one.megabytes for one in (yield from forecast(planned, keep_old_index=keep_old_index)))
    free = facts.free_bytes / 1e6
    if needed > free:
        raise UnsafeServerError(
            f"The indexes built beside the old ones need about {needed:.1f} MB, and maxmemory leaves {free:.1f} MB.",
            "Raise it with: redis-cli CONFIG SET maxmemory BYTES",
        )


def understands_filters(has_json: bool) -> Op[bool]:
    """Whether the server keeps a document in an index whose path filters a scalar. One script, on scratch keys."""
    if not has_json:
        return False
    path = f"$.at[?({STRINGS.format('')})]"
    script = load(PACKAGE, "drop_index.lua", "probe.lua")
    found = yield from run_script(script, (f"{_PROBE}1", f"{_PROBE}2"), (SCRATCH, _PROBE, path))
    return bool(found == 2)
