"""How far a migration as a whole is: its data, and the indexes over it."""

from collections.abc import Collection

from redstart.effects import Op
from redstart.migrations.data.running.status import Phase, Status
from redstart.migrations.indexes.preflight import search_is_here
from redstart.migrations.indexes.records import IndexRecord, read_records


def phase_with_indexes(status: Status) -> Op[Phase]:
    """The phase, where indexes serve: they are made ready before the data, and cut over after it. Three reads."""
    if status.phase in (Phase.MIGRATING, Phase.ROLLING_BACK):
        return status.phase
    return _phase(status.phase, (yield from _records(status)))


def cut_over_to_come(status: Status) -> Op[bool]:
    """Whether the data is converted, and an index that takes both forms serves still. Three reads."""
    if status.phase is not Phase.VERIFIED:
        return False
    records = yield from _records(status)
    return any(not (record.cut_over or record.stepping_back) for record in records)


def _records(status: Status) -> Op[list[IndexRecord]]:
    """The records of the indexes whose dates change their type with the data."""
    if not (yield from search_is_here()):
        return []
    prefixes = {model.key_prefix for model in (*status.applied, *status.pending)}
    records = (yield from read_records()).values()
    return [record for record in records if record.moving and record.key_prefix in prefixes]


def _phase(data: Phase, records: Collection[IndexRecord]) -> Phase:
    if any(record.stepping_back for record in records):
        return Phase.ROLLING_BACK
    if not records:
        return data
    if data is Phase.PENDING:
        return data if all(record.cut_over for record in records) else Phase.EXPANDED
    if not all(record.cut_over for record in records):
        return data
    return Phase.CONTRACTED if all(record.contracted for record in records) else Phase.CUT_OVER
