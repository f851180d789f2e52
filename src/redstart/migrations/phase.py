"""The phase of a migration, computed from the state of data and indexes, and its next command.

A run builds the new indexes, converts the data, and cuts the indexes over.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from redstart.effects import Op
from redstart.migrations.context import Monitor
from redstart.migrations.data.plan import Plan, with_index_attributes
from redstart.migrations.data.status import DataStatus
from redstart.migrations.data.status import status as data_status
from redstart.migrations.data.survey import survey
from redstart.migrations.indexes.state import LEASE, IndexRecord, IndexState, read_records
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus
from redstart.migrations.lease_state import Holder, current, is_gone
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Classification, Transformation
from redstart.next_steps import Command

_SAMPLED_DOCUMENTS = 1_000
"""Documents of each model that a status reads, and pages in which it searches for them."""


class MigrationPhase(StrEnum):
    """Phase of the whole migration; `expanded`, `cut over` and `contracted` apply to indexes only.

    `converted` is the state at the end of the run; `om migrate-data verify` finds values that were written later.
    """

    NOTHING_TO_MIGRATE = "nothing to migrate"
    PENDING = "pending"
    EXPANDED = "expanded"
    MIGRATING = "migrating"
    CONVERTED = "converted"
    CUT_OVER = "cut over"
    CONTRACTED = "contracted"
    ROLLING_BACK = "rolling back"


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """The state of a whole migration on the server.

    Attributes:
        is_cutover_pending: whether the data is converted and a dual-format index is still active.
        data: the state of the data on the server.
        is_cut_over: whether the new indexes are active, although models may be pending again.
    """

    phase: MigrationPhase
    is_cutover_pending: bool
    data: DataStatus
    is_cut_over: bool

    @property
    def converted_ms(self) -> int | None:
        """When the last of the models was converted, by the server's clock; None in another phase than CONVERTED."""
        return self.data.converted_ms if self.phase is MigrationPhase.CONVERTED else None

    @property
    def resume_command(self) -> Command:
        """The command that resumes the interrupted run or rollback, with the options that were typed."""
        return resume_command(self.data, is_rollback=self.phase is MigrationPhase.ROLLING_BACK)


def migration_status(
    transformation: Transformation,
    plan: Plan,
    *,
    sample_documents: bool = False,
    exempt: Collection[str] = (),
    is_gone: Callable[[Holder], bool] = is_gone,
) -> Op[MigrationStatus]:
    """Return the phase of a migration, and the facts behind it. Reads only.

    Args:
        sample_documents: read documents, too: models with documents that were written in the old format after the run
            are pending then.
        exempt: parts that may be damaged (see `Damage.part`).
        is_gone: whether the process of a lease holder has certainly ended.

    Raises:
        StateDamagedError: a key is missing, damaged or of another version.
    """
    data = yield from data_status(StateKeys(transformation.migration_id), plan, exempt=exempt)
    if sample_documents:
        data = yield from with_rewritten(data, transformation)
    data = yield from with_index_lease(data, is_gone)
    in_progress = data.is_rolling_back or data.is_migrating
    records = [] if in_progress else (yield from _records(data, transformation))
    phase = phase_of(data, records)
    is_pending = phase is MigrationPhase.CONVERTED and bool(records)
    is_cut_over = bool(records) and all(record.is_cut_over for record in records)
    return MigrationStatus(phase, is_pending, data, is_cut_over)


def phase_of(data: DataStatus, records: Collection[IndexRecord]) -> MigrationPhase:
    """Return the phase of a migration.

    Args:
        records: of the indexes with attributes that change their type with the data; they are prepared before it, and
            cut over after it.
    """
    if data.is_migrating:
        return MigrationPhase.MIGRATING
    if data.is_rolling_back or any(record.state is IndexState.ROLLING_BACK for record in records):
        return MigrationPhase.ROLLING_BACK
    if not data.applied and not data.pending:
        return MigrationPhase.NOTHING_TO_MIGRATE
    cut_over = all(record.is_cut_over for record in records)
    if data.pending:
        return MigrationPhase.PENDING if cut_over else MigrationPhase.EXPANDED
    if not records or not cut_over:
        return MigrationPhase.CONVERTED
    contracted = all(record.state is IndexState.CONTRACTED for record in records)
    return MigrationPhase.CONTRACTED if contracted else MigrationPhase.CUT_OVER


