"""Facts about the data of a migration: applied and pending models, saved progress, and the run in progress."""

from collections.abc import Collection
from dataclasses import dataclass, field

from redstart.commands.keyspace import sismember
from redstart.effects import Op, call
from redstart.migrations.data.checkpoint import Checkpoint, load_checkpoint
from redstart.migrations.data.damage import require_intact_data
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.record import Record, read_record
from redstart.migrations.data.unrestored import unrestored_count
from redstart.migrations.lease_state import LeaseState, current
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys


@dataclass(frozen=True, slots=True)
class DataStatus:
    """The state of the data of a migration on the server; see redstart.migrations.phase for the phase.

    Attributes:
        migration_id: of the migration.
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

    migration_id: str
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
    def is_rolling_back(self) -> bool:
        """Whether a rollback was started and is not complete."""
        if self.checkpoint is not None:
            return self.checkpoint.stage.undoes
        return self.record.cleared == "rollback"

    @property
    def is_migrating(self) -> bool:
        """Whether a conversion was started and is not complete."""
        if self.checkpoint is not None:
            return not self.checkpoint.stage.undoes
        unconverted = [model for model in self.pending if model not in self.rewritten]
        return self.record.cleared == "run" and bool(unconverted)

    @property
    def unmatched(self) -> list[str]:
        """The key prefixes of models that are applied and had no documents in the run."""
        return [
            model.key_prefix for model in self.applied if not self.record.applied[model.key_prefix].documents
        ]

    @property
    def converted_ms(self) -> int:
        """When the last of the applied models was converted, by the server's clock."""
        return max(self.record.applied[model.key_prefix].at_ms for model in self.applied)


def status(keys: StateKeys, plan: Plan, *, exempt: Collection[str] = ()) -> Op[DataStatus]:
    """Return the facts. Some reads; no writes.

    Args:
        exempt: parts that may be damaged (see `Damage.part`).

    Raises:
        StateDamagedError: a key is missing, damaged or of another version.
    """
    yield from require_intact_data(keys, exempt=exempt)
    record = yield from read_record(keys)
    checkpoint = yield from load_checkpoint(keys)
    lease = yield from current(keys.lease)
    failures = yield from FailureLog(keys).count()
    elsewhere = yield from call(sismember(APPLIED_MIGRATIONS, keys.migration_id))
    unnamed = record.unnamed(plan)
    pending = record.pending(plan) + [model for model in unnamed if model.key_prefix not in record.applied]
    models = [*plan.models, *unnamed]
    return DataStatus(
        migration_id=keys.migration_id,
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
