"""Where indexes stand, without changing any."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from redstart.effects import Op
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.records import read_records
from redstart.migrations.indexes.taken_over import is_taken_over
from redstart.search.difference import IndexDifference, difference


class Standing(StrEnum):
    """What a name leads to."""

    ABSENT = "absent"
    UP_TO_DATE = "up to date"
    OUTDATED = "outdated"
    EXPANDED = "expanded"
    TAKEN_OVER = "taken over by another tool"


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """One index.

    Attributes:
        serving: the real index behind the name; None when there is none.
        documents: how many it holds.
        pending: what differs from the definition the model asks for.
    """

    planned: PlannedIndex
    standing: Standing
    serving: str | None
    documents: int
    pending: IndexDifference | None


def index_statuses(planned: Iterable[PlannedIndex]) -> Op[list[IndexStatus]]:
    """Every model's index. A read for each, and one."""
    records = yield from read_records()
    result = []
    for one in planned:
        found = yield from find_index(one.name)
        record = records.get(one.name)
        if found is None:
            result.append(IndexStatus(one, Standing.ABSENT, None, 0, None))
            continue
        pending = difference(found.index, one.index)
        if is_taken_over(record, found):
            standing = Standing.TAKEN_OVER
        elif not pending.changes:
            standing = Standing.UP_TO_DATE
        elif record is not None and record.expanded and not record.cut_over:
            standing = Standing.EXPANDED
        else:
            standing = Standing.OUTDATED
        result.append(IndexStatus(one, standing, found.name, found.documents, pending))
    return result
