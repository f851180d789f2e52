"""`om migrate merge`: join branches of migration files."""

from pathlib import Path

import click

from redstart.cli.migrate.new_files import draw_created, history_of, write
from redstart.cli.migrate.project_files import migrations_root, root_of
from redstart.cli.options import json_output, yes
from redstart.cli.output import Tone, line, print_json
from redstart.migrations.files.replay import merged_state
from redstart.migrations.files.writer import migration_source


@click.command()
@click.argument("name", default="merge")
@migrations_root()
@yes
@json_output
def merge(name: str, migrations_dir: Path | None, yes: bool, as_json: bool) -> None:
    """Write a file NAME that joins the branches of migration files: it depends on all heads.

    Needs no server. Refused if the branches conflict: if the models after them depend on which branch comes first.
    """
    root = root_of(migrations_dir)
    found = history_of(root)
    path: Path | None = None
    if len(found.heads) > 1:
        _ = merged_state(found.files, found.heads)
        path = write(root, name, migration_source(_description(found.heads), (), found.heads), assume_yes=yes)
    if as_json:
        print_json(
            {
                "path": None if path is None else str(path),
                "id": None if path is None else path.stem,
                "dependencies": [] if path is None else list(found.heads),
            }
        )
    elif path is None:
        line("Nothing to join: the migration files have one head at most.", Tone.DONE)
    else:
        draw_created(path, ())


def _description(heads: tuple[str, ...]) -> str:
    return f"Join {' and '.join(heads)}."
