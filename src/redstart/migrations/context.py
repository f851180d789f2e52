"""Dependencies of an operation: transformation, clock, run id, monitor."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from redstart.effects import Op
from redstart.errors import ConfigurationError
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease, acquire, under_lease
from redstart.migrations.lease_state import Activity, Holder, is_gone
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Transformation
from redstart.next_steps import Command


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one stage.

    Attributes:
        stage: the name of the stage, such as `converting`.
        number: the number of the pass, 0 if there is only one.
        done, total: in units; total is 0 while unknown.
        failures: failed values so far.
        unit: what `done` counts, in the plural; `%` where it is a percentage.
        share: how much of the keyspace is scanned, 0 to 1; None if the stage is not a scan.
        is_transient: whether the stage leaves the screen when it ends: its result is reported otherwise.
    """

    stage: str
    number: int
    done: int
    total: int
    failures: int
    unit: str = "documents"
    share: float | None = None
    is_transient: bool = False

    @property
    def fraction(self) -> float | None:
        """How much of the stage is done, 0 to 1; None while unknown."""
        return min(1.0, self.done / self.total) if self.total else self.share


@dataclass(slots=True)
class Monitor:
    """What an operation reports to, and is stopped by. Callbacks run between requests and must not send any.

    Attributes:
        progress: called after each page.
        failure: called for each failed value.
        waiting: called with a message about the lease that is waited for.
        stop_requested: called between pages; True ends the run with its progress saved.
        resumed_by: the command that resumes the operation, saved with its progress; None if it has none.
    """

    progress: Callable[[Progress], None] = field(default=lambda _: None)
    failure: Callable[[Failure], None] = field(default=lambda _: None)
    waiting: Callable[[str], None] = field(default=lambda _: None)
    stop_requested: Callable[[], bool] = field(default=lambda: False)
    resumed_by: Command | None = None

    def show_activity(self, activity: Activity) -> None:
        """Send what the holder of a lease is doing to `progress`."""
        self.progress(
            Progress(activity.stage, 0, activity.done, activity.total, 0, activity.unit, is_transient=True)
        )


T = TypeVar("T")


def no_client() -> AbstractContextManager[Any]:
    """Raise ConfigurationError: functions of migration files cannot be called."""
    raise ConfigurationError("Functions of migration files need a client, and none was given.")


@dataclass(frozen=True, slots=True)
class Context:
    """The dependencies of an operation.

    Attributes:
        transformation: the data migration.
        token: unique for this run; it becomes the fencing token.
        clock: monotonic, in seconds.
        is_gone: whether the process of a lease holder has certainly ended.
        client: opens a client of the server for the functions of a migration file.
    """

    transformation: Transformation
    holder: Holder
    token: str
    clock: Callable[[], float]
    monitor: Monitor = field(default_factory=Monitor)
    is_gone: Callable[[Holder], bool] = is_gone
    client: Callable[[], AbstractContextManager[Any]] = no_client

    @property
    def keys(self) -> StateKeys:
        """The keys of the migration on the server."""
        return StateKeys(self.transformation.migration_id)

    def resumed_by(self, command: Command) -> "Context":
        """Return the context of an operation that a command resumes, unless its monitor has the typed command."""
        if self.monitor.resumed_by is not None:
            return self
        return replace(self, monitor=replace(self.monitor, resumed_by=command))

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
