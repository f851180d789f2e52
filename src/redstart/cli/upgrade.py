"""`om upgrade` and `om downgrade`: apply and roll back the migration files of the project."""

from pathlib import Path

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.migrate.apply_files import apply_files, typed_again
from redstart.cli.migrate.project_files import file_migrations, look, migrations_root, root_of
from redstart.cli.migrate.undeclared_changes import models_to_check
from redstart.cli.migrate.undo_files import BASE, roll_back_files
from redstart.cli.migration_kinds import item_of
from redstart.cli.options import Settings, accept_unindexed, common, keep_old_index, yes
from redstart.cli.redis_om_execution import run_first
from redstart.cli.session import open_session
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.files.declarations import DATA, SCHEMA
from redstart.migrations.indexes.expand import ExpansionOptions

failure_mode = click.option(
    "--failure-mode",
    type=click.Choice([FailureMode.LOG_AND_SKIP.value, FailureMode.FAIL.value]),
    default=FailureMode.LOG_AND_SKIP.value,
    show_default=True,
    help="What to do with a document that cannot be changed: log_and_skip (record it and continue), fail (stop). "
    "Operations may have modes of their own.",
)


@click.command()
@click.option("--to", metavar="ID", help="Only ID and the pending files that it depends on.")
@click.option(
    "--dry-run", is_flag=True, help="Read every document, and show what would be done; write nothing."
)
@failure_mode
@migrations_root()
@accept_unindexed
@keep_old_index
@yes
@common
def upgrade(
    settings: Settings,
    to: str | None,
    dry_run: bool,
    failure_mode: str,
    migrations_dir: Path | None,
    accept_unindexed: bool,
    keep_old_index: bool,
    yes: bool,
    as_json: bool,
) -> Exit:
    """Apply all pending migration files, in order, while the application runs.

    Each file first adds what the new version needs, then its indexes are cut over. What only the old version needs
    stays until `om migrate cleanup`. A file is recorded when it is complete; the same command resumes one that stopped.
    Pending migration files of redis-om run first; they are outside the undo log.
    """
    options = ExpansionOptions(accept_unindexed=accept_unindexed, keep_old_index=keep_old_index)
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        if to is not None:  # before anything runs
            _ = item_of(look(session, root_of(migrations_dir)), to)
        for kind in (SCHEMA, DATA):
            directory = kind.directory(str(root_of(migrations_dir)))
            run_first(session, settings, kind, directory, dry_run=dry_run, assume_yes=yes)
        files = look(session, root_of(migrations_dir))
        return apply_files(
            session,
            files,
            options,
            to=to,
            failure_mode=FailureMode(failure_mode),
            resume=typed_again(),
            models=models_to_check(settings),
            dry_run=dry_run,
            assume_yes=yes,
            as_json=as_json,
        )


@click.command()
@click.argument("to", metavar="ID")
@migrations_root()
@accept_unindexed
@yes
@common
def downgrade(
    settings: Settings,
    to: str,
    migrations_dir: Path | None,
    accept_unindexed: bool,
    yes: bool,
    as_json: bool,
) -> Exit:
    """Roll back all migration files that were applied after ID, the last one first. ID `base`: all files.

    A file whose run was started and is not complete is rolled back first.
    Documents that are unchanged since the upgrade get their original bytes. Documents written since are changed back.
    """
    options = ExpansionOptions(accept_unindexed=accept_unindexed)
    with open_session(settings, writes=True, needs_models=False) as session:
        files = look(session, root_of(migrations_dir))
        last = to if to == BASE else item_of(files, to).migration_id
        ids = file_migrations(session, files).after(None if last == BASE else last)
        return roll_back_files(session, files, ids, options, assume_yes=yes, as_json=as_json)
