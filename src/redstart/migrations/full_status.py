"""The status of a data migration: data, indexes and the next command together."""

from collections.abc import Sequence

from redstart.effects import Op
from redstart.migrations.context import Context
from redstart.migrations.data.plan import Plan, with_index_attributes
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.status import ActiveIndex, absent_among, index_statuses
from redstart.migrations.next_command import next_command
from redstart.migrations.outcomes import StatusResult
from redstart.migrations.phase import migration_status
from redstart.migrations.schema_check import compare, mismatching
from redstart.migrations.server_checks import has_search


def read_full_status(context: Context, plan: Plan, planned: Sequence[PlannedIndex]) -> Op[StatusResult]:
    """Return the phase, which models are applied or pending, and the next command. Reads only.

    Effects: some reads, and a sample of at most 1,000 documents of each model.
    """
    transformation = context.transformation
    state = yield from migration_status(transformation, plan, sample_documents=True, is_gone=context.is_gone)
    statuses = (yield from index_statuses(planned)) if (yield from has_search()) else []
    absent = yield from absent_among(statuses)
    checks = compare(statuses, with_index_attributes(plan, transformation), state.data.record)
    indexes = [
        status
        for status in mismatching(checks)
        # Without any index the application does not search its documents.
        if status.active is not ActiveIndex.ABSENT or status.planned.name in absent
    ]
    pending = {model.key_prefix for model in state.data.pending}
    following = next_command(context.keys.migration_id, state.phase, indexes, pending)
    converted = {model.key_prefix for model in (*state.data.applied, *state.data.rewritten)}
    refused = [one for one in indexes if one.lacking and one.planned.key_prefix in converted]
    return StatusResult(
        state.phase, state.is_cutover_pending, state.data, state.is_cut_over, absent, following, refused
    )
