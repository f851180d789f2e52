"""`om migrate plan`: what the pending migration files would do."""

from pathlib import Path

import click

from redstart.cli.migrate.apply_files import note_documents_to_remove
from redstart.cli.migrate.history import CREATE_FIRST
from redstart.cli.migrate.project_files import ProjectFiles, look, migrations_root, root_of
from redstart.cli.options import Settings, common
from redstart.cli.output import Tone, counted, line, print_json
from redstart.cli.session import open_session
from redstart.display import printable
from redstart.migrations.files.graph import with_dependencies
from redstart.migrations.files.migration_file import MigrationFile
from redstart.next_steps import Command, Hint


@click.command()
@click.option("--to", metavar="ID", help="Only ID and the pending files that it depends on.")
@migrations_root()
@common
def plan(settings: Settings, to: str | None, migrations_dir: Path | None, as_json: bool) -> None:
    """Show what the pending migration files change, in the order in which they are applied. Writes nothing."""
    with open_session(settings, needs_models=False) as session:
        files = look(session, root_of(migrations_dir))
        files.history.require_runnable()
        pending = _chosen(files, to)
        note_documents_to_remove(session, files, pending)
    if as_json:
        print_json(
            {
                "where": files.history.where,
                "migrations": [
                    {
                        "id": file.migration_id,
                        "description": file.description,
                        "path": file.source,
                        "operations": [
                            {"text": one.describe(), "reversible": one.is_reversible}
                            for one in file.operations
                        ],
                    }
                    for file in pending
                ],
            }
        )
    else:
        _draw(files, pending)


def _chosen(files: ProjectFiles, to: str | None) -> list[MigrationFile]:
    """Return the pending files, in order."""
    pending = files.history.pending
    if to is None:
        return pending
    ids = with_dependencies(files.history.item(to).migration_id, files.loaded.files)
    return [file for file in pending if file.migration_id in ids]


def _draw(files: ProjectFiles, pending: list[MigrationFile]) -> None:
    where = printable(files.history.where)
    if not files.loaded.are_in_use:
        line(f"There are no migration files in {where}: indexes follow the models.")
        line(Hint("See what would change with: ", Command("migrate run", "--dry-run")))
        line(CREATE_FIRST)
        return
    if not pending:
        line("Nothing is pending.", Tone.DONE)
        return
    line(f"{counted(len(pending), 'migration file')} to apply, in this order:")
    for file in pending:
        line(f"{file.migration_id}{': ' * bool(file.description)}{file.description}")
        for operation in file.operations:
            line(f"  {operation.describe()}{'' if operation.is_reversible else ' (not reversible)'}")
        if not file.operations:
            line("  no operations")
