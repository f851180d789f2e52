"""`run --backup` on the command line."""

from datetime import UTC, datetime

import click

from redstart.cli.migrate_data.log_file import EventLog
from redstart.cli.output import note
from redstart.cli.progress import progress_display
from redstart.cli.session import Session
from redstart.migrations.data.running.backup import back_up
from redstart.migrations.data.running.monitor import Monitor

backup = click.option(
    "--backup", is_flag=True, help="First have the server save its data (BGSAVE), and wait until it has."
)


def save_first(session: Session, log: EventLog) -> None:
    """Have the server save, and say when it did. Raises what `back_up` does."""
    with progress_display() as show:
        saved_at = session.run(back_up(log.watching(Monitor(progress=show))))
    log.write("saved", {"saved_ms": saved_at * 1_000})
    note(f"The server saved its data at {datetime.fromtimestamp(saved_at, UTC):%Y-%m-%d %H:%M:%S} UTC.")
    note(
        "The file lies on the server: redis-cli CONFIG GET dir, and CONFIG GET dbfilename. Copy it from there."
    )


def say_not_saved() -> None:
    """For a dry run."""
    note("--backup: a dry run writes nothing, so nothing was saved.")
