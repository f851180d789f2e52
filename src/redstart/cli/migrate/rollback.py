"""`om migrate rollback`: roll back migration files or, in a project without files, the indexes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.index_report import counted_indexes, draw_switched, index_migration, switched_report
from redstart.cli.migrate.project_files import (
    file_migrations,
    load,
    look,
    migrations_root,
    root_of,
    schema_directory,
)
from redstart.cli.migrate.undo_files import roll_back_files
from redstart.cli.migration_kinds import item_of
from redstart.cli.options import Settings, accept_unindexed, common, confirm, verbose, will_ask, yes
from redstart.cli.output import Tone, counted, expected_duration, line, print_json
from redstart.cli.progress import progress_display
from redstart.cli.redis_om_execution import roll_back_file
from redstart.cli.redis_om_files import find
from redstart.cli.session import Session, open_session
from redstart.migrations.context import Monitor
from redstart.migrations.coordinator import rollback_indexes
from redstart.migrations.data.damage import LISTS
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.record import read_record
from redstart.migrations.files.declarations import SCHEMA
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.state import read_records
from redstart.migrations.indexes.swap import CutoverResult
from redstart.migrations.phase import roll_back
from redstart.next_steps import Command, Hint


@click.command()
@click.argument("migration_id", metavar="[ID]", required=False)
@click.option("--to", metavar="ID", help="Roll back all migration files after ID, the last one first.")
@migrations_root()
@accept_unindexed
@click.option(
    "--drop-created",
    is_flag=True,
    help="After a data rollback: also drop indexes that did not exist before Redstart created them.",
)
@click.option(
    "--dry-run", is_flag=True, help="Only with the ID of a migration file of redis-om: write nothing."
)
@verbose
@yes
@common
def rollback(
    settings: Settings,
    migration_id: str | None,
    to: str | None,
    migrations_dir: Path | None,
    accept_unindexed: bool,
    drop_created: bool,
    dry_run: bool,
    verbose: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Roll back the migration file ID, by default the last one that was applied or started.

    In a project without migration files: switch back to the dual-format indexes or, after a data rollback, to the
    original ones. `om migrate-data rollback` includes this step. Each index is checked first; one that would drop
    documents from query results is refused, with exit code 3. An index that did not exist before Redstart
    created it is kept.

    A schema migration file of redis-om is rolled back by its own down().
    """
    are_in_use = load(root_of(migrations_dir)).are_in_use
    if migration_id is not None and to is None:
        directory = schema_directory(root_of(migrations_dir))
        if not are_in_use or migration_id in find(SCHEMA, directory).migrations:
            return _roll_back_redis_om_file(
                settings,
                migration_id,
                root_of(migrations_dir),
                dry_run=dry_run,
                assume_yes=yes,
                verbose=verbose,
                as_json=as_json,
            )
    if dry_run:
        raise click.UsageError("--dry-run is for a migration file of redis-om. Give its ID.")
    if are_in_use:
        if drop_created:
            raise click.UsageError("--drop-created is for a project without migration files.")
        options = ExpansionOptions(accept_unindexed=accept_unindexed)
        with open_session(settings, writes=True, needs_models=False) as session:
            files = look(session, root_of(migrations_dir))
            ids = _files_to_roll_back(session, files, migration_id, to)
            return roll_back_files(
                session, files, ids, options, verbose=verbose, assume_yes=yes, as_json=as_json
            )
    if to is not None:
        raise click.UsageError(
            f"Cannot roll back to {to!r}: the project has no migration files. For a file of redis-om, give its ID."
        )
    with open_session(settings, writes=True, needs_models=False) as session:
        session.require_intact(exempt=LISTS)
        if will_ask(assume_yes=yes):
            confirm(_rollback_question(session), assume_yes=yes)
        undone, results = _roll_back_indexes(
            session, accept_unindexed=accept_unindexed, drop_created=drop_created, verbose=verbose
        )
        has_data = session.run(read_record(session.keys)).plan is not None
    refused = [name for name, switched in results.items() if not switched.done]
    if as_json:
        print_json(_rollback_report(results, refused))
    else:
        _draw_rollback(results, refused, undone=undone, accept_unindexed=accept_unindexed)
        if results and not refused and not undone and has_data:
            line(Hint("Roll back the data with: ", roll_back(DATETIME_MIGRATION)))
    return Exit.PENDING if refused else Exit.DONE


