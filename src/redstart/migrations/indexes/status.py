"""The state of indexes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from redstart.effects import Op
from redstart.migrations.indexes.build import find_built, find_index
from redstart.migrations.indexes.drift import has_more, is_replaced_externally, is_superseded
from redstart.migrations.indexes.lifecycle import IndexState
from redstart.migrations.indexes.plan import PlannedIndex, with_options_of
from redstart.migrations.indexes.state import IndexRecord, previous_index, read_records
from redstart.migrations.server_checks import has_search
from redstart.search.index_info import IndexInfo
from redstart.search.schema_diff import IndexDifference, difference


class ActiveIndex(StrEnum):
    """What a name points to, compared with the model; `outdated` also if only the hash of redis-om is."""

    ABSENT = "absent"
    UP_TO_DATE = "up to date"
    OUTDATED = "outdated"
    EXPANDED = "expanded"
    REPLACED_EXTERNALLY = "replaced externally"


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """One index.

    Attributes:
        active: what the name points to.
        active_name: the name of the active index itself; None if there is none.
        documents: number of documents in it.
        filled_percent: progress of its initial scan; None after it.
        pending: the differences from the model.
        has_more: whether this index, or the one in preparation, has more than the model requires.
        is_superseded: whether the index had the definition of the model, and has a later one.
        lacking: if the new index is built and not active, the number of documents by which it has fewer than the active
            one. Of converted data, a cutover is refused for these.
    """

    planned: PlannedIndex
    active: ActiveIndex
    active_name: str | None
    documents: int
    pending: IndexDifference | None
    has_more: bool = False
    filled_percent: float | None = None
    is_superseded: bool = False
    lacking: int = 0

    @property
    def is_newer(self) -> bool:
        """Return whether the index may belong to a newer version of the application."""
        return self.has_more or self.is_superseded


def index_statuses(planned: Iterable[PlannedIndex]) -> Op[list[IndexStatus]]:
    """Return the state of the index of each model. A few reads for each, and one."""
    records = yield from read_records()
    result = []
    for declared in planned:
        info = yield from find_index(declared.name)
        record = records.get(declared.name)
        planned_index = with_options_of(declared, previous_index(record, info))
        if info is None:
            result.append(IndexStatus(planned_index, ActiveIndex.ABSENT, None, 0, None))
            continue
        pending = difference(info.index, planned_index.index)
        active = _active_index(record, info, pending)
        result.append(
            IndexStatus(
                planned_index,
                active,
                info.name,
                info.documents,
                pending,
                has_more=has_more(record, info, planned_index),
                filled_percent=info.filled_percent,
                is_superseded=is_superseded(record, info, planned_index),
                lacking=(yield from _lacking(planned_index, info)) if active is ActiveIndex.EXPANDED else 0,
            )
        )
    return result


def _lacking(planned: PlannedIndex, active: IndexInfo) -> Op[int]:
    """Return by how many documents the new index has fewer than the active one; 0 while one of them is filled."""
    _, built = yield from find_built(planned.name, planned.index)
    if built is None or built.indexing or active.indexing:
        return 0
    return max(0, active.documents - built.documents)


def absent_indexes(planned: Sequence[PlannedIndex]) -> Op[list[str]]:
    """Return the indexes of models that do not exist, see `absent_among`. Reads only, see `index_statuses`."""
    if not planned or not (yield from has_search()):
        return []
    return (yield from absent_among((yield from index_statuses(planned))))


def absent_among(statuses: Sequence[IndexStatus]) -> Op[list[str]]:
    """Return the indexes of models that do not exist, although those of other models do or Redstart built some.

    If none ever existed, the application does not search its documents.

    Effects: a read, or none.
    """
    absent = [one.planned.name for one in statuses if one.active is ActiveIndex.ABSENT]
    if len(absent) == len(statuses):
        records = yield from read_records()
        absent = absent if any(name in records for name in absent) else []
    return list(dict.fromkeys(absent))


def _active_index(record: IndexRecord | None, info: IndexInfo, pending: IndexDifference) -> ActiveIndex:
    if is_replaced_externally(record, info):
        return ActiveIndex.REPLACED_EXTERNALLY
    state = None if record is None else record.state
    if pending.changes:
        is_expanded = state in (IndexState.EXPANDED, IndexState.ROLLING_BACK)
        return ActiveIndex.EXPANDED if is_expanded else ActiveIndex.OUTDATED
    # The alias was moved and the record was not: redis-om has the old hash, with which it would replace the index.
    is_unrecorded = state in (IndexState.PLANNED, IndexState.EXPANDED)
    return ActiveIndex.OUTDATED if is_unrecorded else ActiveIndex.UP_TO_DATE
