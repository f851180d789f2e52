"""`om migrate-data verify` and `errors`: what is wrong, and what a run could not convert."""

from collections.abc import Sequence
from pathlib import Path

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.migrate_data.event_log import event_log, log_file
from redstart.cli.migrate_data.failed_values import recorded_failures
from redstart.cli.migrate_data.reports import verify_report
from redstart.cli.migrate_data.tables import draw_nothing_found
from redstart.cli.model_warnings import find_unclaimed, note_unclaimed, note_undeclared, note_unknown_fields
from redstart.cli.options import Settings, batch_size, common, exclude_prefix, verbose
from redstart.cli.output import Tone, as_typed, counted, line, print_json
from redstart.cli.progress import progress_display
from redstart.cli.session import Session, open_session
from redstart.cli.tables import next_step, pairs, table
from redstart.migrations.context import Monitor
from redstart.migrations.data.failures import failure_at
from redstart.migrations.data.record import read_record
from redstart.migrations.data.verify import JournalCheck, Problems, Verification, verify_journal
from redstart.migrations.data.verify import verify as verify_everything
from redstart.migrations.failure import Failure, FailureSummary, Fate
from redstart.migrations.indexes.coverage import IndexCheck, verify_indexes
from redstart.migrations.key_ownership import require_same_types
from redstart.migrations.model_check import ModelCheck
from redstart.migrations.transformation import Outcome

MAX_PROBLEMS = 20
"""Problems that are listed without --verbose."""
MIN_FAILURES_TO_SUM = 2
FATES = {Fate.UNCHANGED: "", Fate.REPLACED: "; replaced by 0.0", Fate.QUARANTINED: "; quarantined"}
UNREADABLE = (
    "Correct these documents or their models: get() and all() raise DocumentDecodeError for these documents."
)


