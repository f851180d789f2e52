"""The group `om index` and the module of each command."""

import click

from redstart.cli.main import LazyGroup

_HERE = "redstart.cli.index"
COMMANDS = {
    "create": (f"{_HERE}.commands:create", "Create the indexes of models that have none."),
    "rebuild": (f"{_HERE}.commands:rebuild", "Build indexes again next to the active ones, and cut over."),
    "drop": (f"{_HERE}.commands:drop", "Drop the indexes of models; documents stay."),
}


@click.command("index", cls=LazyGroup, lazy=COMMANDS)
def index() -> None:
    """Create, rebuild and drop the indexes of models.

    All commands accept names of models; without names they apply to all models of --models. In production, use
    `om migrate run` or, in a project with migration files, `om upgrade`.
    """