def _records(data: DataStatus, transformation: Transformation) -> Op[list[IndexRecord]]:
    """Return the records of the indexes with attributes that change their type with the data. Up to three reads."""
    if not (yield from has_search()):
        return []
    plan = with_index_attributes(Plan((*data.applied, *data.pending)), transformation)
    prefixes = {model.key_prefix for model in plan.models}
    records = (yield from read_records()).values()
    return [record for record in records if record.changing and record.key_prefix in prefixes]


def with_rewritten(data: DataStatus, transformation: Transformation) -> Op[DataStatus]:
    """Return the facts, with a model as pending if documents in the old format were written after its run.

    Effects: reads of the first 1,000 documents of each applied model, among at most 1,000,000 keys.
    """
    if not data.is_applied or data.is_rolling_back or data.is_migrating:
        return data
    rewritten = []
    for model in data.applied:
        sample = yield from survey(
            Plan((model,), transformation.settings),
            transformation,
            batch_documents=_SAMPLED_DOCUMENTS,
            monitor=Monitor(),
            stage="",
            most_documents=_SAMPLED_DOCUMENTS,
            most_pages=_SAMPLED_DOCUMENTS,
        )
        if sample.tally.total(Classification.CONVERTIBLE) or sample.tally.total(Classification.LOSSY):
            rewritten.append(model)
    return replace(
        data,
        applied=[model for model in data.applied if model not in rewritten],
        pending=[*data.pending, *rewritten],
        rewritten=rewritten,
    )


def with_index_lease(data: DataStatus, is_gone: Callable[[Holder], bool]) -> Op[DataStatus]:
    """Return the facts, with the lease of the work in progress: of the data, or of the indexes."""
    lease = yield from current(LEASE)
    if lease is None or is_gone(lease.holder):
        return data
    # At its end a run checks the indexes under their lease: then that is its activity.
    is_alone = data.lease is None or is_gone(data.lease.holder) or data.lease.holder == lease.holder
    return replace(data, lease=lease, lease_is_of_indexes=True) if is_alone else data


MIGRATE_INDEXES = Command("migrate run")
CONVERT = Command("migrate-data run")


def roll_back(migration_id: str) -> Command:
    """Return the command that rolls back a migration, or completes its rollback."""
    return Command("migrate-data rollback", migration_id)


def resume_command(data: DataStatus, *, is_rollback: bool) -> Command:
    """Return the command that resumes an interrupted run or rollback, with the options that were typed."""
    recorded = None if data.checkpoint is None else data.checkpoint.resume_command
    return recorded or (roll_back(data.migration_id) if is_rollback else CONVERT)


def next_command(
    resume: Command, phase: MigrationPhase, indexes: Iterable[IndexStatus], pending: Collection[str]
) -> Command | None:
    """Return the next command of a migration; None if nothing is left to do.

    Args:
        resume: the command that resumes interrupted work.
        indexes: those to be migrated, of which some may be up to date.
        pending: key prefixes of the models whose data is not converted.
    """
    if phase is MigrationPhase.ROLLING_BACK:
        return resume
    # A run builds the indexes that it needs. It does not create absent ones; one that was replaced is repaired first.
    ready = {ActiveIndex.EXPANDED, ActiveIndex.OUTDATED}
    if phase is MigrationPhase.MIGRATING:
        ready = set(ActiveIndex)
    for one in indexes:
        is_ready = one.planned.key_prefix in pending and one.active in ready
        if one.active is not ActiveIndex.UP_TO_DATE and not is_ready:
            return MIGRATE_INDEXES
    if not pending:
        return None
    return resume if phase is MigrationPhase.MIGRATING else CONVERT
