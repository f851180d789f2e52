"""`om migrate plan`: what the pending migration files would do."""

from collections.abc import Sequence
from pathlib import Path

import click

from redstart.cli.migrate.file_estimates import (
    deployment,
    draw_deployment,
    draw_estimate,
    draw_failed_values,
    draw_operations,
    estimates_of,
    file_report,
    first_refusal,
)
from redstart.cli.migrate.history import CREATE_FIRST
from redstart.cli.migrate.project_files import file_migrations, look, migrations_root, root_of
from redstart.cli.migrate.undeclared_changes import (
    changes_report,
    draw_changes,
    find_changes,
    models_to_check,
)
from redstart.cli.migration_kinds import item_of
from redstart.cli.options import Settings, common
from redstart.cli.output import Tone, counted, line, print_json, rendered
from redstart.cli.session import Session, open_session
from redstart.display import printable
from redstart.errors import UnsupportedOperationError
from redstart.migrations.file_estimate import FileEstimate
from redstart.migrations.files.graph import with_dependencies
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.files.project_history import ProjectFiles
from redstart.next_steps import Command, Hint


@click.command()
@click.option("--to", metavar="ID", help="Only ID and the pending files that it depends on.")
@migrations_root()
@common
def plan(settings: Settings, to: str | None, migrations_dir: Path | None, as_json: bool) -> None:
    """Show what the pending migration files change, in the order in which they are applied. Writes nothing.

    Documents are counted in a sample. The commands of new indexes are shown as the server gets them.
    """
    with open_session(settings, needs_models=False) as session:
        files = look(session, root_of(migrations_dir))
        files.history.require_runnable()
        pending = _chosen(files, to)
        estimates, refusal = _estimates(session, files, pending)
        changes = find_changes(session, files, models_to_check(settings))
    if as_json:
        by_id = {one.migration.file.migration_id: one for one in estimates}
        print_json(
            {
                "where": files.history.where,
                "migrations": [file_report(file, by_id.get(file.migration_id)) for file in pending],
                "deployment": [rendered(step) for step in deployment(estimates)] if estimates else [],
                "refusal": refusal,
                "undeclared_changes": changes_report(changes),
            }
        )
    else:
        _draw(files, pending, estimates, refusal)
        draw_changes(changes)


def _chosen(files: ProjectFiles, to: str | None) -> list[MigrationFile]:
    """Return the pending files, in order."""
    pending = files.history.pending
    if to is None:
        return pending
    ids = with_dependencies(item_of(files, to).migration_id, files.loaded.files)
    return [file for file in pending if file.migration_id in ids]


def _estimates(
    session: Session, files: ProjectFiles, pending: Sequence[MigrationFile]
) -> tuple[list[FileEstimate], str | None]:
    """Return what a run would do, and why it would be refused; nothing if an operation is not supported."""
    migrations = file_migrations(session, files)
    try:
        found = [migrations.migration(file.migration_id) for file in pending]
    except UnsupportedOperationError as exc:
        return [], exc.message
    estimates = estimates_of(session, migrations, found)
    return estimates, first_refusal(estimates)


def _draw(
    files: ProjectFiles,
    pending: Sequence[MigrationFile],
    estimates: Sequence[FileEstimate],
    refusal: str | None,
) -> None:
    where = printable(files.history.where)
    if not files.loaded.are_in_use:
        line(f"There are no migration files in {where}: indexes follow the models.")
        line(Hint("See what would change with: ", Command("migrate run", "--dry-run")))
        line(CREATE_FIRST)
        return
    if not pending:
        line("Nothing is pending.", Tone.DONE)
        return
    if refusal is not None:
        line(f"A run would be refused. {refusal}", Tone.WARNING)
    line(f"{counted(len(pending), 'migration file')} to apply, in this order:")
    for one in estimates:
        draw_estimate(line, one)
        draw_failed_values(one)
    if not estimates:
        for file in pending:
            draw_operations(line, file.migration_id, file.description, file.operations)
    draw_deployment(line, estimates)
