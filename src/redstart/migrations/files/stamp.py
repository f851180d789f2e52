"""Changes of the ledger without a run of the files."""

from collections.abc import Sequence

from redstart.commands.server_info import server_time
from redstart.effects import Op, call
from redstart.migrations.files.ledger import LedgerEntry, read_ledger, record, remove
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.lease import Lease, under_lease


def record_without_running(acquiring: Op[Lease], files: Sequence[MigrationFile], user: str) -> Op[list[str]]:
    """Record files as applied, all in one step; but not those that a run has recorded in the meantime.

    Args:
        acquiring: the lease of the ledger.
        user: who records them.

    Returns:
        The ids of the recorded files.

    Raises:
        LeaseHeldError: a run is in progress; nothing was recorded.
        StateDamagedError: see `read_ledger`.
    """

    def work(lease: Lease) -> Op[list[str]]:
        known = (yield from read_ledger()).entries
        now_ms = yield from call(server_time())
        entries = [
            _entry(file, now_ms, user)
            for file in files
            if file.migration_id not in known or known[file.migration_id].checksum != file.checksum
        ]
        yield from record(lease, entries)
        return [entry.migration_id for entry in entries]

    return (yield from under_lease(acquiring, work))


def _entry(file: MigrationFile, now_ms: int, user: str) -> LedgerEntry:
    operations = tuple(operation.describe() for operation in file.operations)
    return LedgerEntry(file.migration_id, file.checksum, now_ms, user, None, operations)


def remove_from_record(acquiring: Op[Lease], ids: Sequence[str]) -> Op[None]:
    """Remove migrations from the ledger, all in one step.

    Raises:
        LeaseHeldError: a run is in progress; nothing was removed.
    """

    def work(lease: Lease) -> Op[None]:
        yield from remove(lease, ids)

    yield from under_lease(acquiring, work)
