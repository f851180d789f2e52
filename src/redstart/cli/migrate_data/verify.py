"""`om migrate-data verify` and `errors`: what is wrong, and what a run could not convert."""

from collections.abc import Sequence
from pathlib import Path

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME
from redstart.cli.migrate_data.event_log import event_log, log_file
from redstart.cli.migrate_data.reports import shown_problem, verify_report
from redstart.cli.model_warnings import find_unmanaged, note_undeclared, note_unknown_fields, note_unmanaged
from redstart.cli.options import Settings, batch_size, common, exclude_prefix, verbose
from redstart.cli.output import Tone, counted, line, print_json, warn
from redstart.cli.progress import progress_display
from redstart.cli.redis_om_files import draw_files, files_report, look, migrations_dir, module
from redstart.cli.session import Session, note_unused_exclusions, open_session
from redstart.cli.tables import next_step, pairs, table
from redstart.cli.value_tables import draw_nothing_found, summary_of
from redstart.migrations.context import Monitor
from redstart.migrations.data.record import is_recorded_without_state, read_record
from redstart.migrations.failure import Failure, FailureSummary, Fate
from redstart.migrations.files.declarations import DATA
from redstart.migrations.indexes.coverage import IndexCheck
from redstart.migrations.model_check import REQUIRED
from redstart.migrations.outcomes import (
    POSSIBLE_CAUSES,
    RECORD_HERE,
    RESTORE_STATE,
    VerificationResult,
    recorded_elsewhere,
)
from redstart.migrations.phase import CONVERT
from redstart.migrations.transformation import Classification
from redstart.next_steps import Command, Hint

MAX_PROBLEMS = 20
"""Problems that are listed without --verbose."""
MIN_FAILURES_TO_SUM = 2
FATES = {Fate.UNCHANGED: "", Fate.REPLACED: "; replaced by 0.0", Fate.QUARANTINED: "; quarantined"}
UNREADABLE = (
    "Correct these documents or their models. Until then get() and all() raise DocumentDecodeError for them."
)


