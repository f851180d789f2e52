"""Estimate memory and time of index builds."""

from collections.abc import Iterable
from dataclasses import dataclass

from redstart.effects import Op
from redstart.migrations.indexes.build import find_built, find_index
from redstart.migrations.indexes.dual_format import accepts_both_forms, is_stand_in, tolerant_index
from redstart.migrations.indexes.plan import PlannedIndex, moving_attributes, with_options_of
from redstart.migrations.indexes.state import previous_index, read_records
from redstart.search.schema import Index
from redstart.search.schema_diff import same_definition

UNCOUNTED_MEMORY_FACTOR = 1.7
"""FT.INFO does not count keys, tables and overhead of the allocator: measured, an index takes 1.5 to 1.7 times as
much (docs/index-swap.md)."""

_LEAST_SHARE = 0.01
"""No estimate is possible for an index that the server has just started to fill."""


@dataclass(frozen=True, slots=True)
class IndexForecast:
    """One index that differs from its model.

    Attributes:
        documents: number of documents in the active index.
        to_build: number of indexes to build.
        megabytes, seconds: of these builds together, estimated from the active index. While the server still fills
            that index, estimated from the filled part.
        filled_percent: progress of the initial scan of the active index; None after it.
    """

    name: str
    model: str
    documents: int
    to_build: int
    megabytes: float
    seconds: float
    filled_percent: float | None = None


def forecast(planned: Iterable[PlannedIndex], *, keep_old_index: bool = False) -> Op[list[IndexForecast]]:
    """Estimate each active index that has to change. A few reads for each; nothing is written."""
    records = yield from read_records()
    result = []
    for declared in planned:
        found = yield from find_index(declared.name)
        one = with_options_of(declared, previous_index(records.get(declared.name), found))
        if found is None or same_definition(found.index, one.index):
            continue
        record = records.get(one.name)
        legacy = found.index if record is None else record.legacy
        copied = [found.index] if keep_old_index and found.name == one.name else []
        share = max((100 if found.filled_percent is None else found.filled_percent) / 100, _LEAST_SHARE)
        missing = yield from _missing(one, [*_needed(one, found.index, legacy), *copied])
        result.append(
            IndexForecast(
                name=one.name,
                model=one.model,
                documents=found.documents,
                to_build=missing,
                megabytes=missing * found.memory_megabytes * UNCOUNTED_MEMORY_FACTOR / share,
                seconds=missing * found.indexing_seconds / share,
                filled_percent=found.filled_percent,
            )
        )
    return result


def _needed(planned: PlannedIndex, serving: Index, legacy: Index) -> list[Index]:
    moving = moving_attributes(serving, planned)
    if accepts_both_forms(serving, moving) or is_stand_in(
        serving, legacy, moving_attributes(legacy, planned)
    ):
        return [planned.index]
    return [planned.index, tolerant_index(serving, moving)]


def _missing(planned: PlannedIndex, definitions: list[Index]) -> Op[int]:
    missing = set()
    for definition in definitions:
        name, built = yield from find_built(planned.name, definition)
        if built is None:
            missing.add(name)
    return len(missing)
