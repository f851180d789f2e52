"""Verification of indexes: look up every document in the active index."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.coverage import prove
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import search_is_here
from redstart.migrations.indexes.state import read_records
from redstart.migrations.lease import Activity


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """The result of the verification of one index.

    Attributes:
        serves: whether an index of this name is active.
        documents: keys of its type under its prefix.
        missing: number of them missing from the index; `examples` are the first of these.
        accepted: number of documents that were accepted as missing at the cutover.
        has_filter: whether the index has a FILTER; then it need not contain every document, and none is looked up.
    """

    name: str
    serves: bool
    documents: int = 0
    missing: int = 0
    accepted: int = 0
    examples: list[bytes] = field(default_factory=list)
    has_filter: bool = False

    @property
    def problems(self) -> int:
        """Return the number of problems: documents missing and not accepted, or 1 if no index is active."""
        return max(0, self.missing - self.accepted) if self.serves else 1


def verify_indexes(planned: Iterable[PlannedIndex]) -> Op[list[IndexCheck]]:
    """Look up every document in each index that is cut over. Before the cutover an index may be incomplete.

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
        if "FILTER" in found.index.options:
            checks.append(IndexCheck(one.name, serves=True, has_filter=True))
            continue
        held = yield from prove(_keep_nothing, one.name, None, record)
        checks.append(
            IndexCheck(one.name, True, held.documents, held.missing, record.accepted_unindexed, held.examples)
        )
    return checks


def _keep_nothing(_: Activity) -> Op[None]:
    yield from ()
