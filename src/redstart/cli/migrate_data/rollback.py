"""`om migrate-data rollback`: restore the originals of converted values."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from redstart.cli.exit_codes import EXIT_OF_OUTCOME
from redstart.cli.index_report import draw_lacking, draw_switched
from redstart.cli.migrate_data.event_log import event_log, log_file
from redstart.cli.migrate_data.reports import rollback_report
from redstart.cli.migration_files import NO_ROLLBACK, require_built_in
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
from redstart.cli.output import Tone, counted, duration, line, print_json, rounded
from redstart.cli.phase_guidance import AFTER_ROLLBACK, EMBEDDED_KEYS
from redstart.cli.progress import progress_display
from redstart.cli.session import Session, note_unused_exclusions, open_session, resume_hint, stop_on_signal
from redstart.cli.tables import pairs
from redstart.display import shown_key, whole_line
from redstart.migrations.context import Monitor
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.rollback import DataRollbackResult
from redstart.migrations.indexes.coverage import Coverage
from redstart.migrations.options import RollbackOptions
from redstart.migrations.outcomes import RollbackResult
from redstart.migrations.state_keys import DATETIME_MIGRATION
from redstart.next_steps import Command, Hint

ROLLBACK = Command("migrate-data rollback", DATETIME_MIGRATION)
REFORMATTING = Command("migrate-data rollback", DATETIME_MIGRATION, "--reformat-preexisting")
PREEXISTING_NUMBERS = (
    "These values were numbers before the run: redis-om 1.x or the new version wrote them. The original index of a "
    "JSON model does not contain documents with such values."
)
REFORMAT = Hint("If the new version wrote them, rewrite them as text, too, with: ", REFORMATTING)
CORRECT = Hint("  correct these values, then run: ", Command("migrate rollback"))
TEXT_EXAMPLE = '"2023-01-01T12:00:00"'
AFTER_REFUSAL = (
    Hint(
        "  if redis-om 1.x wrote the pre-existing numbers, write these values as text, then run: ",
        Command("migrate rollback"),
    ),
    Hint("  if the new version wrote them, convert the data again: ", Command("migrate-data run")),
    Hint("    and then run: ", REFORMATTING),
)
UNRESTORED = (
    Hint(
        "Originals that are not restored stay on the server. List them with: ", Command("migrate-data errors")
    ),
    Hint("Write them back by hand, then run again: ", ROLLBACK),
    Hint("Or drop them with: ", Command("migrate-data drop-undo-log", DATETIME_MIGRATION)),
)
FORGOTTEN = (
    "Values that were converted before the undo log was dropped cannot be rolled back. Restore them from a backup,",
    Hint("or convert the rest again with: ", Command("migrate-data run")),
)
MAX_EXAMPLES = 10
"""Values of a kind that are listed without --verbose."""


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
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Roll back migration ID.

    A value that has not changed since the run gets its original bytes; a newer value is rewritten as text. Values
    that cannot be restored are listed. Needs no backup and no models.
    """
    options = RollbackOptions(reformat_preexisting, batch_size, include_prefixes, accept_unindexed)
    with (
        open_session(settings, writes=not dry_run, needs_models=False) as session,
        event_log(log_file, "rollback", session) as log,
    ):
        require_built_in(session, migration_id, NO_ROLLBACK)
        recorded = session.run(session.migration().preflight_rollback())
        note_unused_exclusions(session)
        if not dry_run:
            _ask(session, migration_id, recorded, assume_yes=yes)
        with progress_display(every_step=verbose) as show:
            # What a rollback counts as failures are values that stay as they are: the result explains them.
            monitor = log.watching(Monitor(progress=lambda update: show(replace(update, failures=0))))
            migration = session.migration(monitor)
            if dry_run:  # there is no progress to save: Ctrl-C ends it at once
                found = session.run(migration.preview_rollback(options))
            else:
                with stop_on_signal(monitor), resume_hint(ROLLBACK):
                    found = session.run(migration.rollback(options))
        report, code = rollback_report(found), EXIT_OF_OUTCOME[found.outcome]
        log.ended(report, code)
    if as_json:
        print_json(report)
    else:
        _draw(found, verbose, REFORMATTING if reformat_preexisting else ROLLBACK)
    return code


def _ask(session: Session, migration_id: str, recorded: Plan | None, *, assume_yes: bool) -> None:
    """Ask on a terminal, with the number of documents and an estimate.

    Args:
        recorded: the plan of the runs to roll back, if there are any.
    """
    if not will_ask(assume_yes=assume_yes):
        return
    question = f"Roll back {migration_id} on {session.where}?"
    if recorded is not None:
        found = session.run(session.migration().estimate_rollback(recorded))
        documents = counted(found.documents, "document")
        if not found.exact:
            documents = f"about {counted(rounded(found.documents), 'document')}"
        question += f" It reads {documents}. Estimated time: {duration(found.seconds)}."
    confirm(question, assume_yes=assume_yes)


