"""The progress of a run or rollback, from its saved position and its lease."""

from dataclasses import dataclass
from enum import StrEnum

from redstart.migrations.data.status import DataStatus
from redstart.migrations.holder import is_gone


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
