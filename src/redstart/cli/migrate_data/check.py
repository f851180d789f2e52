"""Commands that check: verify and errors."""

from collections.abc import Sequence
from pathlib import Path

import click

from redstart.cli.drawing import pairs
from redstart.cli.exits import Exit
from redstart.cli.migrate_data.log_file import event_log, log_file
from redstart.cli.migrate_data.reports import verify_report
from redstart.cli.migrate_data.tables import draw_nothing_found
from redstart.cli.model_fit import find_unclaimed, note_unclaimed, note_undeclared, note_unknown_fields
from redstart.cli.options import batch_size, common, exclude_prefix, verbose
from redstart.cli.output import as_typed, line, note, print_json
from redstart.cli.progress import progress_display
from redstart.cli.session import Session, open_session
from redstart.cli.settings import Settings
from redstart.migrations.data.judging.convert import Outcome
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.state.failures import FailureLog, failure_at
from redstart.migrations.data.state.record import read_record
from redstart.migrations.data.state.unrestored import all_unrestored
from redstart.migrations.data.verifying.verify import Problems, Verification
from redstart.migrations.data.verifying.verify import verify as verify_everything
from redstart.migrations.data.verifying.verify_journal import JournalCheck, verify_journal
from redstart.migrations.data.verifying.verify_models import ModelCheck
from redstart.migrations.indexes.verify import IndexCheck, verify_indexes

PROBLEMS_SAID = 20
UNREADABLE = (
    "Correct the unreadable documents, or their models: get() and all() raise DocumentDecodeError for them."
)


@click.command()
@click.option(
    "--check-data",
    is_flag=True,
    help="Also convert each original in the undo log again, and read every document through its model.",
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
    """Read every value again, and look up every document in its index, if that is cut over. Exits with 6 when something
    is lost, wrong or not converted; values that will not convert and are recorded do not count, unless --check-data
    finds that no model reads their documents. Writes nothing."""
    with open_session(settings) as session, event_log(log_file, "verify", session) as log:
        session.require_intact()
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
        model_check = ModelCheck(session.declarations, session.naive_timezone, recorded)
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
                    as_typed("no index serves under this name; see om migrate status"),
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
    old = total(Outcome.CONVERTIBLE) + total(Outcome.LOSSY)
    rows: list[tuple[str, object]] = [
        ("documents", found.tally.total_documents),
        ("values converted", total(Outcome.ALREADY)),
        ("still in the old form", old),
        ("null", total(Outcome.NULL)),
        ("rounded when converted", found.lossy),
        ("not convertible, on record", found.recorded_failures),
    ]
    if model_check is not None:
        rows.append(("read through their models", model_check.read))
        rows.append(("unreadable", model_check.unreadable))
    if journal is not None:
        rows += [("undoable exactly", journal.as_written), ("changed since", journal.changed_since)]
        if deleted := journal.deleted.total():
            rows.append(("documents deleted since", f"{deleted:,} of {journal.documents.total():,}"))
    pairs(rows)
    for model in found.unnamed:
        line(
            f"recorded, and not named now: {model.name} ({model.key_prefix}): its values are read as recorded"
        )
    for check in indexes:
        accepted = f" ({check.accepted:,} were accepted)" if check.accepted else ""
        looked_up = f"{check.documents:,} documents looked up, {check.missing:,} missing{accepted}"
        line(f"{check.name}: {'it has a FILTER, no document looked up' if check.has_filter else looked_up}")
    for problem in found.problems.first if verbose else found.problems.first[:PROBLEMS_SAID]:
        line(f"problem: {problem}")
    if found.ok:
        line("Verified: nothing is lost, wrong or unconverted.")
    else:
        way_on = " What is still in the old form is converted by: om migrate-data run" if old else ""
        line(as_typed(f"problems: {found.problems.count:,}.{way_on}"))
        if model_check is not None and model_check.unreadable:
            line(UNREADABLE)


@click.command()
@common
def errors(settings: Settings, as_json: bool) -> None:
    """List the values that the last run could not convert, and those that it or an earlier one replaced or moved
    (default, quarantine) and that a rollback brings back; and the originals that the last rollback could not restore,
    whole: key, path, value, reason. Writes nothing."""
    with open_session(settings, needs_models=False) as session:
        session.require_intact()
        failures = session.run(FailureLog(session.keys).all())
        for document in session.run(all_unrestored(session.keys)):
            failures += document.failures()
        record = session.run(read_record(session.keys))
    if as_json:
        listed = [failure.as_dict() for failure in failures]
        print_json({"errors": listed, "count": len(listed) + record.failures_not_kept})
        return
    for failure in failures:
        line(failure.whole())
    if record.failures_not_kept:
        note(f"... and {record.failures_not_kept:,} more that were only counted")
    if not failures:
        line("No value is on record as not converted.")
