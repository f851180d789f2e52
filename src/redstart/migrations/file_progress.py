"""The progress of the migration file that is being applied or rolled back."""

from collections.abc import Callable
from dataclasses import dataclass

from redstart.effects import Op
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.status import status
from redstart.migrations.files.ledger import read_ledger
from redstart.migrations.holder import Holder
from redstart.migrations.lease_state import LeaseState, current
from redstart.migrations.phase import with_index_lease
from redstart.migrations.run_progress import RunProgress, RunState
from redstart.migrations.state_keys import FILES_LEASE, StateKeys


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
