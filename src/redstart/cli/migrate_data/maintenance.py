"""Commands that remove state from the server: clear-progress, drop-undo-log, force-unlock."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from redstart.cli.migrate.project_files import file_migrations, look, migrations_root, root_of
from redstart.cli.options import Settings, common, confirm, migration_id, require_yes, without_effect, yes
from redstart.cli.output import counted, line, print_json
from redstart.cli.redis_om_files import require_undo_log
from redstart.cli.session import Session, open_session
from redstart.display import printable
from redstart.effects import Op
from redstart.errors import StateDamagedError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION


@click.command("clear-progress")
@without_effect("--migrations-dir", "--module")
@yes
@common
def clear_progress(settings: Settings, yes: bool, as_json: bool) -> None:
    """Delete the saved progress of an interrupted run, so that the next run scans from the beginning.

    Converted values and the undo log are kept.
    """
    with open_session(settings, writes=True, needs_models=False) as session:
        removed = session.run(session.migration().preflight_clear_progress())
        if removed:
            confirm("Delete the saved progress? Converted values and the undo log are kept.", assume_yes=yes)
            removed = session.run(session.migration().clear_progress())
    if as_json:
        print_json({"status": "cleared" if removed else "nothing_to_do"})
    elif removed:
        line("Saved progress deleted. Converted values and the undo log are kept.")
    else:
        line("No progress is saved; nothing was deleted.")


@click.command("drop-undo-log")
@migration_id
@migrations_root()
@yes
@common
def drop_undo_log(
    settings: Settings, migration_id: str, migrations_dir: Path | None, yes: bool, as_json: bool
) -> None:
    """Drop the undo log of migration ID and the originals that a rollback could not restore.

    ID is the conversion of dates or a migration file. This frees memory. The migration can no longer be rolled back.
    """
    with open_session(settings, writes=True, needs_models=False) as session:
        log = _undo_log_of(session, migration_id, root_of(migrations_dir))
        copies = session.run(log.last_copies())
        removed = copies is not None
        if copies is not None:
            lost = f" The undo log has the only copy of {counted(copies, 'original')}." if copies else ""
            require_yes(
                "Drop the undo log?",
                consequence=f"Without its undo log, {printable(log.migration_id)} cannot be rolled back.{lost}",
                how="To drop it, add --yes.",
                assume_yes=yes,
            )
            removed = session.run(log.drop())
    if as_json:
        print_json({"status": "dropped" if removed else "nothing_to_do"})
    else:
        line("Undo log dropped." if removed else "There is no undo log; nothing was dropped.")


@dataclass(frozen=True, slots=True)
class _UndoLog:
    """The undo log of one migration.

    Attributes:
        last_copies: returns the number of originals that only it has; None without an undo log.
        drop: drops it; returns whether there was one.
    """

    migration_id: str
    last_copies: Callable[[], Op[int | None]]
    drop: Callable[[], Op[bool]]


def _undo_log_of(session: Session, migration_id: str, root: Path) -> _UndoLog:
    """Return the undo log of the conversion of dates or of a migration file.

    Raises:
        DataMigrationError: it is a migration in a file of redis-om, which has no undo log.
        UnknownMigrationError: there is no such migration.
    """
    if migration_id != DATETIME_MIGRATION:
        files = look(session, root)
        if any(item.migration_id == migration_id for item in files.history.items):
            migrations = file_migrations(session, files)
            return _UndoLog(
                migration_id,
                partial(migrations.undo_log, migration_id),
                partial(migrations.drop_undo_log, migration_id),
            )
    require_undo_log(session, migration_id)
    migration = session.migration()

    def last_copies() -> Op[int | None]:
        copies = yield from migration.last_copies()
        return copies if (yield from migration.has_undo_log()) else None

    return _UndoLog(migration_id, last_copies, migration.drop_undo_log)


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
