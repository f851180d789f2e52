"""Cut over: build, check coverage, move the alias; drop indexes that no alias points to; create one index."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redstart.commands.scripts import Script, load
from redstart.commands.search import ft_list, name_bytes
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.migrations.indexes.build import MAX_WORDS, build_beside, find_built, find_index, try_definition
from redstart.migrations.indexes.coverage import Coverage, check_coverage
from redstart.migrations.indexes.plan import pending_attributes
from redstart.migrations.indexes.state import IndexRecord, hash_key, is_built_name, schema_key, shown
from redstart.migrations.lease import Lease
from redstart.next_steps import Command, Hint
from redstart.search.schema import Index, difference, same_definition

logger = logging.getLogger(__name__)


def swap(lease: Lease, name: str, index: str, *, now: str | None, aliases: Sequence[str] = ()) -> Op[None]:
    """Point the alias `name` to `index`. A real index of that name is dropped; its definition must be recorded.

    Args:
        now: the index that the name pointed to when the caller last read it; None for none.
        aliases: other aliases that follow if they point to the same index.

    Raises:
        LeaseLostError: this run lost its lease; nothing was changed.
        MigrationError: the alias points to another index now, or the index does not exist; nothing was changed.

    Effects: one script, the atomic unit. Safe to repeat.
    """
    outcome, found = yield from lease.run(
        fenced_script("swap.lua"), (), (name, index, name_bytes(now or ""), *aliases)
    )
    if outcome == b"swapped":
        logger.info("The alias %s was moved to the index %s.", shown(name), shown(index))
    if outcome in (b"swapped", b"already"):
        return
    place = found.decode(errors="backslashreplace") or "nothing"
    what = f"{index} does not exist any more" if outcome == b"missing" else f"it points to {place} now"
    raise MigrationError(
        f"The alias {name} was not moved to the index {index}, because another client changed one of them: {what}. "
        "Nothing was changed.",
        Hint("Check with: ", Command("migrate status"), ". Then run the command again."),
    )


def drop(lease: Lease, index: str, names: Iterable[str]) -> Op[bool]:
    """Drop an index of Redstart unless one of the names points to it; return whether it does not exist any more.

    Effects: one script; never touches a document. Safe to repeat.
    """
    outcome: bytes = yield from lease.run(fenced_script("drop.lua"), (), (index, *names))
    if outcome == b"dropped":
        logger.info("The index %s was dropped.", shown(index))
    return outcome != b"active"


def unused(name: str) -> Op[list[str]]:
    """Return the indexes that were built for a name and that it does not point to. Two reads."""
    active = yield from find_index(name)
    return [
        index
        for index in sorted((yield from call(ft_list())))
        if is_built_name(name, index) and (active is None or active.name != index)
    ]


def drop_unused(lease: Lease, record: IndexRecord) -> Op[list[str]]:
    """Drop the indexes that were built for a name and are not active; return their names.

    This includes those of definitions that the models had in between.

    Effects: a script for each, which checks whether the index is active. Safe to repeat.
    """
    dropped = []
    for name in sorted((yield from call(ft_list()))):
        if is_built_name(record.name, name) and (yield from drop(lease, name, (record.name,))):
            dropped.append(name)
    return dropped


def remove_alias(lease: Lease, name: str) -> Op[bool]:
    """Remove an alias; return whether no index has the name now.

    Effects: one script. Safe to repeat.
    """
    outcome: bytes = yield from lease.run(fenced_script("remove_alias.lua"), (), (name,))
    if outcome == b"removed":
        logger.info("The alias %s was removed.", shown(name))
    return outcome != b"index"


def fenced_script(name: str) -> Script:
    """Return a script that begins with fenced.lua, resolve.lua and drop_index.lua."""
    return load("fenced.lua", "resolve.lua", "drop_index.lua", name)


@dataclass(frozen=True, slots=True)
class CutoverResult:
    """The result of a switch.

    Attributes:
        coverage: the coverage check; None if none was needed.
        done: whether the alias points to the definition now.
        is_created: whether Redstart was the first to create an index of that name, and keeps one active.
        is_dropped: whether the index was dropped, because Redstart was the first to create it.
    """

    coverage: Coverage | None
    done: bool
    is_created: bool = False
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A switch with everything done but the last step.

    Attributes:
        index: the index that was built.
        active: the active index; None if there is none.
        coverage: the coverage check; None if the active index has the definition already.
        accepted: whether no more documents are missing from the index than allowed.
        is_new: whether the index did not exist before.
    """

    index: str
    active: str | None
    coverage: Coverage | None
    accepted: bool
    is_new: bool


