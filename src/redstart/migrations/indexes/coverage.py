"""Coverage check: every document is looked up in an index, key by key, instead of comparing counts.

Counts never agree while clients write and keys expire. The keys of each scanned page are looked up together
(`FT.SEARCH ... INKEYS`), so memory does not grow with the data.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from redstart.commands.keyspace import key_type, scan_type
from redstart.commands.search import ft_members
from redstart.commands.server_errors import max_results
from redstart.effects import Op, batch, call, gather, pause
from redstart.errors import CommandError
from redstart.migrations.failure import MAX_EXAMPLES
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.state import IndexRecord, read_records, shown
from redstart.migrations.lease_state import Activity
from redstart.migrations.server_checks import has_search

Keep = Callable[[Activity], Op[None]]

_PAGE_KEYS = 1_000
_LOOKS = 5
"""Repeated checks of a missing document before it counts: it may be in the middle of a write."""
_PAUSE_SECONDS = 0.01


@dataclass(slots=True)
class Coverage:
    """The result of a coverage check.

    Attributes:
        documents: keys of the type of the index under its prefixes, and under those of the active index.
        missing: number of them missing from the new index but not from the active one; without an active index, all
            that are missing.
        examples: the first of these.
        missing_from_both: number of them missing from both indexes.
    """

    documents: int = 0
    missing: int = 0
    examples: list[bytes] = field(default_factory=list)
    missing_from_both: int = 0

    @property
    def complete(self) -> bool:
        """Return whether a cutover to this index loses no document."""
        return self.missing == 0


def check_coverage(keep: Keep, index: str, active: str | None, record: IndexRecord) -> Op[Coverage]:
    """Look up every document of a record, and of the active index, in an index.

    Args:
        keep: called for each page; renews a lease, if there is one.
        active: the active index; None if there is none.

    Effects: reads only, some for each page of 1,000 keys.
    """
    result = Coverage()
    kind = record.final.storage.key_type
    existing = None if active is None else (yield from find_index(active))
    prefixes = {record.key_prefix, *(() if existing is None else existing.index.prefixes)}
    checked = yield from find_index(index)
    total = max((one.documents for one in (existing, checked) if one is not None), default=0)
    absent: dict[bytes, None] = {}
    for prefix in sorted(one for one in prefixes if not one.startswith(tuple(prefixes - {one}))):
        cursor = 0
        while True:
            cursor, keys = yield from call(scan_type(cursor, prefix=prefix, kind=kind, count=_PAGE_KEYS))
            keys = list(dict.fromkeys(keys))
            result.documents += len(keys)
            absent |= dict.fromkeys((yield from absent_from(index, keys)))
            if len(absent) >= _PAGE_KEYS:
                yield from _look_again(index, active, list(absent), kind, result)
                absent.clear()
            yield from keep(
                Activity(
                    f"checking {shown(record.name)}", result.documents, total and max(total, result.documents)
                )
            )
            if cursor == 0:
                break
    yield from _look_again(index, active, list(absent), kind, result)
    return result


def _look_again(
    index: str, active: str | None, absent: list[bytes], kind: bytes, result: Coverage
) -> Op[None]:
    """Count the documents still missing from an index after several checks, for many pages together."""
    for _ in range(_LOOKS):
        if not absent:
            return
        # Deleted or expired since, or rewritten and temporarily in neither index.
        types = yield from batch(gather([key_type(key) for key in absent]))
        alive = [key for key, found in zip(absent, types, strict=True) if found == kind]
        absent = yield from absent_from(index, alive)
        if absent:
            yield from pause(_PAUSE_SECONDS)
    absent_from_active: set[bytes] = set()
    if active is not None and absent:
        absent_from_active = set((yield from absent_from(active, absent)))
    missing = [key for key in absent if key not in absent_from_active]
    result.missing_from_both += len(absent_from_active)
    result.missing += len(missing)
    result.examples += missing[: MAX_EXAMPLES - len(result.examples)]


def absent_from(index: str, keys: Sequence[bytes]) -> Op[list[bytes]]:
    """Return the keys that are missing from an index, in their order.

    Effects: one read; more if the server limits its results (MAXSEARCHRESULTS).
    """
    if not keys:
        return []
    try:
        reply = yield from call(ft_members(index, keys))
    except CommandError as exc:
        most = max_results(exc)
        if not most or most >= len(keys):
            raise
        absent: list[bytes] = []
        for start in range(0, len(keys), most):
            absent += yield from absent_from(index, keys[start : start + most])
        return absent
    return [key for key in keys if key not in reply]


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


def verify_indexes(planned: Sequence[PlannedIndex], absent: Collection[str]) -> Op[list[IndexCheck]]:
    """Look up every document in each index that is cut over. Before the cutover an index may be incomplete.

    Args:
        absent: indexes that are to be reported as absent, in any phase.

    Effects: reads only, some for each page of 1,000 keys.
    """
    if not (yield from has_search()):
        return []
    records = yield from read_records()
    checks = []
    for one in planned:
        record = records.get(one.name)
        if one.name in absent:
            checks.append(IndexCheck(one.name, serves=False))
            continue
        found = None if record is None or not record.is_cut_over else (yield from find_index(one.name))
        if record is None or found is None:
            continue
        if "FILTER" in found.index.options:
            checks.append(IndexCheck(one.name, serves=True, has_filter=True))
            continue
        coverage = yield from check_coverage(keep_nothing, one.name, None, record)
        checks.append(
            IndexCheck(
                one.name,
                serves=True,
                documents=coverage.documents,
                missing=coverage.missing,
                accepted=record.accepted_unindexed,
                examples=coverage.examples,
            )
        )
    return checks


def keep_nothing(_: Activity) -> Op[None]:
    """Renew no lease: for a check that holds none."""
    yield from ()
