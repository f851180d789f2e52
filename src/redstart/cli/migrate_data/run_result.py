"""The result of a run, as text."""

from redstart.cli.index_report import draw_absent, draw_results, indexes_are
from redstart.cli.migrate_data.reports import rate_of
from redstart.cli.output import SHOWN_SECONDS, Tone, duration, line, note, warn
from redstart.cli.phase_guidance import draw_phase
from redstart.cli.tables import next_step, pairs
from redstart.cli.value_tables import (
    CHECK_PREFIXES,
    count_rows,
    draw_failures,
    draw_failures_hint,
    nothing_found_message,
)
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.page_converter import AT_FAILURE
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.results import RunResult
from redstart.migrations.failure import FailureSummary, Fate
from redstart.migrations.indexes.expand import IndexOutcome
from redstart.migrations.phase import MigrationPhase
from redstart.migrations.run_results import MigrationResult, after_disappearance, unmatched_message
from redstart.next_steps import Command


def draw_result(
    found: MigrationResult,
    plan: Plan,
    *,
    resume_command: Command,
    verbose: bool,
) -> None:
    """Print the outcome, the counts, the failures by reason, the indexes, and the next steps.

    Args:
        resume_command: what continues a stopped run.
    """
    failures, failure_mode = found.failures, found.failure_mode
    outcome, tone = _outcome(found, plan)
    line(outcome, tone)
    result = found.data
    if result is None:
        line("Correct or delete the documents listed below; then run the same command again.")
    else:
        if result.stopped is None and not result.documents:
            line(CHECK_PREFIXES)
        else:
            _draw_counts(result, failures)
            _warn_of_unmatched(result)
        _draw_failed(result, failures, failure_mode)
    if any(one.outcome is not IndexOutcome.UP_TO_DATE or one.repaired for one in found.indexes) or verbose:
        line("")
    draw_results(found.indexes, found.blocking, plan, verbose=verbose, failure_mode=failure_mode)
    if result is None:
        return
    draw_absent(found.absent)
    if result.disappeared:
        line(after_disappearance(resume_command))
        return
    if result.stopped is not None:
        _draw_resume_hint(result.stopped, resume_command)
        return
    line("")
    if not found.refused:
        draw_phase(MigrationPhase.CUT_OVER if found.indexes else MigrationPhase.CONVERTED)
    if result.documents:
        _draw_verify_hint(result, failures)
    _draw_rollback_hint(result)


def _outcome(found: MigrationResult, plan: Plan) -> tuple[str, Tone]:
    """Return the outcome of the whole command."""
    if found.data is None:
        return "Nothing was converted: the dual-format index would drop documents.", Tone.WARNING
    if found.data.stopped is not None:
        tone = Tone.ERROR if found.data.disappeared else Tone.WARNING
        return f"Conversion stopped: {found.data.stopped}.", tone
    refused = sum(one.outcome is IndexOutcome.REFUSED for one in found.indexes)
    if refused:
        indexes = "1 index" if refused == 1 else f"{refused} indexes"
        return f"Conversion complete; cutover refused for {indexes}.", Tone.WARNING
    if not found.data.documents:
        return _nothing_converted(plan), Tone.WARNING
    if found.absent:
        return f"Conversion complete; {indexes_are(len(found.absent), 'absent')}.", Tone.WARNING
    return "Conversion complete." if _is_changed(found) else "Nothing to convert.", Tone.DONE


def _is_changed(found: MigrationResult) -> bool:
    """Return whether a complete run has changed a document or an index, or recorded a failure."""
    result = found.data
    return (
        result is None
        or bool(result.converted or result.cleared or result.errors)
        or any(one.outcome is not IndexOutcome.UP_TO_DATE or one.repaired for one in found.indexes)
    )


def _nothing_converted(plan: Plan) -> str:
    """Return the outcome of a run without documents. It is recorded: a new deployment begins with an empty database."""
    if not plan.models:
        return f"Conversion complete. {nothing_found_message(plan.models)}"
    prefixes = ", ".join(model.key_prefix for model in plan.models)
    return f"No documents found under {prefixes}. Nothing was converted; the models of this database are applied."


def _warn_of_unmatched(result: RunResult) -> None:
    """Warn of models without documents, if others have some."""
    if result.unmatched:
        warn(unmatched_message(result.unmatched))
        note(CHECK_PREFIXES)


def _draw_counts(result: RunResult, failures: FailureSummary) -> None:
    """Print a table in which each value is in one row. For a stopped run, only processed values."""
    is_complete = result.stopped is None
    rows = count_rows(
        rounded=result.lossy,
        numeric=result.already_converted if is_complete else 0,
        null=result.null if is_complete else 0,
        failed=result.errors,
        failures=failures,
    )
    if result.cleared:
        rows.append(("empty strings removed", result.cleared))
    if result.missing:
        rows.append(("documents gone since the initial scan", result.missing))
    if result.conflicts_retried:
        rows.append(("conflicts retried", result.conflicts_retried))
    rate = rate_of(result)
    elapsed = duration(result.seconds) + ("" if rate is None else f" ({rate:,.0f} documents/s)")
    pairs(
        [
            ("documents scanned" + _in_pass(result), result.documents),
            ("values converted", result.converted - result.lossy),
            *rows,
            *([("elapsed", elapsed)] if result.seconds >= SHOWN_SECONDS else []),
        ]
    )


def _in_pass(result: RunResult) -> str:
    return f" in pass {result.passes}" if result.stopped is not None and result.passes > 1 else ""


def _draw_failed(result: RunResult, failures: FailureSummary, failure_mode: FailureMode) -> None:
    if not result.errors:
        return
    if failure_mode is not FailureMode.SKIP:
        line("")
        draw_failures(failures)
        if result.errors > failures.count:
            line(f"  ... {result.errors - failures.count:,} more, which are counted but not recorded")
    draw_failures_hint()


def _draw_verify_hint(result: RunResult, failures: FailureSummary) -> None:
    next_step("Verify the result with", Command("migrate-data verify", "--check-data"))
    if failures.fates[Fate.QUARANTINED]:
        line(
            "  It also reports documents with a quarantined value in a field that does not allow None, which models "
            "cannot read."
        )
    elif result.errors > failures.fates[Fate.REPLACED]:
        line("  It also reports documents with failed values, which models cannot read.")


def _draw_rollback_hint(result: RunResult) -> None:
    if result.without_undo_log:
        line(
            f"{result.without_undo_log:,} values were converted before the undo log was dropped, and cannot be undone."
        )
    if result.undoable:
        what = "Undo the rest with" if result.without_undo_log else "Undo the conversion with"
        next_step(what, Command("migrate-data rollback", DATETIME_MIGRATION))


def _draw_resume_hint(stopped: str, resume_command: Command) -> None:
    if not stopped.startswith(AT_FAILURE):
        next_step("Progress is saved. Resume with", resume_command)
        return
    next_step("Progress is saved. Correct this value and resume with", resume_command)
    next_step(
        "Or leave failed values unchanged and resume with",
        resume_command.without("--failure-mode", FailureMode.FAIL),
    )
