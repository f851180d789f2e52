"""`om migrate-data rollback`: restore the originals of converted values, and print the result."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME
from redstart.cli.index_report import draw_lacking, draw_switched
from redstart.cli.migrate.apply_files import typed_again
from redstart.cli.migrate.project_files import look, root_of
from redstart.cli.migrate_data.event_log import EventLog, event_log, log_file
from redstart.cli.migrate_data.reports import rollback_report
from redstart.cli.options import (
    Settings,
    batch_size,
    common,
    confirm,
    exclude_prefix,
    include_prefixes,
    migration_id,
    verbose,
    will_ask,
    yes,
)
from redstart.cli.output import SHOWN_SECONDS, Tone, counted, duration, line, note, print_json, rounded
from redstart.cli.phase_guidance import AFTER_ROLLBACK, BEFORE_ROLLBACK, EMBEDDED_KEYS
from redstart.cli.progress import progress_display
from redstart.cli.redis_om_execution import roll_back_file
from redstart.cli.redis_om_files import migrations_dir, module
from redstart.cli.refused_cutover import DROP_OUT
from redstart.cli.session import Session, note_unused_exclusions, open_session, resume_hint, stop_on_signal
from redstart.cli.tables import pairs
from redstart.display import MAX_EXAMPLES_SHOWN, shown_key, whole_line
from redstart.migrations.context import Monitor
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION, legacy_text
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.results import DataRollbackResult
from redstart.migrations.failure import Failure
from redstart.migrations.files.declarations import DATA
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.options import RollbackOptions
from redstart.migrations.phase import CONVERT, roll_back
from redstart.migrations.run_results import RollbackResult
from redstart.next_steps import Command, Hint
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, TemporalKind

ROLLBACK = roll_back(DATETIME_MIGRATION)
REFORMATTING = Command("migrate-data rollback", DATETIME_MIGRATION, "--reformat-preexisting")
PREEXISTING_NUMBERS = (
    "Pre-existing numbers were stored before the run, by redis-om 1.x or by the new version. The original index of a "
    "JSON model does not contain their documents."
)
REFORMAT = Hint("If the new version wrote them, rewrite them as text, too: ", REFORMATTING)
DUAL_FORMAT_ACTIVE = "Queries still use the dual-format index, so no query loses documents."
UNRESTORED = (
    Hint(
        "Originals that are not restored stay on the server. List them with: ", Command("migrate-data errors")
    ),
    Hint("Write them back by hand, then run again: ", ROLLBACK),
    Hint("Or drop them with: ", Command("migrate-data drop-undo-log", DATETIME_MIGRATION)),
)
WITHOUT_UNDO_LOG = (
    "Values that were converted before the undo log was dropped cannot be rolled back.",
    Hint("Restore them from a backup, or convert the rest again with: ", CONVERT),
)


def draw_rollback(
    result: RollbackResult,
    recorded: Plan | None,
    zone: NaiveTimezone,
    *,
    command: Command,
    verbose: bool,
) -> None:
    """Print the outcome, the counts, each index, and the next steps.

    Args:
        recorded: the plan of the runs that were rolled back.
        zone: of naive datetimes, for an example.
        command: what was typed, to be typed again.
    """
    line(*_outcome(result))
    data = result.data
    if data is not None and not data.nothing_to_do:
        _draw_data(data, verbose, is_preview=result.is_preview)
    for name, switched in result.indexes.items():
        if switched.done or switched.coverage is None:
            draw_switched(name, switched, "original index active again")
        else:
            _draw_refused(name, switched.coverage, result, zone, verbose)
    for name, coverage in result.lacking.items():
        draw_lacking(name, coverage, result.lacked_before[name])
    if data is not None and data.preexisting_numbers and (verbose or result.is_preview):
        _draw_preexisting(data, verbose)
    for text in _next_steps(result, command):
        line(text)
    if result.is_preview and recorded is not None and _has_json(recorded):
        line(EMBEDDED_KEYS)


def _has_json(plan: Plan) -> bool:
    return any(model.storage is Storage.JSON for model in plan.models)


def _outcome(result: RollbackResult) -> tuple[str, Tone | None]:
    data = result.data
    if data is None:
        outcome = f"Rollback refused: documents {DROP_OUT}. No document and no index was changed."
        return outcome, Tone.WARNING
    if data.nothing_to_do:
        return "There is nothing to roll back.", None
    if result.is_preview:
        return "Dry run: nothing was written. A rollback would do this:", None
    if data.stopped is not None:
        return f"Rollback stopped: {data.stopped}. Progress is saved.", Tone.WARNING
    left = [*_what_is_left(result, data)]
    if left:
        return f"Data rolled back; {', '.join(left)}.", Tone.WARNING
    return "Rollback complete.", Tone.DONE


def _what_is_left(result: RollbackResult, data: DataRollbackResult) -> Iterator[str]:
    """Yield what a rollback did not restore."""
    for count, one, many in (
        (data.kept, "value is not reversible", "values are not reversible"),
        (data.unrestored, "original is not restored", "originals are not restored"),
        (data.without_undo_log, "value stays converted", "values stay converted"),
        (len(result.refused), "index was not rolled back", "indexes were not rolled back"),
    ):
        if count:
            yield f"{count:,} {one if count == 1 else many}"
    if result.lacks_more_than_before:
        yield "documents are missing from an index"


def _draw_data(data: DataRollbackResult, verbose: bool, *, is_preview: bool) -> None:
    counts = [
        ("document writes", data.documents),
        ("values restored byte for byte", data.restored_exactly),
        ("newer values rewritten as text", data.reformatted),
        ("values left as numbers (excluded, or no text equivalent)", data.kept),
        ("originals not restored", data.unrestored),
        ("values converted before the undo log was dropped", data.without_undo_log),
        ("pre-existing numbers left unchanged", data.preexisting_numbers),
    ]
    elapsed = [("elapsed", duration(data.seconds))] if data.seconds >= SHOWN_SECONDS else []
    pairs([*(row for row in counts if row[1]), *elapsed])
    _draw_list((f"not reversible: {failure}" for failure in data.examples), data.kept, verbose)
    if not data.unrestored:
        return
    line(f"Originals {'that would not be restored' if is_preview else 'not restored'}: {data.unrestored:,}")
    _draw_list(map(str, data.unrestored_examples), data.unrestored, verbose, indent="  ")
    for text in () if is_preview else UNRESTORED:
        line(Hint("  ", text))


def _draw_list(texts: Iterable[str], count: int, verbose: bool, *, indent: str = "") -> None:
    """Print the first of some values; with --verbose all that are given.

    Args:
        count: of all values, of which more may exist than are given.
    """
    given = list(texts)
    shown = given if verbose else given[:MAX_EXAMPLES_SHOWN]
    for text in shown:
        line(f"{indent}{text}")
    if count > len(shown):
        more = "" if len(given) == len(shown) else "; --verbose lists them"
        line(f"{indent}... and {count - len(shown):,} more{more}")


def _draw_refused(
    name: str, coverage: Coverage, result: RollbackResult, zone: NaiveTimezone, verbose: bool
) -> None:
    """Print why an index was not rolled back: the values that its original definition does not accept."""
    documents = counted(coverage.documents, "document")
    line(f"{name}: not rolled back: {coverage.missing:,} of {documents} {DROP_OUT}")
    numbers = [] if result.data is None else result.data.number_examples
    preexisting = {(failure.key, failure.path) for failure in numbers}
    values = result.rejected.get(name, [])
    former = [failure for failure in values if (failure.key, failure.path) in preexisting]
    for title, failures in (
        ("Not accepted by the original index:", [failure for failure in values if failure not in former]),
        ("Pre-existing numbers; the original index did not contain these documents before, either:", former),
    ):
        if failures:
            line(f"  {title}")
            _draw_list(map(str, failures), len(failures), verbose, indent="    ")
    named = {failure.key for failure in values}
    unnamed = [shown_key(key) for key in coverage.examples if whole_line(key) not in named]
    _draw_list(unnamed, len(unnamed), verbose, indent="  ")
    example = _text_example(values, zone)
    if result.data is not None and example is not None:
        line(f"  Write these values as text, for example {example}.")


def _text_example(values: Sequence[Failure], zone: NaiveTimezone) -> str | None:
    """Return the text of the first of some numbers that is a date, and the number."""
    for failure in values:
        text = legacy_text(
            failure.value,
            kind=TemporalKind.DATETIME,
            storage=Storage.JSON,
            naive=True,
            naive_timezone=zone,
        )
        if text is not None:
            return f"{text.decode()} instead of {failure.shown_value}"
    return None


def _draw_preexisting(data: DataRollbackResult, verbose: bool) -> None:
    for failure in data.number_examples if verbose else ():
        line(f"left unchanged: {failure}")
    line(PREEXISTING_NUMBERS if verbose else f"{PREEXISTING_NUMBERS} --verbose lists them.")


def _next_steps(result: RollbackResult, command: Command) -> Iterator[str | Hint]:
    data = result.data
    if data is None:
        yield "To continue, do one of:"
        yield Hint("  correct these documents, then run: ", command)
        yield Hint(
            "  leave these documents out of the index: ", Command("migrate rollback", "--accept-unindexed")
        )
        yield Hint("    and then run: ", command)
    elif data.stopped is not None:
        yield Hint("Resume with: ", command)
    elif result.is_preview:
        if not data.nothing_to_do:
            yield BEFORE_ROLLBACK
        if data.preexisting_numbers:
            yield REFORMAT
    else:
        yield from WITHOUT_UNDO_LOG if data.without_undo_log else ()
        if result.refused:
            yield from _after_refusal(data)
        elif result.indexes and data.documents:
            yield AFTER_ROLLBACK


def _after_refusal(data: DataRollbackResult) -> Iterator[str | Hint]:
    """Yield how to finish the rollback of an index."""
    yield DUAL_FORMAT_ACTIVE
    if not data.preexisting_numbers:
        yield Hint("To finish, correct these values, then run: ", Command("migrate rollback"))
        return
    yield "To finish, do one of:"
    yield Hint("  write these values as text, then run: ", Command("migrate rollback"))
    yield "  if the new version wrote the pre-existing numbers, convert and roll back again:"
    yield Hint("    ", CONVERT)
    yield Hint("    ", REFORMATTING)


@click.command()
@migration_id
@click.option("--dry-run", is_flag=True, help="Count what would be restored; write nothing.")
@click.option(
    "--reformat-preexisting",
    "reformat_preexisting",
    is_flag=True,
    help="Also rewrite numbers that existed before the run as text. Use this if the new version was already writing "
    "before the migration.",
)
@click.option(
    "--accept-unindexed",
    is_flag=True,
    help="Roll back even if documents drop out of indexes that belong to no model.",
)
@batch_size
@exclude_prefix
@include_prefixes
@log_file
@migrations_dir(DATA)
@module
@verbose
@yes
@common
def rollback(
    settings: Settings,
    migration_id: str,
    dry_run: bool,
    reformat_preexisting: bool,
    accept_unindexed: bool,
    batch_size: int,
    include_prefixes: tuple[str, ...],
    log_file: Path | None,
    migrations_dir: Path | None,
    module: str | None,
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Roll back migration ID.

    A value that has not changed since the run gets its original bytes; a newer value is rewritten as text. Values
    that cannot be restored are listed. Needs no backup and no models.

    A migration file of redis-om is rolled back by its own down().
    """
    if migration_id != DATETIME_MIGRATION:
        with open_session(settings, writes=not dry_run, needs_models=False) as session:
            return roll_back_file(
                session,
                settings,
                DATA,
                migration_id,
                migrations_dir,
                module,
                project=lambda: look(session, root_of(None), may_be_damaged=True),
                dry_run=dry_run,
                assume_yes=yes,
                verbose=verbose,
                as_json=as_json,
            )
    resume_command = typed_again("dry_run")
    options = RollbackOptions(reformat_preexisting, batch_size, include_prefixes, accept_unindexed)
    with (
        open_session(settings, writes=not dry_run, needs_models=False) as session,
        event_log(log_file, "rollback", session) as log,
    ):
        recorded = session.run(session.migration().preflight_rollback())
        note_unused_exclusions(session)
        if not dry_run:
            _ask(session, migration_id, recorded, assume_yes=yes)
        found = _roll_back(session, options, resume_command, log, dry_run=dry_run, verbose=verbose)
        report, code = rollback_report(found), EXIT_OF_OUTCOME[found.outcome]
        log.ended(report, code)
    if as_json:
        print_json(report)
    else:
        draw_rollback(found, recorded, session.naive_timezone, command=resume_command, verbose=verbose)
    return code


