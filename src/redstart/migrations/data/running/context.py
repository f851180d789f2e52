"""What every operation of a data migration is given: names, zone, watcher, and the world's clock and identity."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from redstart.effects import Op
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.state.keys import StateKeys
from redstart.migrations.holder import Holder, is_gone
from redstart.migrations.lease import Lease, acquire, under_lease
from redstart.values.timezones import NaiveTimezone

T = TypeVar("T")

DATETIME_MIGRATION = "001_datetime_fields_to_timestamps"
"""The id of the built-in migration, the reference's."""


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of an operation.

    Attributes:
        token: unique for this run; becomes the fence.
        clock: seconds, monotonic.
        is_gone: whether a lease's holder is gone for certain.
    """

    keys: StateKeys
    naive_timezone: NaiveTimezone
    holder: Holder
    token: str
    clock: Callable[[], float]
    monitor: Monitor = field(default_factory=Monitor)
    is_gone: Callable[[Holder], bool] = is_gone

    def acquire(self) -> Op[Lease]:
        """Take the migration's lease; see redstart.migrations.lease.acquire."""
        return (
            yield from acquire(
                self.keys.lease,
                self.token,
                self.holder,
                is_gone=self.is_gone,
                clock=self.clock,
                waiting=self.monitor.waiting,
            )
        )

    def under_lease(self, work: Callable[[Lease], Op[T]]) -> Op[T]:
        """Take the lease, work, and give it back.

        Raises:
            LeaseHeldError: another run is at work; `work` was not begun.
        """
        return (yield from under_lease(self.acquire(), work))
