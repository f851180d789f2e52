"""The command that undoes: rollback."""

from pathlib import Path

import click

from redstart.cli.deployment import AFTER_ROLLBACK, EMBEDDED_KEYS
from redstart.cli.drawing import pairs
from redstart.cli.exits import Exit
from redstart.cli.indexes import draw_lacking, draw_switched, index_migration
from redstart.cli.migrate_data.log_file import event_log, log_file
from redstart.cli.migrate_data.reports import back_report
from redstart.cli.migration_files import NO_ROLLBACK, require_built_in
from redstart.cli.options import batch_size, common, confirm, migration_id, verbose, yes
from redstart.cli.output import as_typed, line, print_json
from redstart.cli.progress import progress_display
from redstart.cli.quantities import duration
from redstart.cli.session import open_session, resumed_by, stop_on_signal
from redstart.cli.settings import Settings
from redstart.migrations.back import Back, migrate_back
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.state.damage import LISTS
from redstart.migrations.data.undoing.rollback import RollbackResult
from redstart.migrations.data.undoing.rollback_preview import preview_rollback

PREEXISTING_NUMBERS = (
    "What was a number before is not the run's work: redis-om 1.x wrote it, or a new application did before the run",
    "began to convert. An index of the old application over JSON does not take such a document.",
)
UNDOING = f"om migrate-data rollback {DATETIME_MIGRATION}"
REFORMATTING = f"{UNDOING} --reformat-preexisting"
REFORMAT_THEM = f"Where a new application wrote them, give them the old form, too, with: {REFORMATTING}"
AFTER_REFUSAL = (
    "Where the old application needs them, give these values its text; or, where a new application wrote them all,\n"
    f"convert again with om migrate-data run, then: {REFORMATTING}"
)
UNRESTORED = (
    "What is not restored stays on the server. List it with: om migrate-data errors",
    f"Write it back by hand and type {UNDOING} again; or drop it with: om migrate-data forget {DATETIME_MIGRATION}",
)
KEPT_SAID = 10
"""Lines about single values; --verbose says them all."""


@click.command()
@migration_id
@click.option("--dry-run", is_flag=True, help="Count what would be restored; write nothing.")
@click.option(
    "--reformat-preexisting",
    "reformat_preexisting",
    is_flag=True,
    help="Also give the old form to what was a number before the run: a new application wrote it, not redis-om 1.x.",
)
@batch_size
@log_file
@verbose
@yes
@common
def rollback(
    settings: Settings,
    migration_id: str,
    dry_run: bool,
    reformat_preexisting: bool,
    batch_size: int,
    log_file: Path | None,
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Undo migration ID: every value that is still as it was written gets its original bytes back; what was
    changed or created since gets the old form. What cannot be restored is kept and listed. Needs no backup and no
    models."""
    with (
        open_session(settings, writes=not dry_run, needs_models=False) as session,
        event_log(log_file, "rollback", session) as log,
    ):
        require_built_in(session, migration_id, NO_ROLLBACK)
        session.require_intact(exempt=LISTS)
        if not dry_run:
            confirm(f"Undo {migration_id} on {session.where}?", assume_yes=yes)
        with progress_display(every_step=verbose) as show:
            context = session.context(log.watching(Monitor(progress=show)))
            if dry_run:  # nothing to keep: Ctrl-C ends it at once
                preview = preview_rollback(
                    context, reformat_preexisting=reformat_preexisting, batch_documents=batch_size
                )
                found = Back(session.run(preview))
            else:
                with stop_on_signal(context.monitor), resumed_by(UNDOING):
                    undoing = migrate_back(
                        context,
                        index_migration(context.monitor),
                        reformat_preexisting=reformat_preexisting,
                        batch_documents=batch_size,
                    )
                    found = session.run(undoing)
        report = back_report(found, dry_run=dry_run)
        log.ended(report, _exit_of(found, dry_run))
    if as_json:
        print_json(report)
    else:
        _draw(found, dry_run, verbose, REFORMATTING if reformat_preexisting else UNDOING)
    return _exit_of(found, dry_run)


def _exit_of(found: Back, dry_run: bool) -> Exit:
    if found.data is None or found.refused or found.lacks_more_than_before:
        return Exit.FOUND
    if found.data.stopped is not None:
        return Exit.STOPPED
    is_incomplete = found.data.kept or found.data.unrestored
    return Exit.FOUND if is_incomplete and not dry_run else Exit.DONE


def _draw(found: Back, dry_run: bool, verbose: bool, command: str) -> None:
    """What became of it; `command` is what was typed, to be typed again."""
    if found.data is None:
        line(
            "Nothing was undone: an index to go back to does not accept some documents. No index was changed."
        )
        line(as_typed(f"Correct them, and repeat: {command}"))
        line(as_typed("Or let queries miss them: om migrate rollback --accept-unindexed"))
        line(as_typed(f"and then: {command}"))
    else:
        _draw_data(found.data, dry_run, verbose, command)
        if dry_run and not found.data.nothing_to_do:
            line(EMBEDDED_KEYS)
    for name, switched in found.indexes.items():
        draw_switched(name, switched, "as before the migration")
    for name, membership in found.lacking.items():
        draw_lacking(name, membership, found.lacked_before[name])
    if found.data is not None and found.data.preexisting_numbers and (verbose or dry_run or found.refused):
        _draw_numbers_before(found.data, verbose, REFORMAT_THEM if dry_run else AFTER_REFUSAL)
    if found.data is not None and found.refused:
        line(
            as_typed(
                "Correct these documents; then: om migrate rollback. Until then the index that accepts both formats "
                "is active."
            )
        )
    if found.indexes and not found.refused:
        for text in AFTER_ROLLBACK:
            line(text)


def _draw_numbers_before(result: RollbackResult, verbose: bool, way_on: str) -> None:
    for failure in result.number_examples if verbose else result.number_examples[:KEPT_SAID]:
        line(f"left alone: {failure}")
    for text in (*PREEXISTING_NUMBERS, way_on):
        line(as_typed(text))


def _draw_data(result: RollbackResult, dry_run: bool, verbose: bool, command: str) -> None:
    if result.nothing_to_do:
        line("There is nothing to undo.")
        return
    if result.stopped is not None:
        line(as_typed(f"Stopped: {result.stopped}. Go on with: {command}"))
    else:
        line("Dry run: nothing was written. A rollback would do this:" if dry_run else "Rolled back.")
    pairs(
        [
            ("writes of documents", result.documents),
            ("values restored exactly", result.restored_exactly),
            ("newer values given the old form", result.reformatted),
            ("values kept, having no old form", result.kept),
            *([("values not restored", result.unrestored)] if result.unrestored else []),
            ("numbers of before, left alone", result.preexisting_numbers),
            ("time", duration(result.seconds)),
        ]
    )
    for failure in result.examples if verbose else result.examples[:KEPT_SAID]:
        line(f"kept: {failure}")
    for failure in result.unrestored_examples if verbose else result.unrestored_examples[:KEPT_SAID]:
        line(str(failure))
    if result.unrestored:
        for text in UNRESTORED:
            line(as_typed(text))
