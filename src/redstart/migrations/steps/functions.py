"""Call the functions of RunPython, step by step, and record each step. What they do is outside the undo log."""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction

from redstart.display import shortened
from redstart.effects import Op, invoke
from redstart.errors import MigrationStateError, UnsupportedOperationError
from redstart.migrations.context import Context, Progress
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.migrations.operations.functions import Function, RunPython
from redstart.migrations.steps.record import BEGUN, DONE, StepRecord, mark, read_steps, unmark

STEP_LEASE_MS = 3_600_000
"""How long the lease is kept during a step: a function cannot renew it."""


@dataclass(frozen=True, slots=True)
class FunctionsResult:
    """The result of the functions of one file.

    Attributes:
        steps: number of steps that were completed by this process.
        stopped: why not all are complete; None if they are.
    """

    steps: int
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The calls of one operation.

    Attributes:
        number: the position of the operation in its file; part of the name of its steps in the record.
    """

    number: int
    operation: RunPython

    def __post_init__(self) -> None:
        for function in (self.operation.up, self.operation.down):
            if iscoroutinefunction(function):
                raise MigrationStateError(
                    f"{function.__name__}() of RunPython is a coroutine function, which is not supported.",
                    "Declare it with def. Inside it, asyncio.run() can call coroutines.",
                )

    def steps(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return for each step its field in the record, and the arguments after the client."""
        names = self.operation.steps
        if not names:
            return [(f"function:{self.number}", ())]
        return [(f"function:{self.number}:{name}", (name,)) for name in names]


def call_up(context: Context, calls: Sequence[FunctionCall]) -> Op[FunctionsResult]:
    """Call the functions for each step that is not done.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: those of the functions. A step that was interrupted is called again.
    """

    def work(lease: Lease) -> Op[FunctionsResult]:
        record = yield from read_steps(context.keys)
        done = 0
        for call in calls:
            for field, arguments in call.steps():
                if record.fields.get(field) == DONE:
                    continue
                yield from lease.commit([mark(context.keys, field, BEGUN)])
                stopped = yield from _call(context, lease, call.operation.up, arguments)
                if stopped is not None:
                    return FunctionsResult(done, stopped)
                yield from lease.commit([mark(context.keys, field, DONE)])
                done += 1
        return FunctionsResult(done)

    return (yield from context.under_lease(work))


def call_down(context: Context, calls: Sequence[FunctionCall]) -> Op[FunctionsResult]:
    """Undo each step that was started, the last one first.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: those of the functions. A step that was interrupted is called again.
    """

    def work(lease: Lease) -> Op[FunctionsResult]:
        record = yield from read_steps(context.keys)
        require_undoable(calls, record)
        done = 0
        for call in reversed(calls):
            for field, arguments in reversed(call.steps()):
                if field not in record.fields or call.operation.down is None:
                    continue
                stopped = yield from _call(context, lease, call.operation.down, arguments)
                if stopped is not None:
                    return FunctionsResult(done, stopped)
                yield from lease.commit([unmark(context.keys, field)])
                done += 1
        return FunctionsResult(done)

    return (yield from context.under_lease(work))


def require_undoable(calls: Sequence[FunctionCall], record: StepRecord) -> None:
    """Raise UnsupportedOperationError if a function was called that nothing undoes."""
    for call in calls:
        if call.operation.down is None and any(field in record.fields for field, _ in call.steps()):
            raise UnsupportedOperationError(
                f"The migration cannot be rolled back: RunPython has called {call.operation.up.__name__}(), which has "
                "no inverse. Nothing was changed.",
                "Give RunPython a function `down` in the file.",
            )


def _call(context: Context, lease: Lease, function: Function, arguments: tuple[str, ...]) -> Op[str | None]:
    """Call a function. Return why it failed; None if it did not."""
    name = f"{function.__name__}({', '.join(map(repr, arguments))})"
    if context.monitor.stop_requested():
        return f"interrupted before {name}"
    yield from lease.keep(Activity(f"calling {name}", unit="steps"))
    context.monitor.progress(Progress(f"calling {name}", 0, 0, 0, 0, unit="steps"))
    yield from lease.commit([["PEXPIRE", context.keys.lease.lease, STEP_LEASE_MS]])

    def attempt() -> BaseException | None:
        try:
            with context.client() as client:
                _ = function(client, *arguments)
        except BaseException as error:  # noqa: BLE001 - it is not known what it raises, nor in which thread
            return error
        return None

    error = yield from invoke(attempt)
    if error is None:
        return None
    if not isinstance(error, Exception):
        raise error
    return f"{name} raised {type(error).__name__}: {shortened(str(error))}"
