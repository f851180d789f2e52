"""The group, and where each command lives."""

import click

from redstart.cli.main import LazyGroup

_HERE = "redstart.cli.migrate"
COMMANDS = {
    "status": (f"{_HERE}.commands:status", "What each model's index is, and what differs."),
    "run": (f"{_HERE}.commands:run", "Bring indexes as far as the data allows; the cut-over."),
    "swap-back": (
        f"{_HERE}.commands:swap_back",
        "Let indexes serve that accept the old data, before an undo.",
    ),
    "cleanup": (f"{_HERE}.commands:cleanup", "Drop indexes that no name leads to."),
}


@click.command("migrate", cls=LazyGroup, lazy=COMMANDS)
def migrate() -> None:
    """Build the indexes that the models ask for beside those that serve, prove them, and let them take over without
    a moment in which a query misses a document."""
