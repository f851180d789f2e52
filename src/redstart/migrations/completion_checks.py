"""Checks after a run or a rollback: whether another client, or a failover, has undone a part of it."""

from collections.abc import Sequence

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.data.record import Record, read_record
from redstart.migrations.indexes.expand import IndexOutcome
from redstart.migrations.integrity import require_kept
from redstart.migrations.lease import server_is_behind
from redstart.migrations.run_results import MigrationResult, RollbackResult
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Command, Hint


def require_complete_run(keys: StateKeys, result: MigrationResult, absent: Sequence[str]) -> Op[None]:
    """Raise an error if another client has changed an index, or its record, or the state after the conversion.

    Args:
        absent: indexes of models that do not exist.

    Raises:
        MigrationError, StateDamagedError: it has.

    Effects: reads only.
    """
    if result.data is None:
        return
    yield from require_kept(keys)
    if result.data.stopped is not None:
        return
    changed = [
        index.name
        for index in result.indexes
        if index.outcome is IndexOutcome.EXPANDED or index.name in absent
    ]
    if changed:
        raise MigrationError(
            f"The documents are converted, but another client changed indexes during this run: {', '.join(changed)}.",
            Hint("See their state with: ", Command("migrate status"), ". Then run the same command again."),
        )


def require_complete_rollback(keys: StateKeys, before: Record, result: RollbackResult) -> Op[None]:
    """Raise an error for state that was removed during a rollback, or whose removal a failover has lost.

    Args:
        before: the record before the rollback.

    Raises:
        StateDamagedError, UnsafeServerError: it was.

    Effects: reads only.
    """
    if result.data is None or before.plan is None:
        return
    if result.data.nothing_to_do:
        yield from require_kept(keys)
    elif result.data.stopped is None and (yield from read_record(keys)).unfinished == "rollback":
        raise server_is_behind()
