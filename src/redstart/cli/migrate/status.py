"""`om migrate status`: the index of each model, and how it differs from the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.index_report import (
    counted_indexes,
    pending_indexes,
    still_filling,
    superseded_message,
)
from redstart.cli.migrate.project_files import draw_project_status, project_status, root_of
from redstart.cli.migrate.project_files import look as look_at_project
from redstart.cli.migrate.undeclared_changes import changes_report, draw_changes, find_changes
from redstart.cli.model_warnings import draw_unmanaged, find_unmanaged, unmanaged_report
from redstart.cli.options import Settings, common
from redstart.cli.output import Tone, counted, line, print_json
from redstart.cli.phase_guidance import draw_phase_guidance
from redstart.cli.redis_om_files import draw_files, files_report, look, migrations_dir, waits
from redstart.cli.refused_cutover import cutover_is_refused, draw_refused_cutover
from redstart.cli.session import note_overlapping_prefixes, open_session
from redstart.cli.tables import next_step, table
from redstart.migrations.data.damage import LISTS
from redstart.migrations.files.declarations import SCHEMA
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus, index_statuses
from redstart.migrations.phase import (
    CONVERT,
    MIGRATE_INDEXES,
    MigrationPhase,
    MigrationStatus,
    migration_status,
    next_command,
)
from redstart.migrations.server_checks import require_search
from redstart.next_steps import Command

REPLACED_EXTERNALLY = (
    "{}: another tool (for example redis-om's Migrator) replaced the active index. No data is lost, but queries may "
    "miss documents."
)


@click.command()
@click.option("--check", is_flag=True, help="Exit with 3 if a change is pending.")
@migrations_dir(SCHEMA)
@common
def status(settings: Settings, check: bool, migrations_dir: Path | None, as_json: bool) -> int:
    """Show the index of each model, how it differs from the model, and which migration files are applied.

    Writes nothing.
    """
    with open_session(settings, about_indexes=True) as session:
        session.run(require_search())
        session.require_intact(exempt=LISTS)
        overlaps = note_overlapping_prefixes(session)
        statuses = session.run(index_statuses(session.planned_indexes()))
        files = look(session, SCHEMA, migrations_dir)
        project = project_status(session, look_at_project(session, root_of(None)))
        unmanaged = find_unmanaged(session)
        changes = find_changes(session, project.files)
        pending = pending_indexes(statuses)
        migration = (
            session.run(migration_status(session.context().transformation, session.plan, exempt=LISTS))
            if pending
            else None
        )
    if as_json:
        print_json(
            {
                "indexes": [_report(index) for index in statuses],
                "pending": [index.planned.name for index in pending],
                "files": files_report(files),
                "migration_files": project.report(),
                "unmanaged": unmanaged_report(unmanaged),
                "undeclared_changes": changes_report(changes),
                "overlapping_prefixes": overlaps,
            }
        )
    else:
        _draw_indexes(statuses, pending)
        if project.files.loaded.are_in_use:
            draw_project_status(project)
            if pending and not project.is_pending:
                next_step("Write the changes of the models to a file with", Command("migrate create", "NAME"))
        elif migration is not None:
            _draw_next_step(pending, migration)
        draw_unmanaged(unmanaged)
        draw_changes(changes)
        if files.total:
            line(f"Total migrations: {files.total} in files")
        draw_files(files)
    is_pending = bool(pending) or waits(files) or project.is_pending or any(one.refuses for one in changes)
    return Exit.PENDING if check and is_pending else Exit.DONE


def _draw_indexes(statuses: Sequence[IndexStatus], pending: Sequence[IndexStatus]) -> None:
    if pending:
        have = "has" if len(pending) == 1 else "have"
        line(f"{len(pending):,} of {counted_indexes(len(statuses))} {have} pending changes.", Tone.WARNING)
    else:
        line("No pending schema changes detected.", Tone.DONE)
    rows = [
        [index.planned.model, index.planned.name, index.active.value, index.documents] for index in statuses
    ]
    table("Indexes", ["model", "index", "state", "documents"], rows)
    for index in pending:
        if index.active is ActiveIndex.REPLACED_EXTERNALLY:
            line(REPLACED_EXTERNALLY.format(index.planned.name), Tone.WARNING)
        if index.is_superseded:
            line(superseded_message(index), Tone.WARNING)
        for change in index.pending.changes if index.pending is not None else ():
            line(f"{index.planned.name}: {change}")
    for index in statuses:
        if index.filled_percent is not None:
            documents = counted(index.documents, "document")
            line(f"{index.planned.name}: {documents}{still_filling(index.filled_percent)}")


def _draw_next_step(pending: Sequence[IndexStatus], status: MigrationStatus) -> None:
    unconverted = {model.key_prefix for model in status.data.pending}
    command = next_command(status.resume_command, status.phase, pending, unconverted)
    are_built = all(index.active is ActiveIndex.EXPANDED for index in pending)
    if status.phase is MigrationPhase.ROLLING_BACK:
        draw_phase_guidance(status)
    elif command is not None and command.name == CONVERT.name:
        what = "Build the new indexes, convert the data and cut over"
        if status.phase is MigrationPhase.MIGRATING:
            what = "Resume"
        elif are_built:
            what = "The new indexes are built. Convert the data and cut over"
        next_step(f"{what} with", command)
    elif are_built and status.is_cutover_pending and cutover_is_refused(pending):
        draw_refused_cutover(pending, status.data.failures)
    elif are_built:
        next_step("The data is converted. Stop the old version, then cut over with", MIGRATE_INDEXES)
    else:
        next_step("Apply these changes with", MIGRATE_INDEXES)


def _report(index: IndexStatus) -> dict[str, Any]:
    return {
        "model": index.planned.model,
        "index": index.planned.name,
        "state": index.active.value,
        "active_index": index.active_name,
        "documents": index.documents,
        "filled_percent": index.filled_percent,
        "superseded": index.is_superseded,
        "changes": [str(change) for change in index.pending.changes] if index.pending is not None else [],
    }
