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


_FILES = (
    "Schema migration files are listed by om migrate status, and this version does not write or run them: "
    'docs/from-redis-om.md, "Migration files". Indexes are created and replaced by: om migrate run --models MODULE'
)
REPLACED = {
    **dict.fromkeys(("create", "downgrade", "rollback"), _FILES),
    **dict.fromkeys(("--module", "-m"), "Type: om migrate run --models MODULE"),
    "reset": "An id is removed from the record of applied files by: SchemaMigrator().mark_unapplied(id)",
}


@click.command("migrate", cls=LazyGroup, lazy=COMMANDS, replaced=REPLACED)
def migrate() -> None:
    """Build the indexes that the models ask for beside those that serve, prove them, and let them take over without
    a moment in which a query misses a document."""
