"""Switch an alias to another definition: build, check coverage, move the alias. Every step can be repeated."""

from dataclasses import dataclass

from redstart.effects import Op
from redstart.migrations.indexes.build import build_beside, find_built, find_index
from redstart.migrations.indexes.coverage import Membership, prove
from redstart.migrations.indexes.plan import awaited_attributes
from redstart.migrations.indexes.state import IndexRecord
from redstart.migrations.indexes.swap import drop, swap
from redstart.migrations.lease import Lease
from redstart.search.schema import Index
from redstart.search.schema_diff import same_definition


@dataclass(frozen=True, slots=True)
class Switched:
    """The result of a switch.

    Attributes:
        membership: the coverage check; None if none was needed.
        done: whether the alias points to the definition now.
        is_created: whether Redstart was the first to create an index of that name, and keeps one active.
        is_dropped: whether the index was dropped, because Redstart was the first to create it.
    """

    membership: Membership | None
    done: bool
    is_created: bool = False
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A switch with everything done but the last step.

    Attributes:
        index: the index that was built.
        serving: the active index; None if there is none.
        membership: the coverage check; None if the active index has the definition already.
        accepted: whether no more documents are missing from the index than allowed.
        is_new: whether the index did not exist before.
    """

    index: str
    serving: str | None
    membership: Membership | None
    accepted: bool
    is_new: bool


def prepare(
    lease: Lease,
    record: IndexRecord,
    wanted: Index,
    *,
    most_missing: float = 0,
    rebuild: bool = False,
) -> Op[Prepared]:
    """Build an index of the wanted definition, and check its coverage. See `switch`."""
    found = yield from find_index(record.name)
    name, built = yield from find_built(record.name, wanted)
    if found is not None and (found.name == name or not rebuild) and same_definition(found.index, wanted):
        return Prepared(found.name, found.name, None, accepted=True, is_new=False)
    serving = None if found is None else found.name
    membership = yield from _build_and_prove(lease, record, wanted, serving)
    if serving is not None and membership.missing > most_missing and _should_hold_all(record, wanted):
        # The server's scan misses a document that is renamed meanwhile, and nothing but a write brings it in.
        _ = yield from drop(lease, name, (record.name,))
        membership = yield from _build_and_prove(lease, record, wanted, serving)
    accepted = serving is None or membership.missing <= most_missing
    return Prepared(name, serving, membership, accepted, is_new=built is None)


def finish(lease: Lease, record: IndexRecord, prepared: Prepared) -> Op[Switched]:
    """Point the alias to a prepared index, if it is accepted. Effects: one script, or none."""
    if prepared.accepted and prepared.membership is not None:
        yield from swap(lease, record.name, prepared.index, now=prepared.serving, aliases=record.aliases)
    return Switched(prepared.membership, prepared.accepted)


def switch(
    lease: Lease,
    record: IndexRecord,
    wanted: Index,
    *,
    most_missing: float = 0,
    rebuild: bool = False,
) -> Op[Switched]:
    """Point the alias of a record to an index of the wanted definition.

    Args:
        most_missing: number of documents that may drop out of query results; `math.inf` accepts all.
        rebuild: whether to replace also an active index of this definition that another tool created.

    Raises:
        LeaseLostError, MigrationError: see `build_beside` and `swap`.

    Effects: FT.CREATE and a coverage check, both repeated if documents are missing that should not be; then one script
        that moves the alias. An index is active at every moment.
    """
    prepared = yield from prepare(lease, record, wanted, most_missing=most_missing, rebuild=rebuild)
    return (yield from finish(lease, record, prepared))


def _build_and_prove(lease: Lease, record: IndexRecord, wanted: Index, serving: str | None) -> Op[Membership]:
    name = yield from build_beside(lease, record.name, wanted)
    # By the name that queries use: a line break in the index's own is not shown as such. If the name leads elsewhere
    # meanwhile, the swap fails.
    return (yield from prove(lease.keep, name, None if serving is None else record.name, record))


def _should_hold_all(record: IndexRecord, wanted: Index) -> bool:
    """Return whether dates keep no document out of the index: then a second build may help."""
    return wanted != record.final or not awaited_attributes(record.final, record.moving)
