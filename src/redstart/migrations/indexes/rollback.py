"""Rollback of an index: before the rollback of the data, and after it."""

import math
import shlex
from collections.abc import Sequence

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.indexes.build import try_index
from redstart.migrations.indexes.damage import mark_settled
from redstart.migrations.indexes.plan import dual_format_index
from redstart.migrations.indexes.record_writer import record_kept, remove_record, write_record
from redstart.migrations.indexes.state import RECORDS, IndexEvent, IndexRecord, IndexState
from redstart.migrations.indexes.swap import (
    CutoverResult,
    Prepared,
    cut_over,
    drop,
    drop_unused,
    finish,
    prepare,
    remove_alias,
)
from redstart.migrations.lease import Lease


def before_undo(
    lease: Lease,
    records: Sequence[IndexRecord],
    *,
    supports_path_filters: bool,
    accept_unindexed: bool = False,
    check_only: bool = False,
) -> Op[list[tuple[IndexRecord, CutoverResult]]]:
    """Switch back to dual-format indexes: all of them, or none if one would lose documents.

    An index that was incomplete before the migration may be incomplete again.

    Args:
        accept_unindexed: whether documents may drop out of query results.
        check_only: whether to build and check the indexes without switching.

    Returns:
        The result of each; if some are refused, only theirs.

    Raises:
        MigrationError: the server rejects one of the definitions; nothing was changed.

    Effects: see `prepare` and `finish`. Indexes that are not used are dropped. Safe to repeat.
    """
    records = [record for record in records if record.changing]
    wanted = {
        record.name: dual_format_index(
            record.legacy, record.changing, supports_path_filters=supports_path_filters
        )
        for record in records
    }
    for record in records:
        for index in (wanted[record.name], *(() if record.created else (record.legacy,))):
            if (why := (yield from try_index(index))) is not None:
                raise MigrationError(
                    f"The server rejects the previous definition of the index {record.name}: {why}. The current index "
                    "stays active; nothing was changed.",
                    f"See the definition with: redis-cli HGET {RECORDS} {shlex.quote(record.name)}",
                )
    prepared: list[tuple[IndexRecord, Prepared]] = []
    for record in records:
        max_missing = math.inf if accept_unindexed or record.missing_before else 0
        swap = yield from prepare(lease, record, wanted[record.name], max_missing=max_missing)
        prepared.append((record, swap))
    refused = [
        (record, CutoverResult(swap.coverage, False)) for record, swap in prepared if not swap.accepted
    ]
    if refused:
        for record, swap in prepared:
            if swap.is_new:
                _ = yield from drop(lease, swap.index, (record.name,))
        return refused
    done = []
    for record, swap in () if check_only else prepared:
        done.append((record, (yield from _start_rollback(lease, record, swap))))
    return done


def _start_rollback(lease: Lease, record: IndexRecord, prepared: Prepared) -> Op[CutoverResult]:
    """Point the alias to a dual-format index, and record that a rollback was started."""
    if record.state is IndexState.ROLLING_BACK:
        return (yield from finish(lease, record, prepared))
    if (
        record.state is IndexState.PLANNED
    ):  # the previous index may be active, and nothing may look like drift
        result = yield from finish(lease, record, prepared)
        _ = yield from write_record(lease, record, IndexEvent.ROLL_BACK, stored=record)
        return result
    _ = yield from write_record(lease, record, IndexEvent.ROLL_BACK, stored=record)
    return (yield from finish(lease, record, prepared))


def after_undo(lease: Lease, record: IndexRecord, *, max_missing: float) -> Op[CutoverResult]:
    """Switch back to the old definition, delete the record, and restore the keys of redis-om.

    If no index existed before Redstart, the created one is kept.

    Args:
        max_missing: number of documents that may drop out of query results.

    Effects: see `cut_over`; then drops the unused indexes. Safe to repeat.
    """
    if record.created:
        return (yield from _keep_created(lease, record))
    cutover = yield from cut_over(lease, record, record.legacy, max_missing=max_missing)
    if not cutover.done:
        if record.state is IndexState.ROLLING_BACK:
            _ = yield from write_record(lease, record, IndexEvent.REFUSE_ROLLBACK, stored=record)
        return cutover
    _ = yield from drop_unused(lease, record)
    yield from mark_settled(lease, record.name)
    yield from remove_record(lease, record, IndexEvent.RESTORE)
    return cutover


def _keep_created(lease: Lease, record: IndexRecord) -> Op[CutoverResult]:
    """Activate the final index if it contains every document; else keep the active one."""
    cutover = yield from cut_over(lease, record, record.final)
    if cutover.done:
        yield from record_kept(lease, record)
        _ = yield from drop_unused(lease, record)
    else:
        _ = yield from write_record(
            lease, record, IndexEvent.REFUSE_ROLLBACK, stored=record, commands=record.keys_of_legacy()
        )
    return CutoverResult(None, done=True, is_created=True)


def remove_created(lease: Lease, record: IndexRecord) -> Op[CutoverResult]:
    """Remove an index that did not exist before Redstart. Safe to repeat."""
    _ = yield from remove_alias(lease, record.name)
    _ = yield from drop_unused(lease, record)
    yield from remove_record(lease, record, IndexEvent.DROP_CREATED)
    return CutoverResult(None, done=True, is_dropped=True)
