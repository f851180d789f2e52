"""The group, and where each command lives."""

import click

from redstart.cli.main import LazyGroup

_HERE = "redstart.cli.migrate_data"
COMMANDS = {
    "stats": (f"{_HERE}.assess:stats", "Count documents and values, estimate the time."),
    "status": (f"{_HERE}.status:status", "What is applied and what is pending."),
    "check-schema": (
        f"{_HERE}.check_schema:check_schema",
        "Whether the indexes take dates as the models say.",
    ),
    "run": (f"{_HERE}.run:run", "Convert; resumes what was interrupted."),
    "progress": (f"{_HERE}.assess:progress", "How far a running or interrupted migration is."),
    "verify": (f"{_HERE}.check:verify", "Read every value again and say what is wrong."),
    "errors": (f"{_HERE}.check:errors", "List the values that did not convert."),
    "rollback": (f"{_HERE}.rollback:rollback", "Undo, byte for byte."),
    "clear-progress": (f"{_HERE}.housekeeping:clear_progress", "Forget how far an interrupted run came."),
    "drop-undo-log": (f"{_HERE}.housekeeping:drop_undo_log", "Drop the undo log."),
    "force-unlock": (f"{_HERE}.housekeeping:force_unlock", "Break a stuck lease."),
}


REPLACED = {
    "create": "Data migration files are listed by om migrate-data status, and this version does not write or run them: "
    'docs/from-redis-om.md, "Migration files".',
    "datetime": "Dates are converted by: om migrate-data run --models MODULE",
}


@click.command("migrate-data", cls=LazyGroup, lazy=COMMANDS, replaced=REPLACED)
def migrate_data() -> None:
    """Convert datetimes and dates stored as ISO text to timestamps, verify it, undo it.

    The models are named with --models, REDSTART_MODELS, or in pyproject.toml under [tool.redstart].
    """
