"""The option `--backup` of `om migrate-data run`."""

from datetime import UTC, datetime

import click

from redstart.cli.migrate_data.event_log import EventLog
from redstart.cli.output import note
from redstart.cli.progress import progress_display
from redstart.cli.session import Session
from redstart.migrations.context import Monitor
from redstart.migrations.data.backup import back_up

backup = click.option(
    "--backup", is_flag=True, help="First let the server save its data (BGSAVE), and wait until it is saved."
)


def back_up_first(session: Session, log: EventLog) -> None:
    """Let the server save its data, and print when it did. Raises what `back_up` does."""
    with progress_display() as show:
        saved_at = session.run(back_up(log.watching(Monitor(progress=show))))
    log.write("saved", {"saved_ms": saved_at * 1_000})
    note(f"The server saved its data at {datetime.fromtimestamp(saved_at, UTC):%Y-%m-%d %H:%M:%S} UTC.")
    note(
        "The file is on the machine of the server. Find it with: redis-cli CONFIG GET dir; redis-cli CONFIG GET "
        "dbfilename. Copy it to another place: the next save replaces it."
    )


def note_backup_skipped() -> None:
    """Print that a dry run makes no backup."""
    note("--backup has no effect on a dry run: no backup was made.")
