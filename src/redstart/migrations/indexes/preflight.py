"""Preconditions of index migrations, and the memory and time of their builds, before anything is written."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redstart.commands.scripts import load, run_script
from redstart.effects import Op
from redstart.errors import MigrationError, UnsafeServerError
from redstart.migrations.indexes.build import (
    find_built,
    find_index,
    read_synonyms,
    require_droppable,
    try_index,
    with_hidden_options,
)
from redstart.migrations.indexes.plan import (
    PlannedIndex,
    accepts_both_formats,
    changing_attributes,
    filtered_index,
    filtered_path,
    is_dual_format,
    text_attributes,
    with_options_of,
)
from redstart.migrations.indexes.state import SCRATCH, is_built_name, previous_index, read_records, shown
from redstart.migrations.server_checks import ServerFacts, require_safe_undo, server_facts
from redstart.search.index_info import IndexInfo
from redstart.search.schema import FieldKind, Index, same_definition
from redstart.values.types import Storage

UNCOUNTED_MEMORY_FACTOR = 1.7
"""FT.INFO does not count keys, tables and overhead of the allocator: measured, an index takes 1.5 to 1.7 times as
much (docs/index-swap.md)."""

_LEAST_SHARE = 0.01
"""No estimate is possible for an index that the server has just started to fill."""


@dataclass(frozen=True, slots=True)
class IndexEstimate:
    """One index that differs from its model.

    Attributes:
        documents: number of documents in the active index.
        to_build: number of indexes to build.
        megabytes, seconds: of these builds together, estimated from the active index. While the server still fills
            that index, estimated from the filled part.
        filled_percent: progress of the initial scan of the active index; None after it.
    """

    name: str
    model: str
    documents: int
    to_build: int
    megabytes: float
    seconds: float
    filled_percent: float | None = None


def estimate_builds(
    planned: Iterable[PlannedIndex], *, keep_old_index: bool = False, rebuild: bool = False
) -> Op[list[IndexEstimate]]:
    """Estimate each active index that has to change. A few reads for each; nothing is written.

    Args:
        rebuild: whether those that match their models are replaced, too.
    """
    records = yield from read_records()
    result = []
    for declared in planned:
        found = yield from find_index(declared.name)
        one = with_options_of(declared, previous_index(records.get(declared.name), found))
        if found is None or (not rebuild and same_definition(found.index, one.index)):
            continue
        record = records.get(one.name)
        legacy = found.index if record is None else record.legacy
        copied = [found.index] if keep_old_index and found.name == one.name else []
        if same_definition(found.index, one.index):
            missing = 1
        else:
            missing = yield from _missing(one, [*_needed(one, found.index, legacy), *copied])
        result.append(_sized(one, found, missing))
    return result


def estimate_model_builds(planned: Sequence[PlannedIndex], existing: str) -> Op[IndexEstimate | None]:
    """Estimate the builds of several indexes of one model, together.

    Args:
        planned: the indexes, under one name or several; the last one is that of the model after the migration.
        existing: the name of an index of the model. Each build is expected to be of its size.

    Returns:
        The sum for all of them; None if there is no index `existing`.

    Effects: some reads for each index.
    """
    source = yield from find_index(existing)
    if source is None:
        return None
    records = yield from read_records()
    missing: set[str] = set()
    for declared in planned:
        active = yield from find_index(declared.name)
        one = with_options_of(declared, previous_index(records.get(declared.name), active or source))
        if active is not None and same_definition(active.index, one.index):
            continue
        name, built = yield from find_built(one.name, one.index)
        if built is None:
            missing.add(name)
    return _sized(planned[-1], source, len(missing))


def _sized(planned: PlannedIndex, source: IndexInfo, to_build: int) -> IndexEstimate:
    """Return the estimate of some indexes that contain the same documents as an existing one."""
    share = max((100 if source.filled_percent is None else source.filled_percent) / 100, _LEAST_SHARE)
    return IndexEstimate(
        name=planned.name,
        model=planned.model,
        documents=source.documents,
        to_build=to_build,
        megabytes=to_build * source.memory_megabytes * UNCOUNTED_MEMORY_FACTOR / share,
        seconds=to_build * source.indexing_seconds / share,
        filled_percent=source.filled_percent,
    )


def _needed(planned: PlannedIndex, active: Index, legacy: Index) -> list[Index]:
    changing = changing_attributes(active, planned)
    if accepts_both_formats(active, changing) or is_dual_format(
        active, legacy, changing_attributes(legacy, planned)
    ):
        return [planned.index]
    return [planned.index, filtered_index(active, changing)]


def _missing(planned: PlannedIndex, definitions: list[Index]) -> Op[int]:
    missing = set()
    for definition in definitions:
        name, built = yield from find_built(planned.name, definition)
        if built is None:
            missing.add(name)
    return len(missing)


_PROBE = "redstart:indexes:probe:"


def require_migratable(
    planned: Sequence[PlannedIndex],
    *,
    keep_old_index: bool,
    rebuild: bool = False,
    definitions: bool = True,
) -> Op[ServerFacts]:
    """Return facts of the server, unless a run over these indexes is refused.

    Args:
        rebuild: whether indexes that match their models are replaced, too.
        definitions: whether one rejected definition refuses the whole run.

    Raises:
        MigrationError, UnsafeServerError: see the checks below.

    Effects: reads, and scripts that leave nothing behind.
    """
    yield from require_own_names(planned)
    if definitions:
        yield from require_definitions(planned)
    facts = yield from server_facts()
    yield from require_safe_rollback(facts, planned)
    yield from require_index_memory(facts, planned, keep_old_index=keep_old_index, rebuild=rebuild)
    return facts


def require_own_names(planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raise MigrationError if a required name belongs to an unrelated index. A read for each.

    An index of documents of another type, or under other keys, is not an older version of the index of a model:
    replacing it would break the queries of another application.
    """
    for one in planned:
        found = yield from find_index(one.name)
        if (
            found is not None
            and not is_built_name(one.name, found.name)
            and not _overlap(found.index, one.index)
        ):
            raise _in_use(one, one.name, found)