@click.command()
@click.option(
    "--check-data",
    is_flag=True,
    help="Also convert every original in the undo log again, and load every document through its model.",
)
@migrations_dir(DATA)
@module
@batch_size
@log_file
@verbose
@exclude_prefix
@common
def verify(
    settings: Settings,
    check_data: bool,
    migrations_dir: Path | None,
    module: str | None,
    batch_size: int,
    log_file: Path | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Read every value again and, after the cutover, look up every document in its index.

    Exits with 3 if no run has converted the data yet, or a run was interrupted; with 6 if a value is missing, wrong
    or unconverted. Recorded failures are not problems, unless --check-data finds documents that their model cannot
    read. Data migration files of redis-om are listed; pending ones are not problems. Writes nothing.
    """
    with open_session(settings) as session, event_log(log_file, "verify", session) as log:
        with progress_display(every_step=verbose) as show:
            migration = session.migration(log.watching(Monitor(progress=show)))
            found = session.run(migration.verify(check_data=check_data, batch_size=batch_size))
        note_unused_exclusions(session)
        if _is_recorded_elsewhere(session):
            recorded = recorded_elsewhere(session.keys.migration_id)
            warn(Hint(f"{recorded} {POSSIBLE_CAUSES} {RESTORE_STATE} ", RECORD_HERE))
        note_unmanaged(find_unmanaged(session))
        if found.models is None:
            note_unknown_fields(session)
        else:
            note_undeclared(session.declarations, found.models.undeclared)
        files = look(session, DATA, migrations_dir, module)
        report = verify_report(found) | {"files": files_report(files)}
        code = EXIT_OF_OUTCOME[found.outcome]
        log.ended(report, code)
    if as_json:
        print_json(report)
    else:
        if not report["documents"]:
            draw_nothing_found(session.plan.models)
        _draw(found, verbose)
        draw_files(files)
    return code


def _draw(result: VerificationResult, verbose: bool) -> None:
    found, journal, model_check = result.data, result.undo_log, result.models
    total = found.tally.total
    unconverted = found.unconverted
    count = found.problems.count
    if result.is_pending:
        line(f"The data is not converted yet ({counted(unconverted, 'value')}).", Tone.WARNING)
        if found.is_interrupted:
            next_step("Resume with", found.resume_command or CONVERT)
        else:
            next_step("Convert with", CONVERT)
    elif result.is_ok:
        recorded = found.recorded_failures
        but = f", except {recorded:,} recorded failed value{'s' * (recorded != 1)}" if recorded else ""
        line(f"Verification passed: no value is missing, wrong or unconverted{but}.", Tone.DONE)
    else:
        line(f"Verification found {count:,} problem{'s' * (count != 1)}.", Tone.ERROR)
    rows: list[tuple[str, int]] = [
        ("values in numeric format", total(Classification.ALREADY)),
        ("  of which rounded by the run", found.lossy),
        ("values in text format", unconverted),
        ("values null", total(Classification.NULL)),
        ("values failed and recorded", found.recorded_failures),
        ("values failed and not recorded", total(Classification.UNCONVERTIBLE) - found.recorded_failures),
    ]
    if model_check is not None:
        rows.append(("documents loaded through models", model_check.read))
        rows.append(("documents that models cannot read", model_check.unreadable))
    if journal is not None:
        rows.append(("undo log: values unchanged since the run", journal.as_written))
        rows.append(("undo log: values changed since the run", journal.changed_since))
        rows.append(("undo log: documents deleted since the run", journal.deleted.total()))
    pairs([("documents", found.tally.total_documents), *(row for row in rows if row[1])])
    for model in found.unnamed:
        line(
            f"{model.name} ({model.key_prefix}) was converted and is not in --models: its values are read as the run "
            "recorded them"
        )
    for check in result.indexes:
        if check.serves:
            line(f"{check.name}: {looked_up(check)}")
    if verbose or not result.is_pending:
        _draw_problems(result, verbose)


def _draw_problems(result: VerificationResult, verbose: bool) -> None:
    """Print problems by reason, the first of them, and what to do about them."""
    found, model_check = result.data, result.models
    problems = [shown_problem(problem) for problem in found.problems.first]
    count = found.problems.count
    _draw_reasons("Problems by reason", problems, count)
    for problem in problems if verbose else problems[:MAX_PROBLEMS]:
        line(f"problem: {problem}")
    if not verbose and count > MAX_PROBLEMS:
        listed = "all" if len(problems) == count else f"the first {len(problems):,}"
        line(f"... and {count - MAX_PROBLEMS:,} more; --verbose lists {listed}")
    if found.unconverted and not result.is_pending:
        next_step("Convert values in text format with", Command("migrate-data run"))
    if model_check is not None and model_check.unreadable:
        line(UNREADABLE)
    if any(problem.reason == REQUIRED for problem in problems):
        next_step("List quarantined values with", Command("migrate-data errors"))


def _is_recorded_elsewhere(session: Session) -> bool:
    record = session.run(read_record(session.keys))
    return session.run(is_recorded_without_state(session.keys, record))


def looked_up(check: IndexCheck) -> str:
    """Return how many documents of an index were looked up, and how many are missing from it."""
    if check.has_filter:
        return "not checked, because the index has a FILTER"
    if not check.missing:
        return f"{counted(check.documents, 'document')} checked, none is missing from the index"
    text = f"{check.missing:,} of {counted(check.documents, 'document')} missing from the index"
    if check.accepted >= check.missing:
        return f"{text}, as accepted at the cutover (--accept-unindexed): queries do not return them"
    if check.accepted:
        text += f", {check.accepted:,} of them accepted at the cutover (--accept-unindexed)"
    return f"{text}: queries do not return them"


def _draw_reasons(title: str, failures: Sequence[Failure], count: int) -> None:
    """Print how many failures have each reason, the most frequent first; nothing for a single failure.

    Args:
        count: all failures, of which more may exist than are given.
    """
    if len(failures) < MIN_FAILURES_TO_SUM:
        return
    summary = FailureSummary(failures)
    rows = [(f"{group.cause}{FATES[fate]}", group.count) for fate in FATES for group in summary.groups(fate)]
    if count > len(failures):
        title = f"{title} (the first {len(failures):,} of {count:,})"
    table(title, ["reason", "count"], rows)


@click.command()
@common
def errors(settings: Settings, as_json: bool) -> None:
    """List failed values with key, field, reason and whole value.

    The list contains values that the last run could not convert, values that a run has replaced or quarantined, and
    originals that a rollback could not restore. Writes nothing.
    """
    with open_session(settings, needs_models=False) as session:
        found = session.run(session.migration().failures())
    if as_json:
        listed = [failure.as_dict() for failure in found.listed]
        print_json({"errors": listed, "count": found.count})
        return
    if not found.count:
        line("No failed values are recorded.")
        return
    line(f"{summary_of(found)}.")
    _draw_reasons("Values by reason", found.listed, found.count)
    for failure in found.listed:
        line(failure.whole())
