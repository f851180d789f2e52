"""Verification: every planned value is read and classified again, without estimates and without writes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from redstart.effects import Op
from redstart.migrations.context import Context
from redstart.migrations.data.converter import Outcome
from redstart.migrations.data.edit_builder import JudgedDocument
from redstart.migrations.data.failures import Failure, FailureLog, failure_of
from redstart.migrations.data.judging.tally import Tally
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.record import read_record
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.survey import survey
from redstart.migrations.data.unrestored import all_unrestored

MOST_PROBLEMS = 1_000
"""Limit of problems that are kept as examples; all are counted."""


@dataclass(slots=True)
class Problems:
    """The first problems, and their number."""

    first: list[Failure] = field(default_factory=list)
    count: int = 0

    def add(self, problem: Failure) -> None:
        """Add one."""
        self.count += 1
        if len(self.first) < MOST_PROBLEMS:
            self.first.append(problem)


class PageCheck(Protocol):
    """An additional check of each page of a verification."""

    def visit(self, page: Sequence[JudgedDocument], problems: Problems) -> Op[None]:
        """Add the problems of the page's documents."""
        ...


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification.

    Attributes:
        tally: current values by outcome; `lossy`: values that were rounded in their conversion.
        problems: values in text format, and failed values that are not recorded.
        unnamed: models that a run has converted and that are not in the plan; their values are checked, too.
        recorded_failures: failed values that are recorded.
    """

    tally: Tally
    lossy: int
    problems: Problems
    recorded_failures: int
    unnamed: list[PlannedModel] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no value is missing, wrong or unconverted."""
        return self.problems.count == 0


class _ValueCheck:
    """Classifies every planned value; a recorded failure does not count as a problem.

    Attributes:
        recorded: failed values that are recorded.
    """

    def __init__(self, log: FailureLog) -> None:
        self.recorded = 0
        self._log = log

    def visit(self, page: Sequence[JudgedDocument], problems: Problems) -> Op[None]:
        """Check the values of a page. One read if there are failed values."""
        failures: list[Failure] = []
        for document, items in page:
            for value, verdict in items:
                if verdict.new is not None:
                    problems.add(failure_of(document, value, "still in text format"))
                elif verdict.outcome is Outcome.UNCONVERTIBLE:
                    failures.append(failure_of(document, value, verdict.reason or ""))
        recorded = yield from self._log.recorded(failures)
        for failure, known in zip(failures, recorded, strict=True):
            if known is not None and known.digest == failure.digest:
                self.recorded += 1
            else:
                why = "not recorded by the run" if known is None else "the run recorded another value"
                problems.add(replace(failure, reason=f"{failure.reason}; {why}"))


def verify(
    context: Context, plan: Plan, *, checks: Sequence[PageCheck] = (), batch_documents: int = 1_000
) -> Op[Verification]:
    """Read every planned value, and every value of the models that are recorded as converted.

    Args:
        batch_documents: keys scanned per batch.

    Effects: reads only; a few round trips for each page of documents.
    """
    record = yield from read_record(context.keys)
    lost = yield from all_unrestored(context.keys)
    unnamed = record.unnamed(plan)
    problems = Problems()
    for failure in (failure for document in lost for failure in document.failures()):
        problems.add(failure)
    values = _ValueCheck(FailureLog(context.keys))

    def visit(page: list[JudgedDocument]) -> Op[None]:
        for check in (values, *checks):
            yield from check.visit(page, problems)

    found = yield from survey(
        Plan((*plan.models, *unnamed), plan.naive_timezone),
        context.naive_timezone,
        batch_documents=batch_documents,
        monitor=Monitor(
            progress=context.monitor.progress
        ),  # never stopped: an incomplete pass verifies nothing
        stage="verifying",
        visit=visit,
    )
    return Verification(found.tally, record.lossy, problems, values.recorded, unnamed)
