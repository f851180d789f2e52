"""Verification: every planned value is read and judged anew; nothing is estimated and nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from redstart.effects import Op
from redstart.migrations.data.context import Context
from redstart.migrations.data.convert import Outcome
from redstart.migrations.data.failures import Failure, FailureLog, failure_of
from redstart.migrations.data.monitor import Monitor
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.record import read_record
from redstart.migrations.data.survey import survey
from redstart.migrations.data.tally import Tally
from redstart.migrations.data.transform import JudgedDocument

MOST_PROBLEMS = 1_000
"""Kept for showing; all are counted."""


@dataclass(slots=True)
class Problems:
    """What is wrong: the first of it, and how much in all."""

    first: list[Failure] = field(default_factory=list)
    count: int = 0

    def add(self, problem: Failure) -> None:
        """Add one."""
        self.count += 1
        if len(self.first) < MOST_PROBLEMS:
            self.first.append(problem)


class PageCheck(Protocol):
    """Another look at each page of a verification."""

    def visit(self, page: Sequence[JudgedDocument], problems: Problems) -> Op[None]:
        """Add what is wrong with the page's documents."""
        ...


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    Attributes:
        tally: values by outcome as they stand; `lossy` those that were rounded when they were converted.
        problems: values still in the old form, and values that will not convert without a record of it.
        recorded_failures: values that will not convert, and are on record.
    """

    tally: Tally
    lossy: int
    problems: Problems
    recorded_failures: int

    @property
    def ok(self) -> bool:
        """Whether nothing is lost, wrong or unconverted."""
        return self.problems.count == 0


def verify(
    context: Context, plan: Plan, *, batch_documents: int = 1_000, checks: Sequence[PageCheck] = ()
) -> Op[Verification]:
    """Read every planned value.

    Effects: reads only; a few round trips for each page of `batch_documents`.
    """
    log = FailureLog(context.keys)
    problems = Problems()
    recorded = 0

    def visit(page: list[JudgedDocument]) -> Op[None]:
        nonlocal recorded
        for document, items in page:
            for value, verdict in items:
                if verdict.new is not None:
                    problems.add(failure_of(document, value, "still in the old form"))
        failures = [
            failure_of(document, value, verdict.reason or "")
            for document, items in page
            for value, verdict in items
            if verdict.outcome is Outcome.UNCONVERTIBLE
        ]
        unknown = yield from log.unknown(failures)
        recorded += len(failures) - len(unknown)
        for failure in unknown:
            problems.add(
                Failure(failure.key, failure.path, failure.value, f"{failure.reason}; not on record")
            )
        for check in checks:
            yield from check.visit(page, problems)

    found = yield from survey(
        plan,
        context.naive_timezone,
        batch_documents=batch_documents,
        monitor=_without_failures(context.monitor),
        stage="verifying",
        visit=visit,
    )
    record = yield from read_record(context.keys)
    return Verification(found.tally, record.lossy, problems, recorded)


def _without_failures(monitor: Monitor) -> Monitor:
    return Monitor(progress=monitor.progress)
