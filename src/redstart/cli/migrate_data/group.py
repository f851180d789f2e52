"""The group, and where each command lives."""

import click

from redstart.cli.main import LazyGroup

_HERE = "redstart.cli.migrate_data"
COMMANDS = {
    "stats": (f"{_HERE}.assess:stats", "Count documents and values, and estimate the time."),
    "status": (f"{_HERE}.status:status", "Show which migrations are applied and pending."),
    "check-schema": (
        f"{_HERE}.check_schema:check_schema",
        "Check how indexes store dates: as text, as numbers, or both.",
    ),
    "run": (f"{_HERE}.run:run", "Convert dates, or resume an interrupted run."),
    "progress": (f"{_HERE}.assess:progress", "Show the progress of a running or interrupted migration."),
    "verify": (f"{_HERE}.check:verify", "Read every value again and report problems."),
    "errors": (f"{_HERE}.check:errors", "List the values that could not be converted."),
    "rollback": (f"{_HERE}.rollback:rollback", "Undo a migration, byte for byte."),
    "clear-progress": (f"{_HERE}.housekeeping:clear_progress", "Delete the progress of an interrupted run."),
    "forget": (f"{_HERE}.housekeeping:forget", "Drop the undo log: rollback is no longer possible."),
    "unlock": (f"{_HERE}.housekeeping:unlock", "Remove the lease of a run that no longer exists."),
}


REPLACED = {
    "create": "This version lists data migration files (om migrate-data status), and does not write or run them: see "
    '"Migration files" in the documentation.',
    "datetime": "Convert dates with: om migrate-data run --models MODULE",
}


@click.command("migrate-data", cls=LazyGroup, lazy=COMMANDS, replaced=REPLACED)
def migrate_data() -> None:
    """Convert dates and datetimes stored as ISO text to Unix timestamps, verify them, and roll back.

    Models are given by --models, REDSTART_MODELS, or [tool.redstart] in pyproject.toml.
    """
