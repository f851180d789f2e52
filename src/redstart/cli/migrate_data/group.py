"""The group `om migrate-data` and the module of each command."""

import click

from redstart.cli.main import LazyGroup
from redstart.next_steps import Command, Hint

_HERE = "redstart.cli.migrate_data"
COMMANDS = {
    "stats": (f"{_HERE}.stats:stats", "Count documents and values; estimate the time of a run."),
    "status": (f"{_HERE}.status:status", "Show the phase, and what is applied and pending."),
    "check-schema": (
        f"{_HERE}.status:check_schema",
        "Compare the dates in indexes with the models.",
    ),
    "run": (f"{_HERE}.run:run", "Convert the data, or resume an interrupted run."),
    "progress": (f"{_HERE}.stats:progress", "Show the progress of a running or interrupted run."),
    "verify": (f"{_HERE}.verify:verify", "Read every value again and report problems."),
    "errors": (f"{_HERE}.verify:errors", "List failed values, and count them by reason."),
    "rollback": (f"{_HERE}.rollback:rollback", "Restore the original values, byte for byte."),
    "clear-progress": (f"{_HERE}.maintenance:clear_progress", "Delete the progress of an interrupted run."),
    "drop-undo-log": (
        f"{_HERE}.maintenance:drop_undo_log",
        "Drop the undo log; no rollback is possible afterwards.",
    ),
    "create": (
        "redstart.cli.migrate.create:create_for_data",
        "Write a migration file with a template for functions.",
    ),
    "force-unlock": (f"{_HERE}.maintenance:force_unlock", "Remove the lease of a stuck run."),
}


REPLACED = {
    "datetime": Hint("Dates are converted by: ", Command("migrate-data run", "--models", "MODULE")),
}


@click.command("migrate-data", cls=LazyGroup, lazy=COMMANDS, replaced=REPLACED)
def migrate_data() -> None:
    """Convert stored dates and datetimes from text format to numeric format, verify the result, and roll back.

    Models are set with --models, with REDSTART_MODELS, or in pyproject.toml under [tool.redstart].
    """