def _draw(found: RollbackResult, verbose: bool, command: Command) -> None:
    """Print the outcome, the counts, each index, and the next step.

    Args:
        command: what was typed, to be typed again.
    """
    line(*_outcome(found))
    if found.data is not None and not found.data.nothing_to_do:
        _draw_data(found.data, verbose, is_preview=found.is_preview)
    for name, switched in found.indexes.items():
        if switched.done or switched.membership is None:
            draw_switched(name, switched, "original index active again")
        else:
            _draw_refused(name, switched.membership, found, verbose)
    for name, membership in found.lacking.items():
        draw_lacking(name, membership, found.lacked_before[name])
    if found.data is not None and found.data.preexisting_numbers and (verbose or found.is_preview):
        _draw_preexisting(found.data, verbose)
    for text in _next_steps(found, command):
        line(text)


def _outcome(found: RollbackResult) -> tuple[str, Tone | None]:
    result = found.data
    if result is None:
        outcome = "Rollback refused: documents would drop out of query results. No document and no index was changed."
        return outcome, Tone.WARNING
    if result.nothing_to_do:
        return "There is nothing to roll back.", None
    if found.is_preview:
        return "Dry run: nothing was written. A rollback would do this:", None
    if result.stopped is not None:
        return f"Rollback stopped: {result.stopped}. Progress is saved.", Tone.WARNING
    left = [
        *([f"{_counted(result.kept, 'value is', 'values are')} not reversible"] if result.kept else []),
        *(
            [f"{_counted(result.unrestored, 'original is', 'originals are')} not restored"]
            if result.unrestored
            else []
        ),
        *(
            [f"{_counted(result.forgotten, 'value stays', 'values stay')} converted"]
            if result.forgotten
            else []
        ),
        *(
            [f"{_counted(len(found.refused), 'index was', 'indexes were')} not switched back"]
            if found.refused
            else []
        ),
        *(["documents are missing from an index"] if found.lacks_more_than_before else []),
    ]
    if left:
        return f"Data rolled back; {', '.join(left)}.", Tone.WARNING
    return "Rollback complete.", Tone.DONE


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _draw_data(result: DataRollbackResult, verbose: bool, *, is_preview: bool) -> None:
    counts = [
        ("document writes", result.documents),
        ("values restored byte for byte", result.restored_exactly),
        ("newer values rewritten as text", result.reformatted),
        ("values left as numbers (excluded, or no text equivalent)", result.kept),
        ("originals not restored", result.unrestored),
        ("values converted before the undo log was dropped", result.forgotten),
        ("pre-existing numbers left unchanged", result.preexisting_numbers),
    ]
    pairs([*(row for row in counts if row[1]), ("elapsed", duration(result.seconds))])
    limit = None if verbose else MAX_EXAMPLES
    for failure in result.examples[:limit]:
        line(f"not reversible: {failure}")
    if not result.unrestored:
        return
    line(f"Originals {'that would not be restored' if is_preview else 'not restored'}: {result.unrestored:,}")
    for failure in result.unrestored_examples[:limit]:
        line(f"  {failure}")
    for text in () if is_preview else UNRESTORED:
        line(Hint("  ", text))


def _draw_refused(name: str, coverage: Coverage, found: RollbackResult, verbose: bool) -> None:
    """Print why an index was not switched back: the values that its original definition does not accept."""
    documents = counted(coverage.documents, "document")
    line(
        f"Index not switched back: {name}: {coverage.missing:,} of {documents} would drop out of query results"
    )
    preexisting = set() if found.data is None else {(one.key, one.path) for one in found.data.number_examples}
    values = found.rejected.get(name, [])
    never = [one for one in values if (one.key, one.path) in preexisting]
    limit = None if verbose else MAX_EXAMPLES
    for title, some in (
        ("Not accepted by the original index:", [one for one in values if one not in never]),
        ("Numbers before the run, so the original index did not contain these documents either:", never),
    ):
        if some:
            line(f"  {title}")
        for failure in some[:limit]:
            line(f"    {failure}")
        if len(some) > len(some[:limit]):
            line(f"    ... and {len(some) - len(some[:limit]):,} more; --verbose lists them")
    named = {one.key for one in values}
    for key in [shown_key(one) for one in coverage.examples if whole_line(one) not in named][:limit]:
        line(f"  {key}")
    if found.data is not None and never:
        line(f"  Write such values as text, as {TEXT_EXAMPLE}.")


def _draw_preexisting(result: DataRollbackResult, verbose: bool) -> None:
    if verbose:
        for failure in result.number_examples:
            line(f"left unchanged: {failure}")
    else:
        line("--verbose lists the pre-existing numbers.")
    line(PREEXISTING_NUMBERS)


def _next_steps(found: RollbackResult, command: Command) -> Iterator[str | Hint]:
    result = found.data
    if result is None:
        yield "To continue, do one of:"
        yield Hint("  correct these documents, then run: ", command)
        yield Hint(
            "  leave these documents out of the index: ", Command("migrate rollback", "--accept-unindexed")
        )
        yield Hint("    and then run: ", command)
    elif result.stopped is not None:
        yield Hint("Resume with: ", command)
    elif found.is_preview and not result.nothing_to_do:
        if result.preexisting_numbers:
            yield REFORMAT
        yield EMBEDDED_KEYS
    elif not found.is_preview:
        yield from FORGOTTEN if result.forgotten else ()
        if found.refused:
            yield "The dual-format index is still active, so no query loses documents. To finish:"
            yield from AFTER_REFUSAL if result.preexisting_numbers else (CORRECT,)
        elif found.indexes and result.documents:
            yield from AFTER_ROLLBACK
