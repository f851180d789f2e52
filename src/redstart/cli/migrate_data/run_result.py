"""What became of a run, in words."""

from redstart.cli.deployment import draw_order
from redstart.cli.drawing import pairs
from redstart.cli.indexes import draw_results
from redstart.cli.migrate_data.run_report import rate_of
from redstart.cli.migrate_data.tables import CHECK_PREFIXES, draw_nothing_found
from redstart.cli.output import as_typed, line, note
from redstart.cli.quantities import duration
from redstart.migrations.data.converting.runner import RunResult
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.planned.plan import Plan
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.running.status import Phase
from redstart.migrations.forward import Forward
from redstart.migrations.outcomes import unmatched_message


def draw_forward(found: Forward, plan: Plan, failure_mode: FailureMode, *, verbose: bool) -> None:
    """What became of the data and of each index, and what comes next."""
    if found.data is None:
        line("Nothing was converted: an index that takes dates in both forms would lose documents.")
        line("Correct or delete these documents; then run the same command again.")
    else:
        _draw_unmatched(found.data, plan)
        _draw_data(found.data, failure_mode)
    draw_results(found.indexes, found.blocking, verbose=verbose)
    if found.data is None or found.data.stopped is not None:
        return
    draw_order(Phase.CUT_OVER if found.indexes else Phase.CONVERTED, cut_over_to_come=found.refused)
    line(as_typed("Check it with: om migrate-data verify --check-data"))
    _draw_way_back(found.data)


def _draw_unmatched(result: RunResult, plan: Plan) -> None:
    """Models without documents: first where no model has any, as a warning where others have."""
    if result.stopped is None and not result.documents:
        draw_nothing_found(plan.models)
    elif result.unmatched:
        note(f"Warning: {unmatched_message(result.unmatched)}")
        note(CHECK_PREFIXES)


def _draw_way_back(result: RunResult) -> None:
    if result.forgotten:
        line(
            f"{result.forgotten:,} values were converted before the undo log was dropped: they stay as they are."
        )
    if result.undoable:
        what = "what came after" if result.forgotten else "it"
        line(as_typed(f"Undo {what} with: om migrate-data rollback {DATETIME_MIGRATION}"))


def _draw_data(result: RunResult, failure_mode: FailureMode) -> None:
    rate = rate_of(result)
    line("Completed." if result.stopped is None else f"Stopped: {result.stopped}.")
    of_all = "" if result.stopped is None else " (of all, by the census)"
    pairs(
        [
            (
                "documents" if result.stopped is None else f"documents met in pass {result.passes}",
                result.documents,
            ),
            ("values converted", result.converted),
            (f"already numbers{of_all}", result.already_converted),
            (f"null{of_all}", result.null),
            ("lossy", result.lossy),
            ("not converted", result.errors),
            ("conflicts retried", result.conflicts_retried),
            ("time", duration(result.seconds) + ("" if rate is None else f", {rate:,.0f} documents/s")),
        ]
    )
    if result.stopped is not None:
        line(as_typed(f"The progress is saved. Go on with: om migrate-data run{_to_repeat(failure_mode)}"))
        return
    if result.errors:
        line(as_typed("See what did not convert with: om migrate-data errors"))


def _to_repeat(failure_mode: FailureMode) -> str:
    """The option without which the rest would be treated otherwise than what is done; fail would stop again."""
    return (
        ""
        if failure_mode in (FailureMode.LOG_AND_SKIP, FailureMode.FAIL)
        else f" --failure-mode {failure_mode}"
    )
