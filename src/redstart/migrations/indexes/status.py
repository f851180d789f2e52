"""The state of indexes."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from redstart.effects import Op
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.drift import has_more, is_replaced_externally, is_superseded
from redstart.migrations.indexes.plan import PlannedIndex, with_options_of
from redstart.migrations.indexes.state import IndexRecord, previous_index, read_records
from redstart.search.index_info import IndexInfo
from redstart.search.schema_diff import IndexDifference, difference


class Standing(StrEnum):
    """The state of an index; `outdated` also if only the hash of redis-om is."""

    ABSENT = "absent"
    UP_TO_DATE = "up to date"
    OUTDATED = "outdated"
    EXPANDED = "expanded"
    TAKEN_OVER = "replaced externally"


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """One index.

    Attributes:
        serving: the name of the active index; None if there is none.
        documents: number of documents in it.
        filled_percent: progress of its initial scan; None after it.
        pending: the differences from the model.
        has_more: whether this index, or the one in preparation, has more than the model requires.
        is_superseded: whether the index had the definition of the model, and has a later one.
    """

    planned: PlannedIndex
    standing: Standing
    serving: str | None
    documents: int
    pending: IndexDifference | None
    has_more: bool = False
    filled_percent: float | None = None
    is_superseded: bool = False

    @property
    def is_newer(self) -> bool:
        """Return whether the index may belong to a newer version of the application."""
        return self.has_more or self.is_superseded


def index_statuses(planned: Iterable[PlannedIndex]) -> Op[list[IndexStatus]]:
    """Return the state of the index of each model. A read for each, and one."""
    records = yield from read_records()
    result = []
    for declared in planned:
        found = yield from find_index(declared.name)
        record = records.get(declared.name)
        one = with_options_of(declared, previous_index(record, found))
        if found is None:
            result.append(IndexStatus(one, Standing.ABSENT, None, 0, None))
            continue
        pending = difference(found.index, one.index)
        result.append(
            IndexStatus(
                one,
                _standing(record, found, pending),
                found.name,
                found.documents,
                pending,
                has_more(record, found, one),
                found.filled_percent,
                is_superseded(record, found, one),
            )
        )
    return result


def _standing(record: IndexRecord | None, found: IndexInfo, pending: IndexDifference) -> Standing:
    if is_replaced_externally(record, found):
        return Standing.TAKEN_OVER
    if pending.changes:
        ready = record is not None and record.expanded and not record.cut_over
        return Standing.EXPANDED if ready else Standing.OUTDATED
    # A program that died just behind the swap has left redis-om the old hash, with which it replaces the index.
    unsaid = record is not None and not record.cut_over
    return Standing.OUTDATED if unsaid else Standing.UP_TO_DATE
