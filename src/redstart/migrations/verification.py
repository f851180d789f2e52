"""Verification: the values, the undo log, the models and the indexes of a data migration together."""

from collections.abc import Sequence
from dataclasses import dataclass

from redstart.effects import Op
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.context import Context
from redstart.migrations.data.checkpoint import load_checkpoint
from redstart.migrations.data.failures import failure_at
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.record import read_record
from redstart.migrations.data.verify import Problems, Verification, verify, verify_journal
from redstart.migrations.indexes.coverage import IndexCheck, verify_indexes
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.status import absent_indexes
from redstart.migrations.model_check import ModelCheck
from redstart.migrations.outcomes import VerificationResult
from redstart.next_steps import Command, Hint
from redstart.values.timezones import NaiveTimezone

NO_SUCH_INDEX = Hint("there is no index of this name; see ", Command("migrate status"))
"""A problem that a verification reports."""


@dataclass(frozen=True, slots=True)
class ModelReading:
    """Models that read every document as a whole, and the zone in which they read values without an offset."""

    declarations: Sequence[ModelDeclaration]
    naive_timezone: NaiveTimezone


def verify_all(
    context: Context,
    plan: Plan,
    planned: Sequence[PlannedIndex],
    models: ModelReading | None,
    *,
    batch_documents: int,
) -> Op[VerificationResult]:
    """Read every value again, and look up every document in its index if that is cut over. Reads only.

    Args:
        planned: the indexes of the models.
        models: given to read every document through its model, too, and to convert every original in the undo log
            again.
    """
    recorded = (yield from read_record(context.keys)).plan
    check = None
    if models is not None:
        check = ModelCheck(models.declarations, models.naive_timezone, context.transformation, recorded)
    checks = [] if check is None else [check]
    values = yield from verify(context, plan, checks=checks, batch_documents=batch_documents)
    undo_log = None
    if check is not None:
        check.report_unnamed(values.problems)
        recorded = (yield from read_record(context.keys)).plan
        if recorded is not None:
            undo_log = yield from verify_journal(context, recorded, values.problems)
    yield from _find_disappeared(context, plan, values, [] if undo_log is None else undo_log.gone)
    indexes = yield from _verify_indexes(planned, values.problems)
    return VerificationResult(values, undo_log, check, indexes)


def _find_disappeared(context: Context, plan: Plan, found: Verification, reported: Sequence[str]) -> Op[None]:
    """Report models that had documents in a run and have none now. Two reads.

    Args:
        reported: key prefixes of models that are reported already.
    """
    record = yield from read_record(context.keys)
    checkpoint = yield from load_checkpoint(context.keys)
    surveyed = {} if checkpoint is None else checkpoint.surveyed
    for prefix in (model.key_prefix for model in plan.models):
        count = record.applied[prefix].documents if prefix in record.applied else 0
        count = max(count, surveyed.get(prefix, 0))
        if count and not found.tally.documents[prefix] and prefix not in reported:
            reason = f"all documents have disappeared since the run: {count:,}"
            found.problems.add(failure_at(f"{prefix}*".encode(), "", b"", reason))


def _verify_indexes(planned: Sequence[PlannedIndex], problems: Problems) -> Op[list[IndexCheck]]:
    checks = yield from verify_indexes(planned, (yield from absent_indexes(planned)))
    for check in checks:
        if not check.serves:
            problems.add(failure_at(check.name.encode(), "", b"", str(NO_SUCH_INDEX)))
            continue
        for key in check.examples[: check.problems]:
            problems.add(failure_at(key, "", b"", f"not in the index {check.name}"))
        problems.count += max(0, check.problems - len(check.examples))
    return checks