def require_safe_drop(planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raise MigrationError if a name belongs to an unrelated index, or its index cannot be dropped safely.

    A few reads for each.
    """
    planned = list(planned)
    yield from require_own_names(planned)
    for one in planned:
        found = yield from find_index(one.name)
        if found is not None and not is_built_name(one.name, found.name):
            yield from require_droppable(found)


def require_aliases(aliases: Iterable[str], planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raise MigrationError if a given alias does not point to the index of one of the models.

    Effects: a read for each index and each alias.
    """
    indexes = set()
    for one in planned:
        found = yield from find_index(one.name)
        indexes |= set() if found is None else {found.name}
    for alias in aliases:
        found = yield from find_index(alias)
        if found is None or found.name not in indexes:
            what = (
                "does not exist"
                if found is None
                else f"points to the index {shown(found.name)}, which belongs to none of these models"
            )
            raise MigrationError(
                f"The alias {shown(alias)} {what}.",
                "Give aliases of the indexes of these models, or omit --alias.",
            )


def require_definitions(planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raise if an index cannot be replaced, or could not be created again by a rollback.

    Raises:
        MigrationError: the server rejects the index of a model, or could not create the active one again; or see
            `require_droppable`.

    Effects: some reads for each active index, and a script for each definition that does not exist yet.
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
                f"The server rejects the index {one.name} of {one.model}: {why}.",
                "Correct the model, or select other models with --models.",
            )
        if found is not None and (why := (yield from try_index(found.index))) is not None:
            raise MigrationError(
                f"The index {shown(found.name)} cannot be replaced: a rollback could not create it again with its "
                f"current definition. The server reports: {why}.",
                f"See its definition with: redis-cli FT.INFO {shlex.quote(found.name)}. Create it with a definition "
                "that this server accepts, or select other models with --models.",
            )


def _overlap(one: Index, other: Index) -> bool:
    """Return whether a document can be in both: same type, and one prefix starts with another."""
    return one.storage is other.storage and any(
        ours.startswith(theirs) or theirs.startswith(ours)
        for ours in one.prefixes
        for theirs in other.prefixes
    )


def _in_use(planned: PlannedIndex, name: str, found: IndexInfo) -> MigrationError:
    what = f"{_described(found.index)}, not {_described(planned.index)} as {planned.model} requires"
    if found.name == name:
        return MigrationError(
            f"The name {name} belongs to an unrelated index of {what}.",
            "Give the model another Meta.index_name, or drop that index if no application queries it.",
        )
    return MigrationError(
        f"The name {name} is an alias of the unrelated index {shown(found.name)} of {what}.",
        "Give the model another Meta.index_name. "
        f"Or, if no application uses that alias: redis-cli FT.ALIASDEL {shlex.quote(name)}",
    )


def _described(index: Index) -> str:
    kind = "JSON documents" if index.storage is Storage.JSON else "hashes"
    return f"{kind} under {', '.join(map(repr, index.prefixes))}, {len(index.fields)} fields"


def require_safe_rollback(facts: ServerFacts, planned: Iterable[PlannedIndex]) -> Op[None]:
    """Raise UnsafeServerError if the server may evict keys, and an index with text to be converted is to be replaced.

    A read for each. New indexes, and changes of other attributes, need no undo log: an application may make them on a
    server that is a cache.
    """
    for one in planned:
        found = yield from find_index(one.name)
        if found is not None and text_attributes(found.index, one):
            require_safe_undo(facts)


def require_index_memory(
    facts: ServerFacts, planned: Iterable[PlannedIndex], *, keep_old_index: bool, rebuild: bool = False
) -> Op[None]:
    """Raise UnsafeServerError if maxmemory leaves no room for the indexes to build. Some reads for each."""
    if not facts.limit_bytes:
        return
    estimates = yield from estimate_builds(planned, keep_old_index=keep_old_index, rebuild=rebuild)
    needed = sum(one.megabytes for one in estimates)
    free = facts.free_bytes / 1e6
    if needed > free:
        raise UnsafeServerError(
            f"The new indexes need about {needed:.1f} MB, and maxmemory leaves {free:.1f} MB.",
            "Raise maxmemory with: redis-cli CONFIG SET maxmemory BYTES",
        )


def supports_path_filters(
    has_json: bool, kind: FieldKind = FieldKind.TAG, *, booleans: bool = False
) -> Op[bool]:
    """Return whether the server supports a filter of text, or of numbers, on a scalar path.

    Args:
        kind: of the field that has the path: TAG for text, NUMERIC for numbers.
        booleans: see `filtered_path`.

    Effects: one script, on scratch keys.
    """
    if not has_json:
        return False
    path = filtered_path("$.at", kind, booleans=booleans)
    script = load("drop_index.lua", "probe_filter.lua")
    found = yield from run_script(script, (f"{_PROBE}1", f"{_PROBE}2"), (SCRATCH, _PROBE, path, kind.value))
    return bool(found == 2)


def supports_all_path_filters() -> Op[bool]:
    """Return whether the server supports filters of text and of numbers on a scalar path. Scripts on scratch keys."""
    facts = yield from server_facts()
    for kind in (FieldKind.TAG, FieldKind.NUMERIC):
        if not (yield from supports_path_filters(facts.json, kind, booleans=True)):
            return False
    return True
