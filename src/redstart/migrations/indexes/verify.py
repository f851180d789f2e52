"""Verification of indexes: every document is looked up in the one that is to hold all of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import search_is_here
from redstart.migrations.indexes.prove import prove
from redstart.migrations.indexes.records import read_records
from redstart.migrations.lease import Activity


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """What a look at one index found.

    Attributes:
        serves: whether there is an index behind the name.
        documents: keys of its type under its prefix.
        missing: how many of them it does not hold; `examples` the first of these.
        accepted: how many were known to leave it at the cut-over, and accepted.
    """

    name: str
    serves: bool
    documents: int = 0
    missing: int = 0
    accepted: int = 0
    examples: list[bytes] = field(default_factory=list)

    @property
    def problems(self) -> int:
        """What is wrong: documents that queries miss and nobody accepted; or that there is no index."""
        return max(0, self.missing - self.accepted) if self.serves else 1


def verify_indexes(planned: Iterable[PlannedIndex]) -> Op[list[IndexCheck]]:
    """Look up every document in each index that is cut over. Before that, none is to hold all.

    Effects: reads only, some for each page of 1,000 keys.
    """
    if not (yield from search_is_here()):
        return []
    records = yield from read_records()
    checks = []
    for one in planned:
        record = records.get(one.name)
        if record is None or not record.cut_over:
            continue
        found = yield from find_index(one.name)
        if found is None:
            checks.append(IndexCheck(one.name, serves=False))
            continue
        held = yield from prove(_keep_nothing, found.name, None, record)
        checks.append(
            IndexCheck(one.name, True, held.documents, held.missing, record.accepted_unindexed, held.examples)
        )
    return checks


def _keep_nothing(_: Activity) -> Op[None]:
    yield from ()