def _roll_back(
    session: Session,
    options: RollbackOptions,
    resume_command: Command,
    log: EventLog,
    *,
    dry_run: bool,
    verbose: bool,
) -> RollbackResult:
    """Roll back, or preview it, with progress on stderr."""
    with progress_display(every_step=verbose) as show:
        # The failures that a rollback counts are values that stay unchanged, which the result explains.
        shown = Monitor(progress=lambda update: show(replace(update, failures=0)), resumed_by=resume_command)
        monitor = log.watching(shown)
        migration = session.migration(monitor)
        if dry_run:  # there is no progress to save: Ctrl-C ends it at once
            return session.run(migration.preview_rollback(options))
        with stop_on_signal(monitor), resume_hint(resume_command):
            return session.run(migration.rollback(options))


def _ask(session: Session, migration_id: str, recorded: Plan | None, *, assume_yes: bool) -> None:
    """Ask on a terminal, with the number of documents and an estimate.

    Args:
        recorded: the plan of the runs to roll back, if there are any.
    """
    if not session.run(session.migration().has_rollback_work()):
        return
    if not will_ask(assume_yes=assume_yes):
        return
    note(BEFORE_ROLLBACK)
    question = f"Roll back {migration_id} on {session.where}?"
    if recorded is not None:
        found = session.run(session.migration().estimate_rollback(recorded))
        documents = counted(found.documents, "document")
        if not found.exact:
            documents = f"about {counted(rounded(found.documents), 'document')}"
        question += f" It reads {documents}. Estimated time: {duration(found.seconds)}."
    confirm(question, assume_yes=assume_yes)
