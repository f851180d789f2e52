"""How far a migration as a whole is: its data, and the indexes over it."""

from collections.abc import Collection

from redstart.effects import Op
from redstart.migrations.data.status import Phase, Status
from redstart.migrations.indexes.preflight import search_is_here
from redstart.migrations.indexes.records import IndexRecord, read_records


def phase_with_indexes(status: Status) -> Op[Phase]:
    """The phase, where indexes serve: they are made ready before the data, and cut over after it. Three reads."""
    if status.phase in (Phase.MIGRATING, Phase.ROLLING_BACK):
        return status.phase
    if not (yield from search_is_here()):
        return status.phase
    prefixes = {model.key_prefix for model in (*status.applied, *status.pending)}
    records = (yield from read_records()).values()
    return _phase(status.phase, [r for r in records if r.moving and r.key_prefix in prefixes])


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
