"""Letting a name lead to another definition: build beside, prove, swap. Every step can be repeated."""

from dataclasses import dataclass

from redstart.effects import Op
from redstart.migrations.indexes.build import Waiting, build_beside, find_built, find_index
from redstart.migrations.indexes.plan import awaited_attributes
from redstart.migrations.indexes.prove import Membership, prove
from redstart.migrations.indexes.records import IndexRecord
from redstart.migrations.indexes.swap import drop, swap
from redstart.migrations.lease import Lease
from redstart.search.difference import same_definition
from redstart.search.index import Index


@dataclass(frozen=True, slots=True)
class Switched:
    """What became of a switch.

    Attributes:
        membership: the proof; None when the name led there already.
        done: whether the name leads to the definition now.
    """

    membership: Membership | None
    done: bool


def switch(
    lease: Lease,
    record: IndexRecord,
    wanted: Index,
    *,
    waiting: Waiting,
    most_missing: float = 0,
    anew: bool = False,
) -> Op[Switched]:
    """Let the record's name lead to an index of the wanted definition.

    Args:
        most_missing: how many documents that are found now may be not found then; `math.inf` accepts all.
        anew: also where the name leads to this definition already, but to an index of another tool.

    Raises:
        LeaseLost, MigrationError: see `build_beside` and `swap`.

    Effects: FT.CREATE beside and a proof by membership, both once more where documents are missing that should not be;
        then one script that swaps. The name always leads somewhere.
    """
    found = yield from find_index(record.name)
    name, _ = yield from find_built(record.name, wanted)
    if found is not None and (found.name == name or not anew) and same_definition(found.index, wanted):
        return Switched(None, True)
    serving = None if found is None else found.name
    membership = yield from _build_and_prove(lease, record, wanted, serving, waiting)
    if serving is not None and membership.missing > most_missing and _should_hold_all(record, wanted):
        # The server's scan misses a document that is renamed meanwhile, and nothing but a write brings it in.
        _ = yield from drop(lease, name, (record.name,))
        membership = yield from _build_and_prove(lease, record, wanted, serving, waiting)
    if serving is not None and membership.missing > most_missing:
        return Switched(membership, False)
    yield from swap(lease, record.name, name, now=serving)
    return Switched(membership, True)


def _build_and_prove(
    lease: Lease, record: IndexRecord, wanted: Index, serving: str | None, waiting: Waiting
) -> Op[Membership]:
    name = yield from build_beside(lease, record.name, wanted, waiting=waiting)
    return (yield from prove(lease.keep, name, serving, record))


def _should_hold_all(record: IndexRecord, wanted: Index) -> bool:
    """Whether no document is out of the index for its dates: then building it once more may help."""
    return wanted != record.final or not awaited_attributes(record.final, record.moving)
