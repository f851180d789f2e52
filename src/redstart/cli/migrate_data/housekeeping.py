"""Commands that remove state: clear-progress, forget, unlock."""

import click

from redstart.cli.indexes import index_migration
from redstart.cli.migration_files import NO_UNDO_LOG, require_built_in
from redstart.cli.options import common, confirm, migration_id, require_yes, yes
from redstart.cli.output import line, print_json
from redstart.cli.session import open_session
from redstart.cli.settings import Settings
from redstart.errors import StateDamagedError
from redstart.migrations.data.running import housekeeping
from redstart.migrations.data.state.damage import LISTS
from redstart.migrations.integrity import forget as forget_state
from redstart.migrations.phase import unlock as break_leases


@click.command("clear-progress")
@yes
@common
def clear_progress(settings: Settings, yes: bool, as_json: bool) -> None:
    """Forget how far an interrupted run came, so that the next one starts at the beginning. What is converted
    stays converted, and stays undoable."""
    with open_session(settings, writes=True, needs_models=False) as session:
        session.require_intact(exempt=("checkpoint", *LISTS))
        confirm("Forget the saved progress?", assume_yes=yes)
        removed = session.run(housekeeping.clear_progress(session.context()))
    if as_json:
        print_json({"status": "cleared" if removed else "nothing_to_do"})
    elif removed:
        line("The saved progress is gone; the undo log is kept.")
    else:
        line("No progress was saved; there was nothing to clear.")


@click.command()
@migration_id
@yes
@common
def forget(settings: Settings, migration_id: str, yes: bool, as_json: bool) -> None:
    """Drop the undo log of migration ID, and the originals that a rollback has not restored, and free their memory.
    After that it can not be rolled back."""
    with open_session(settings, writes=True, needs_models=False) as session:
        require_built_in(session, migration_id, NO_UNDO_LOG)
        last_copies = session.run(housekeeping.last_copies(session.context()))
        lost = f" It has the originals of {last_copies:,} values or documents." if last_copies else ""
        require_yes(
            f"After this {migration_id} cannot be undone any more.{lost} Drop its undo log?", assume_yes=yes
        )
        context = session.context()
        removed = session.run(forget_state(context, index_migration(context.monitor)))
    if as_json:
        print_json({"status": "forgotten" if removed else "nothing_to_do"})
    else:
        line("The undo log is gone." if removed else "There was no undo log; nothing was dropped.")


@click.command()
@yes
@common
def unlock(settings: Settings, yes: bool, as_json: bool) -> None:
    """Break the lease of a run that is stuck, on the data or on the indexes. If that run is alive after all, it stops
    before its next write."""
    with open_session(settings, writes=True, needs_models=False) as session:
        require_yes("Break the lease? A run that holds it stops before its next write.", assume_yes=yes)
        leases = session.run(break_leases(session.context()))
    broken = [lease.message if isinstance(lease, StateDamagedError) else str(lease) for lease in leases]
    if as_json:
        print_json(
            {"status": "unlocked" if broken else "not_locked", "holder": broken[0] if broken else None}
        )
        return
    for lease in leases:
        line(
            f"Removed. {lease.message}"
            if isinstance(lease, StateDamagedError)
            else f"Broken: the lease of {lease}."
        )
    if not broken:
        line("No run holds a lease.")