@click.command()
@click.option(
    "--check-data",
    is_flag=True,
    help="Also convert every original in the undo log again, and load every document through its model.",
)
@batch_size
@log_file
@verbose
@exclude_prefix
@common
def verify(
    settings: Settings,
    check_data: bool,
    batch_size: int,
    log_file: Path | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Read every value again, and look up every document in its index if that is cut over. Exits with 6 if a value is
    missing, wrong or unconverted. Recorded failures are not problems, unless --check-data finds documents that their
    model cannot read. Writes nothing."""
    with open_session(settings) as session, event_log(log_file, "verify", session) as log:
        session.require_intact()
        session.adopt_recorded_exclusions()
        require_same_types(session.plan)
        note_unclaimed(find_unclaimed(session))
        with progress_display(every_step=verbose) as show:
            monitor = log.watching(Monitor(progress=show))
            found, journal, model_check = _verify(session, monitor, check_data, batch_size)
            indexes = _verify_indexes(session, found.problems)
        if model_check is None:
            note_unknown_fields(session)
        else:
            note_undeclared(session.declarations, model_check.undeclared)
        report = verify_report(found, journal, model_check, indexes)
        code = Exit.DONE if found.ok else Exit.PROBLEMS_FOUND
        log.ended(report, code)
    if as_json:
        print_json(report)
    else:
        if not report["documents"]:
            draw_nothing_found(session.plan.models)
        _draw(found, journal, model_check, indexes, verbose)
    return code


def _verify(
    session: Session, monitor: Monitor, check_data: bool, batch_size: int
) -> tuple[Verification, JournalCheck | None, ModelCheck | None]:
    context = session.context(monitor)
    model_check = None
    if check_data:
        recorded = session.run(read_record(session.keys)).plan
        model_check = ModelCheck(
            session.declarations, session.naive_timezone, session.transformation, recorded
        )
    checks = [model_check] if model_check else []
    found = session.run(verify_everything(context, session.plan, checks=checks, batch_documents=batch_size))
    if model_check is not None:
        model_check.report_unnamed(found.problems)
    journal = _verify_journal(session, monitor, found.problems) if check_data else None
    return found, journal, model_check


def _verify_journal(session: Session, monitor: Monitor, problems: Problems) -> JournalCheck | None:
    record = session.run(read_record(session.keys))
    if record.plan is None:
        return None
    return session.run(verify_journal(session.context(monitor), record.plan, problems))


def _verify_indexes(session: Session, problems: Problems) -> list[IndexCheck]:
    checks = session.run(verify_indexes(session.planned_indexes()))
    for check in checks:
        if not check.serves:
            problems.add(
                failure_at(
                    check.name.encode(),
                    "",
                    b"",
                    as_typed("there is no index of this name; see om migrate status"),
                )
            )
        for key in check.examples[: check.problems] if check.serves else ():
            problems.add(failure_at(key, "", b"", f"not in the index {check.name}"))
        problems.count += max(0, check.problems - len(check.examples)) if check.serves else 0
    return checks


def _draw(
    found: Verification,
    journal: JournalCheck | None,
    model_check: ModelCheck | None,
    indexes: Sequence[IndexCheck],
    verbose: bool,
) -> None:
    total = found.tally.total
    unconverted = total(Outcome.CONVERTIBLE) + total(Outcome.LOSSY)
    count = found.problems.count
    if found.ok:
        recorded = found.recorded_failures
        but = f", except {recorded:,} recorded failed value{'s' * (recorded != 1)}" if recorded else ""
        line(f"Verification passed: no value is missing, wrong or unconverted{but}.", Tone.DONE)
    else:
        line(f"Verification found {count:,} problem{'s' * (count != 1)}.", Tone.ERROR)
    rows: list[tuple[str, int]] = [
        ("values in numeric format", total(Outcome.ALREADY)),
        ("  of which rounded by the run", found.lossy),
        ("values in text format", unconverted),
        ("values null", total(Outcome.NULL)),
        ("values failed and recorded", found.recorded_failures),
        ("values failed and not recorded", total(Outcome.UNCONVERTIBLE) - found.recorded_failures),
    ]
    if model_check is not None:
        rows.append(("documents loaded through models", model_check.read))
        rows.append(("documents not loadable", model_check.unreadable))
    if journal is not None:
        rows.append(("undo log: values unchanged since the run", journal.as_written))
        rows.append(("undo log: values changed since the run", journal.changed_since))
        rows.append(("undo log: documents deleted since the run", journal.deleted.total()))
    pairs([("documents", found.tally.total_documents), *(row for row in rows if row[1])])
    for model in found.unnamed:
        line(f"{model.name} ({model.key_prefix}) is recorded and not given: its values are read as recorded")
    for check in indexes:
        if check.serves:
            line(f"{check.name}: {looked_up(check)}")
    _draw_reasons("Problems by reason", found.problems.first, count)
    for problem in found.problems.first if verbose else found.problems.first[:MAX_PROBLEMS]:
        line(f"problem: {problem}")
    if not verbose and count > MAX_PROBLEMS:
        line(
            f"... and {count - MAX_PROBLEMS:,} more; --verbose lists {min(count, len(found.problems.first)):,} of them"
        )
    if unconverted:
        next_step("Convert values in text format with", "om migrate-data run")
    if model_check is not None and model_check.unreadable:
        line(UNREADABLE)


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
    """List failed values with key, field, reason and whole value: those that the last run could not convert, those that
    a run has replaced or quarantined, and originals that a rollback could not restore. Writes nothing."""
    with open_session(settings, needs_models=False) as session:
        session.require_intact()
        found = recorded_failures(session)
    if as_json:
        listed = [failure.as_dict() for failure in found.listed]
        print_json({"errors": listed, "count": found.count})
        return
    if not found.count:
        line("No failed values are recorded.")
        return
    line(f"{found}.")
    _draw_reasons("Failed values by reason", found.listed, found.count)
    for failure in found.listed:
        line(failure.whole())
