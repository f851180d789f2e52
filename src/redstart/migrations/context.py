"""Dependencies of an operation: key names, time zone, clock, run id, monitor."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from redstart.effects import Op
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.holder import Holder, is_gone
from redstart.migrations.lease import Lease, acquire, under_lease
from redstart.migrations.state_keys import StateKeys
from redstart.values.timezones import NaiveTimezone

T = TypeVar("T")

DATETIME_MIGRATION = "001_datetime_fields_to_timestamps"
"""The id of the built-in migration, the same as in redis-om."""


@dataclass(frozen=True, slots=True)
class Context:
    """The dependencies of an operation.

    Attributes:
        token: unique for this run; it becomes the fencing token.
        clock: monotonic, in seconds.
        is_gone: whether the process of a lease holder has certainly ended.
    """

    keys: StateKeys
    naive_timezone: NaiveTimezone
    holder: Holder
    token: str
    clock: Callable[[], float]
    monitor: Monitor = field(default_factory=Monitor)
    is_gone: Callable[[Holder], bool] = is_gone

    def acquire(self) -> Op[Lease]:
        """Acquire the lease of the migration; see redstart.migrations.lease.acquire."""
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
        """Acquire the lease, do the work, and release the lease.

        Raises:
            LeaseHeldError: another run is in progress; `work` was not started.
        """
        return (yield from under_lease(self.acquire(), work))
