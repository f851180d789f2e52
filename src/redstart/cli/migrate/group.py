"""The group, and where each command lives."""

import click

from redstart.cli.main import LazyGroup

_HERE = "redstart.cli.migrate"
COMMANDS = {
    "status": (f"{_HERE}.commands:status", "Show the index of each model, and how it differs."),
    "run": (f"{_HERE}.commands:run", "Create, build, repair and cut over indexes."),
    "swap-back": (
        f"{_HERE}.commands:swap_back",
        "Switch back to the previous indexes.",
    ),
    "cleanup": (f"{_HERE}.commands:cleanup", "Drop indexes that no alias points to."),
}


_FILES = (
    "This version lists schema migration files (om migrate status), and does not write or run them: see "
    '"Migration files" in the documentation. Create and replace indexes with: om migrate run --models MODULE'
)
REPLACED = {
    **dict.fromkeys(("create", "downgrade", "rollback"), _FILES),
    **dict.fromkeys(("--module", "-m"), "Use: om migrate run --models MODULE"),
    "reset": "Remove an id from the record of applied files with: SchemaMigrator().mark_unapplied(id)",
}


@click.command("migrate", cls=LazyGroup, lazy=COMMANDS, replaced=REPLACED)
def migrate() -> None:
    """Build the indexes of the models next to the active ones, and cut over.

    A coverage check precedes each cutover. No query misses a document at any time.
    """
