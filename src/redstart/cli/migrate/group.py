"""The group `om migrate` and the modules of its commands."""

import click

from redstart.cli.main import LazyGroup
from redstart.next_steps import Command, Hint

_HERE = "redstart.cli.migrate"
COMMANDS = {
    "status": (f"{_HERE}.commands:status", "Show each index and how it differs from its model."),
    "run": (f"{_HERE}.commands:run", "Build indexes and cut over to them."),
    "rollback": (f"{_HERE}.commands:rollback", "Switch back to the previous indexes."),
    "cleanup": (f"{_HERE}.commands:cleanup", "Drop indexes that no alias points to."),
}


FILES = Hint(
    "Redstart does not write or run schema migration files; ",
    Command("migrate status"),
    " lists them. Create and replace indexes with: ",
    Command("migrate run", "--models", "MODULE"),
)
REPLACED = {
    **dict.fromkeys(("create", "downgrade"), FILES),
    **dict.fromkeys(("--module", "-m"), Hint("Use: ", Command("migrate run", "--models", "MODULE"))),
    "reset": "To remove an ID from the record of applied files, call: SchemaMigrator().mark_unapplied(id)",
}


@click.command("migrate", cls=LazyGroup, lazy=COMMANDS, replaced=REPLACED)
def migrate() -> None:
    """Build the indexes of the models next to the active ones, and cut over.

    A coverage check precedes each cutover. No query misses a document at any time.
    """
