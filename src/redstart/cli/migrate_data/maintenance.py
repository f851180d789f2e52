"""Commands that remove state from the server: clear-progress, drop-undo-log, force-unlock."""

from dataclasses import replace

import click

from redstart.cli.migrate.project_files import look, root_of
from redstart.cli.options import Settings, common, confirm, migration_id, require_yes, without_effect, yes
from redstart.cli.output import counted, line, print_json
from redstart.cli.redis_om_files import require_undo_log
from redstart.cli.session import Session, open_session
from redstart.errors import StateDamagedError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.operation_transformation import OperationTransformation
from redstart.migrations.data_migration import DataMigration


@click.command("clear-progress")
@click.argument("migration_id", metavar="[ID]", required=False, default=DATETIME_MIGRATION)
@without_effect("--migrations-dir", "--module")
@yes
@common
def clear_progress(settings: Settings, migration_id: str, yes: bool, as_json: bool) -> None:
    """Delete the saved progress of an interrupted run, so that the next run scans from the beginning.

    Converted values and the undo log are kept. ID: a migration file, by default the conversion of dates.
    """
    with open_session(settings, writes=True, needs_models=False) as session:
        migration = _migration(session, migration_id)
        removed = session.run(migration.preflight_clear_progress())
        if removed:
            confirm("Delete the saved progress? Converted values and the undo log are kept.", assume_yes=yes)
            removed = session.run(migration.clear_progress())
    if as_json:
        print_json({"status": "cleared" if removed else "nothing_to_do"})
    elif removed:
        line("Saved progress deleted. Converted values and the undo log are kept.")
    else:
        line("No progress is saved; nothing was deleted.")


def _migration(session: Session, migration_id: str) -> DataMigration:
    """Return the conversion of dates, or the data migration of a file of the project.

    Raises:
        DataMigrationError: it is one of redis-om, which have no state of this kind.
        UnknownMigrationError: there is no such migration.
    """
    migration = session.migration()
    if migration_id == DATETIME_MIGRATION:
        return migration
    files = look(session, root_of(None), may_be_damaged=True)
    if migration_id not in {item.migration_id for item in files.history.items}:
        require_undo_log(session, migration_id, files)
    transformation = OperationTransformation(migration_id, migration_id, ())
    return replace(migration, context=replace(migration.context, transformation=transformation))


@click.command("drop-undo-log")
@migration_id
@yes
@common
def drop_undo_log(settings: Settings, migration_id: str, yes: bool, as_json: bool) -> None:
    """Drop the undo log of migration ID and the originals that a rollback could not restore.

    This frees memory. The migration can no longer be rolled back. ID: the conversion of dates, or a migration file.
    """
    with open_session(settings, writes=True, needs_models=False) as session:
        migration = _migration(session, migration_id)
        last_copies = session.run(migration.last_copies())
        removed = session.run(migration.has_undo_log())
        if removed:
            copies = counted(last_copies, "original")
            lost = f" The undo log has the only copy of {copies}." if last_copies else ""
            require_yes(
                "Drop the undo log?",
                consequence=f"Without its undo log, {migration_id} cannot be rolled back.{lost}",
                how="To drop it, add --yes.",
                assume_yes=yes,
            )
            removed = session.run(migration.drop_undo_log())
    if as_json:
        print_json({"status": "dropped" if removed else "nothing_to_do"})
    else:
        line("Undo log dropped." if removed else "There is no undo log; nothing was dropped.")


@click.command("force-unlock")
@yes
@common
def force_unlock(settings: Settings, yes: bool, as_json: bool) -> None:
    """Remove the lease of a stuck data, index or file migration.

    If the process is still alive, it stops before its next write.
    """
    with open_session(settings, writes=True, needs_models=False) as session:
        leases = session.run(session.migration().held_leases())
        if leases:
            holders = " ".join(
                lease.message if isinstance(lease, StateDamagedError) else f"The lease holder is {lease}."
                for lease in leases
            )
            require_yes(
                "Remove the lease?",
                consequence=f"{holders} The lease holder will stop before its next write.",
                how="To remove the lease, add --yes.",
                assume_yes=yes,
            )
            leases = session.run(session.migration().force_unlock())
    broken = [lease.message if isinstance(lease, StateDamagedError) else str(lease) for lease in leases]
    if as_json:
        print_json(
            {"status": "unlocked" if broken else "not_locked", "lease_holder": broken[0] if broken else None}
        )
        return
    for lease in leases:
        line(
            f"Lease removed. {lease.message}"
            if isinstance(lease, StateDamagedError)
            else f"Lease removed. It was held by {lease}."
        )
    if not broken:
        line("No run holds a lease; nothing was removed.")
