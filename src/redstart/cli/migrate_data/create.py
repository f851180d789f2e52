"""`om migrate-data create`: write a migration file for data, to be completed by hand."""

from pathlib import Path

import click

from redstart.cli.migrate.new_files import draw_created, history_of, write
from redstart.cli.migrate.project_files import migrations_root, root_of
from redstart.cli.options import json_output, yes
from redstart.cli.output import line, print_json
from redstart.migrations.files.graph import require_single_head
from redstart.migrations.files.writer import data_template


@click.command()
@click.argument("name")
@migrations_root(must_exist=False)
@yes
@json_output
def create(name: str, migrations_dir: Path | None, yes: bool, as_json: bool) -> None:
    """Write a migration file NAME with a template for functions that change documents.

    Needs no server. The file belongs to the same history as those of `om migrate create`.
    """
    root = root_of(migrations_dir)
    found = history_of(root)
    require_single_head(found.heads, found.where)
    description = " ".join(name.replace("_", " ").split()).capitalize()
    path = write(root, name, data_template(description, found.heads), assume_yes=yes)
    if as_json:
        print_json({"path": str(path), "id": path.stem, "dependencies": list(found.heads)})
    else:
        draw_created(path, ())
        line("Replace the model, the shapes and the functions in it by your own.")