def _rollback_report(results: Mapping[str, CutoverResult], refused: Sequence[str]) -> dict[str, Any]:
    swapped = [name for name, switched in results.items() if switched.done and not switched.is_created]
    indexes = [switched_report(name, switched) for name, switched in results.items()]
    return {"swapped": swapped, "refused": refused, "indexes": indexes}


def _roll_back_redis_om_file(
    settings: Settings,
    migration_id: str,
    root: Path,
    *,
    dry_run: bool,
    assume_yes: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        return roll_back_file(
            session,
            settings,
            SCHEMA,
            migration_id,
            schema_directory(root),
            project=lambda: look(session, root, may_be_damaged=True),
            dry_run=dry_run,
            assume_yes=assume_yes,
            verbose=verbose,
            as_json=as_json,
        )


def _roll_back_indexes(
    session: Session, *, accept_unindexed: bool, drop_created: bool, verbose: bool
) -> tuple[bool, dict[str, CutoverResult]]:
    """Roll back the indexes. Return whether the data was rolled back before, and the result of each index."""
    with progress_display(every_step=verbose) as show:
        context = session.context(Monitor(progress=show))
        return session.run(
            rollback_indexes(
                context,
                index_migration(context.monitor),
                accept_unindexed=accept_unindexed,
                drop_created=drop_created,
            )
        )


def _files_to_roll_back(
    session: Session, files: ProjectFiles, migration_id: str | None, to: str | None
) -> list[str]:
    """Return the ids of the files to roll back, the last applied one first."""
    if migration_id is not None and to is not None:
        raise click.UsageError("ID and --to cannot be combined.")
    if migration_id is not None:
        return [item_of(files, migration_id).migration_id]
    migrations = file_migrations(session, files)
    if to is not None:
        return migrations.after(item_of(files, to).migration_id)
    return migrations.after(None)[:1]


def _rollback_question(session: Session) -> str:
    """Return the prompt, with documents and time: at most what the server needed to build the active indexes."""
    infos = [session.run(find_index(name)) for name in session.run(read_records())]
    documents = sum(info.documents for info in infos if info is not None)
    seconds = sum(info.indexing_seconds for info in infos if info is not None)
    size = f" ({counted(documents, 'document')}, {expected_duration(seconds)})" if infos else ""
    return f"Roll back {counted_indexes(len(infos))} on {session.where}{size}?"


def _draw_rollback(
    results: Mapping[str, CutoverResult], refused: Sequence[str], *, undone: bool, accept_unindexed: bool
) -> None:
    if not results:
        line("Nothing to roll back: no index was migrated.", Tone.DONE)
        return
    if refused and len(refused) == len(results):
        unchanged = "No index was changed." if len(refused) > 1 else "It was not changed."
        line(
            f"Rollback refused for {counted_indexes(len(refused))}: queries would lose documents. {unchanged}",
            Tone.WARNING,
        )
    elif refused:
        line(
            f"Rollback refused for {len(refused):,} of {counted_indexes(len(results))}: queries would lose documents.",
            Tone.WARNING,
        )
    else:
        kept = sum(switched.is_created for switched in results.values())
        dropped = sum(switched.is_dropped for switched in results.values())
        definition = "original" if undone else "dual-format"
        counts = {
            f"rolled back to the {definition} definition": len(results) - kept - dropped,
            "kept": kept,
            "dropped": dropped,
        }
        line(
            "; ".join(f"{counted_indexes(count)} {what}" for what, count in counts.items() if count) + ".",
            Tone.DONE,
        )
    for name, switched in results.items():
        result = "as before the migration" if undone else "dual-format index active"
        draw_switched(name, switched, result, accepted=accept_unindexed)
    if refused:
        line(Hint("Correct the documents listed above, then run again: ", Command("migrate rollback")))
        line(Hint("Or roll back without them: ", Command("migrate rollback", "--accept-unindexed")))
