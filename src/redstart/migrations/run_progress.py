"""The progress of a run or rollback, or of a migration file, from the saved position and the lease."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from redstart.effects import Op
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.status import DataStatus, status
from redstart.migrations.files.ledger import read_ledger
from redstart.migrations.lease_state import Holder, LeaseState, current, is_gone
from redstart.migrations.phase import resume_command, with_index_lease
from redstart.migrations.state_keys import FILES_LEASE, StateKeys
from redstart.next_steps import Command


class RunState(StrEnum):
    """Whether a run or rollback is in progress."""

    NONE = "none"
    RUNNING = "running"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The progress of a running or interrupted migration."""

    status: DataStatus

    @property
    def state(self) -> RunState:
        """Running while a process that may be alive holds the lease; otherwise interrupted if progress is saved."""
        if self.status.lease is not None and not is_gone(self.status.lease.holder):
            return RunState.RUNNING
        return RunState.NONE if self.status.checkpoint is None else RunState.INTERRUPTED

    @property
    def is_running(self) -> bool:
        """Whether a run or rollback is in progress."""
        return self.state is RunState.RUNNING

    @property
    def resume_command(self) -> Command:
        """The command that resumes it if it is interrupted, with the options that were typed."""
        return resume_command(self.status, is_rollback=self.status.is_rolling_back)

    @property
    def done(self) -> int:
        """How much of the present stage is done."""
        return self._counts()[0]

    @property
    def total(self) -> int:
        """The total of the present stage: 0 while unknown, otherwise at least what is done."""
        done, total = self._counts()
        return max(done, total) if total else 0

    def _counts(self) -> tuple[int, int]:
        lease, checkpoint = self.status.lease, self.status.checkpoint
        activity = lease.activity if lease is not None and self.is_running else None
        if activity is not None and (activity.done or self.status.lease_is_of_indexes):
            return activity.done, activity.total
        return (0, 0) if checkpoint is None else (checkpoint.met, checkpoint.total)


@dataclass(frozen=True, slots=True)
class FileProgress:
    """The progress of one file.

    Attributes:
        is_rollback: whether it is being rolled back.
        lease: that of the migration files; None if no process holds it.
        progress: of its documents and indexes.
    """

    migration_id: str
    is_rollback: bool
    lease: LeaseState | None
    progress: RunProgress

    @property
    def state(self) -> RunState:
        """Running while a process that may be alive holds the lease; otherwise interrupted."""
        return RunState.INTERRUPTED if self.lease is None else RunState.RUNNING

    @property
    def resume_command(self) -> Command:
        """The command that resumes it if it is interrupted, with the options that were typed if they are known."""
        checkpoint = self.progress.status.checkpoint
        if (
            checkpoint is not None
            and checkpoint.stage.undoes is self.is_rollback
            and checkpoint.resume_command
        ):
            return checkpoint.resume_command
        return Command("migrate rollback", self.migration_id) if self.is_rollback else Command("upgrade")


def file_progress(is_gone: Callable[[Holder], bool]) -> Op[FileProgress | None]:
    """Return the progress of the file whose run or rollback was started; None if none was. Some reads.

    Args:
        is_gone: whether the process of a lease holder has certainly ended.

    Raises:
        StateDamagedError: see `read_ledger` and `status`.
    """
    ledger = yield from read_ledger()
    if not ledger.started:
        return None
    migration_id = min(ledger.started)
    lease = yield from current(FILES_LEASE)
    if lease is not None and is_gone(lease.holder):
        lease = None
    data = yield from status(StateKeys(migration_id), Plan(()))
    data = yield from with_index_lease(data, is_gone)
    return FileProgress(migration_id, migration_id in ledger.entries, lease, RunProgress(data))
