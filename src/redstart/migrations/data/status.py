"""The status of a migration: phase, applied and pending models, and the run in progress."""

from dataclasses import dataclass, field
from enum import StrEnum

from redstart.commands.keyspace import sismember
from redstart.effects import Op, call
from redstart.migrations.data.checkpoint import Checkpoint, load_checkpoint
from redstart.migrations.data.damage import require_intact_data
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.record import Record, read_record
from redstart.migrations.data.unrestored import unrestored_count
from redstart.migrations.lease import LeaseState, current
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys


class MigrationPhase(StrEnum):
    """Phase of the whole migration; `expanded`, `cut over` and `contracted` apply to indexes only.

    `converted` is the state at the end of the run; `om migrate-data verify` finds what was written later.
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
class Status:
    """The state of a migration on the server.

    Attributes:
        applied, pending: models that are converted as they are declared now, and models that are not.
        unrestored: documents with originals that the last rollback could not restore.
        unnamed: of both, models that are recorded but not among the given ones.
        rewritten: of the pending models, those that a run converted and whose documents were written in the old
            format since then.
        checkpoint: the saved progress; with `lease`, a run is in progress.
        lease_is_of_indexes: whether the lease is that of index migrations.
        recorded_elsewhere: whether redis-om's own record has the migration as applied, and Redstart's record has not.
        unlisted: whether Redstart's record has it as applied, and redis-om's has not: redis-om would run it again.
    """

    phase: MigrationPhase
    applied: list[PlannedModel]
    pending: list[PlannedModel]
    record: Record
    checkpoint: Checkpoint | None
    lease: LeaseState | None
    failures: int
    recorded_elsewhere: bool
    unlisted: bool = False
    lease_is_of_indexes: bool = False
    unrestored: int = 0
    unnamed: list[PlannedModel] = field(default_factory=list)
    rewritten: list[PlannedModel] = field(default_factory=list)

    @property
    def is_applied(self) -> bool:
        """Whether all models with values to convert are converted, and there is at least one."""
        return bool(self.applied) and not self.pending

    @property
    def unmatched(self) -> list[str]:
        """The key prefixes of models that are applied and had no documents in the run."""
        return [
            model.key_prefix for model in self.applied if not self.record.applied[model.key_prefix].documents
        ]

    @property
    def verified_ms(self) -> int | None:
        """When the last of the given models was converted, by the server's clock; None if one is not."""
        times = [self.record.applied[model.key_prefix].at_ms for model in self.applied]
        return max(times) if self.phase is MigrationPhase.CONVERTED else None


def status(keys: StateKeys, plan: Plan) -> Op[Status]:
    """Return the status. Some reads; no writes.

    Raises:
        StateDamagedError: a key is missing, damaged or of another version.
    """
    yield from require_intact_data(keys)
    record = yield from read_record(keys)
    checkpoint = yield from load_checkpoint(keys)
    lease = yield from current(keys.lease)
    failures = yield from FailureLog(keys).count()
    elsewhere = yield from call(sismember(APPLIED_MIGRATIONS, keys.migration_id))
    unnamed = record.unnamed(plan)
    pending = record.pending(plan) + [model for model in unnamed if model.key_prefix not in record.applied]
    models = [*plan.models, *unnamed]
    return Status(
        phase=_phase(checkpoint, record, models, pending),
        applied=[model for model in models if model not in pending],
        pending=pending,
        record=record,
        checkpoint=checkpoint,
        lease=lease,
        failures=failures + record.failures_not_kept,
        recorded_elsewhere=elsewhere and not record.applied,
        unlisted=any(one.documents for one in record.applied.values()) and not elsewhere,
        unrestored=(yield from unrestored_count(keys)),
        unnamed=unnamed,
    )


def _phase(
    checkpoint: Checkpoint | None, record: Record, models: list[PlannedModel], pending: list[PlannedModel]
) -> MigrationPhase:
    if checkpoint is not None:
        return MigrationPhase.ROLLING_BACK if checkpoint.stage.undoes else MigrationPhase.MIGRATING
    if record.cleared == "rollback":
        return MigrationPhase.ROLLING_BACK
    if record.cleared and pending:
        return MigrationPhase.MIGRATING
    if not models:
        return MigrationPhase.NOTHING_TO_MIGRATE
    return MigrationPhase.PENDING if pending else MigrationPhase.CONVERTED
