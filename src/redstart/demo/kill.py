"""Kill a run with SIGKILL after its first write and before its last."""

import subprocess
import time
from typing import Protocol, TypeVar

from redstart.effects import Op
from redstart.migrations.data.checkpoint import Checkpoint, Stage, load_checkpoint
from redstart.migrations.state_keys import StateKeys

T = TypeVar("T")

POLL_SECONDS = 0.005
KILLED_AT_SHARE = 0.4


class Driver(Protocol):
    """Performs operations: redstart.server.sync_driver.SyncDriver."""

    def run(self, operation: Op[T]) -> T:
        """Perform an operation and return its result."""
        ...


def kill_while_it_converts(
    process: subprocess.Popen[bytes], driver: Driver, keys: StateKeys
) -> Checkpoint | None:
    """Kill a run with SIGKILL after two fifths of the documents.

    Returns:
        The checkpoint of the killed run; None if the run ended before it could be killed.
    """
    while process.poll() is None:
        found = driver.run(load_checkpoint(keys))
        if found is not None and is_in_the_middle(found) and found.done >= KILLED_AT_SHARE * found.total:
            process.kill()
            _ = process.wait()
            left = driver.run(load_checkpoint(keys))
            return left if left is not None and is_in_the_middle(left) else None
        time.sleep(POLL_SECONDS)
    return None


def is_in_the_middle(progress: Checkpoint) -> bool:
    """Return whether the first pass has started and is not complete."""
    return progress.stage is Stage.CONVERT and progress.number == 1 and 0 < progress.done < progress.total
