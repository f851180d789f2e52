"""The state of indexes: those of the models, and all indexes of a server under the names that it lists."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, product

from redstart.commands.search import ft_list
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.migrations.indexes.build import find_built, find_index
from redstart.migrations.indexes.plan import PlannedIndex, with_options_of
from redstart.migrations.indexes.record_writer import has_more, is_replaced_externally, is_superseded
from redstart.migrations.indexes.state import (
    IndexRecord,
    IndexState,
    is_built_name,
    previous_index,
    read_records,
    shown,
)
from redstart.migrations.server_checks import has_search
from redstart.next_steps import Command, Hint
from redstart.search.index_info import IndexInfo
from redstart.search.schema import IndexDifference, difference


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


_MAX_SPELLINGS = 64


@dataclass(frozen=True, slots=True)
class ListedIndex:
    """An index of the server.

    Attributes:
        name: as the server lists it: line breaks are escaped.
        is_managed: whether Redstart migrates it.
    """

    name: str
    info: IndexInfo
    is_managed: bool


def list_indexes(names: Set[str], accept: Command | None) -> Op[list[ListedIndex]]:
    """Return all indexes, by name.

    Args:
        names: of the indexes of models, in addition to those that are recorded.
        accept: the command that accepts the loss of documents; None to omit indexes that cannot be inspected.

    Raises:
        MigrationError: an unmanaged index cannot be inspected, because its name is not listed as it is.

    Effects: a read for each index, and some.
    """
    records = (yield from read_records()).values()
    names = names | {record.name for record in records}
    # The active index of a name, and the one before the first `om migrate run`. Other copies stay as they are.
    managed = names | {record.legacy.name for record in records}
    for name in sorted(names):
        found = yield from find_index(name)
        managed |= set() if found is None else {found.name}
    indexes: list[ListedIndex] = []
    for name, count in sorted(Counter((yield from call(ft_list()))).items()):
        # Several indexes may be listed under one name, of which Redstart migrates one at most.
        is_managed = count == 1 and (name in managed or any(is_built_name(one, name) for one in names))
        infos = yield from indexes_listed_as(name)
        if not is_managed and accept is not None:
            yield from _require_inspected(name, len(infos), count, accept)
        indexes += (ListedIndex(name, info, is_managed) for info in infos)
    return indexes


def _require_inspected(name: str, inspected: int, count: int, accept: Command) -> Op[None]:
    """Raise MigrationError if an index cannot be inspected. A read if there is one, for it may be dropped by now."""
    if inspected < count <= (yield from call(ft_list())).count(name):
        raise MigrationError(
            f"The index that the server lists as {shown(name)} cannot be inspected: its name contains a character that "
            "the server does not list. It may lose documents when values change their type.",
            Hint("Drop the index, or accept this with: ", accept),
        )


def indexes_listed_as(name: str) -> Op[list[IndexInfo]]:
    """Return the indexes that the server may list under a name. A read for each of its spellings."""
    found = []
    for one in islice(_spellings(name), _MAX_SPELLINGS):
        info = yield from find_index(one)
        found += [] if info is None else [info]
    return found


def _spellings(name: str) -> Iterator[str]:
    """Return the names that a server lists like this one."""
    parts = re.split(r"(\\[nr])", name)
    breaks = {r"\n": "\n", r"\r": "\r"}
    return map("".join, product(*((part, breaks[part]) if part in breaks else (part,) for part in parts)))
