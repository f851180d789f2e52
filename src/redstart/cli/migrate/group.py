"""The group `om migrate` and the modules of its commands."""

import click

from redstart.cli.main import LazyGroup
from redstart.next_steps import Command, Hint

_HERE = "redstart.cli.migrate"
COMMANDS = {
    "status": (f"{_HERE}.status:status", "Show each index and how it differs from its model."),
    "run": (f"{_HERE}.run:run", "Build indexes and cut over, or apply migration files."),
    "create": (f"{_HERE}.create:create", "Write the changes of the models to a new migration file."),
    "plan": (f"{_HERE}.plan:plan", "Show what the pending migration files change."),
    "check": (f"{_HERE}.check:check", "Exit with 3 if models, migration files and server differ."),
    "history": (f"{_HERE}.history:history", "List the migration files, and when each was applied."),
    "current": (f"{_HERE}.history:current", "Show the last applied migration file."),
    "show": (f"{_HERE}.history:show", "Show one migration file."),
    "sync": (f"{_HERE}.sync:sync", "Make indexes fit the models without a file, in development."),
    "merge": (f"{_HERE}.create:merge", "Join two branches of migration files."),
    "stamp": (f"{_HERE}.stamp:stamp", "Record a migration file as applied without running it."),
    "rollback": (f"{_HERE}.rollback:rollback", "Roll back a migration file, or the indexes."),
    "downgrade": (
        f"{_HERE}.redis_om_record:downgrade",
        "Roll back the last schema migration files of redis-om.",
    ),
    "reset": (
        f"{_HERE}.redis_om_record:reset",
        "Clear the record of the schema migration files of redis-om.",
    ),
    "cleanup": (
        f"{_HERE}.cleanup:cleanup",
        "Complete files when the old version is stopped; drop unused indexes.",
    ),
}


REPLACED = {
    **dict.fromkeys(("--module", "-m"), Hint("Use: ", Command("migrate run", "--models", "MODULE"))),
}


@click.command("migrate", cls=LazyGroup, lazy=COMMANDS, replaced=REPLACED)
def migrate() -> None:
    """Build the indexes of the models next to the active ones, and cut over; write and record migration files.

    A coverage check precedes each cutover. No query misses a document at any time.
    """