def prepare(
    lease: Lease,
    record: IndexRecord,
    wanted: Index,
    *,
    max_missing: float = 0,
    known_from_both: int = 0,
    rebuild: bool = False,
) -> Op[Prepared]:
    """Build an index of the wanted definition, and check its coverage. See `cut_over`."""

    def is_accepted(found: Coverage) -> bool:
        return found.missing <= max(0, max_missing - min(known_from_both, found.missing_from_both))

    info = yield from find_index(record.name)
    active = None if info is None else info.name
    if info is not None and not rebuild and same_definition(info.index, wanted):
        return Prepared(info.name, info.name, None, accepted=True, is_new=False)
    except_name = active if rebuild else None
    name, built = yield from find_built(record.name, wanted, except_name=except_name)
    coverage = yield from _build_and_check(lease, record, wanted, active, except_name)
    if active is not None and not is_accepted(coverage) and _should_hold_all(record, wanted):
        # The server's scan misses a document that is renamed meanwhile; only a write adds it to the index.
        _ = yield from drop(lease, name, (record.name,))
        coverage = yield from _build_and_check(lease, record, wanted, active, except_name)
    accepted = active is None or is_accepted(coverage)
    return Prepared(name, active, coverage, accepted, is_new=built is None)


def finish(lease: Lease, record: IndexRecord, prepared: Prepared) -> Op[CutoverResult]:
    """Point the alias to a prepared index, if it is accepted. Effects: one script, or none."""
    if prepared.accepted and prepared.coverage is not None:
        yield from swap(lease, record.name, prepared.index, now=prepared.active, aliases=record.aliases)
    return CutoverResult(prepared.coverage, prepared.accepted)


def cut_over(
    lease: Lease,
    record: IndexRecord,
    wanted: Index,
    *,
    max_missing: float = 0,
    known_from_both: int = 0,
    rebuild: bool = False,
) -> Op[CutoverResult]:
    """Point the alias of a record to an index of the wanted definition.

    Args:
        max_missing: number of documents that may drop out of query results; `math.inf` accepts all.
        known_from_both: up to so many of these do not drop out if they are missing from the active index, too.
        rebuild: whether to replace also an active index of this definition.

    Raises:
        LeaseLostError, MigrationError: see `build_beside` and `swap`.

    Effects: FT.CREATE and a coverage check, both repeated if documents are missing that should not be; then one script
        that moves the alias. An index is active at every moment.
    """
    prepared = yield from prepare(
        lease, record, wanted, max_missing=max_missing, known_from_both=known_from_both, rebuild=rebuild
    )
    return (yield from finish(lease, record, prepared))


def _build_and_check(
    lease: Lease, record: IndexRecord, wanted: Index, active: str | None, except_name: str | None
) -> Op[Coverage]:
    name = yield from build_beside(lease, record.name, wanted, except_name=except_name)
    # By the name that queries use: a line break in the index's own is not shown as such. If the name points to
    # another index meanwhile, the swap fails.
    return (yield from check_coverage(lease.keep, name, None if active is None else record.name, record))


def _should_hold_all(record: IndexRecord, wanted: Index) -> bool:
    """Return whether values keep no document out of the index: then a second build may help."""
    return wanted != record.final or not pending_attributes(record.final, record.changing)


_MAX_CHANGES_SHOWN = 3


def create_index(lease: Lease, name: str, schema: str, schema_hash: str) -> Op[None]:
    """Create an index under its own name, unless an index or alias of this name has the schema.

    Args:
        schema: the arguments of FT.CREATE after the name, as `redisearch_schema()` of a model returns them.
        schema_hash: the hash by which redis-om detects a changed model.

    Raises:
        LeaseLostError: this run lost its lease; nothing was written.
        MigrationError: an index of this name has another schema, or the server rejects this one; nothing was
            written.

    Effects: a script that tries the schema on a scratch index, then one that creates the index and stores schema
        and hash, the atomic unit; FT.INFO if the index exists. The server fills a new index in the background.
        Safe to repeat.
    """
    words = schema.split()
    if len(words) > MAX_WORDS:
        raise MigrationError(
            f"The schema of the index {name} has {len(words):,} words; a script can pass at most {MAX_WORDS:,} to "
            "FT.CREATE.",
            Hint("Create the index from its model with: ", Command("migrate run")),
        )
    tried = yield from try_definition(words)
    if isinstance(tried, str):
        raise _refused(name, schema, tried)
    script = fenced_script("create.lua")
    while True:
        outcome, *said = yield from lease.run(
            script, (hash_key(name), schema_key(name)), (name, schema_hash, schema, *words)
        )
        if outcome == b"created":
            return
        if outcome == b"refused":
            raise _refused(name, schema, said[0].decode(errors="replace"))
        found = yield from find_index(name)
        if found is not None:  # else it was dropped just now
            _require_same(name, found.index, tried)
            return


def _refused(name: str, schema: str, said: str) -> MigrationError:
    return MigrationError(
        f"The server rejected the index {name}: {said}.\nThe schema is: {schema}",
        Hint("Create the index from its model with: ", Command("migrate run")),
    )


def _require_same(name: str, found: Index, wanted: Index) -> None:
    changes = difference(found, wanted).changes
    if changes:
        more = f", and {len(changes) - _MAX_CHANGES_SHOWN} more" if len(changes) > _MAX_CHANGES_SHOWN else ""
        raise MigrationError(
            f"Index {name} already exists with a different schema "
            f"({'; '.join(map(str, changes[:_MAX_CHANGES_SHOWN]))}{more}). Nothing was changed.",
            Hint("Migrate it with: ", Command("migrate run")),
        )
