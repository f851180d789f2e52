"""`om migrate-data create`: write a migration file for data, to be completed by hand."""

from collections.abc import Sequence
from pathlib import Path

import click

from redstart.cli.migrate.new_files import draw_created, history_of, write
from redstart.cli.migrate.project_files import migrations_root, root_of
from redstart.cli.options import json_output, yes
from redstart.cli.output import line, print_json
from redstart.errors import ConfigurationError
from redstart.migrations.files.graph import require_single_head
from redstart.migrations.files.project_history import ProjectHistory
from redstart.migrations.files.replay import state_after
from redstart.migrations.files.writer import data_template, migration_source
from redstart.migrations.operations.base import DocumentOperation
from redstart.migrations.operations.legacy_values import LegacyValues, legacy_operations
from redstart.next_steps import Command, Hint
from redstart.values.timezones import NaiveTimezone


@click.command()
@click.argument("name")
@click.option(
    "--template",
    type=click.Choice([one.value for one in LegacyValues]),
    help="Write the operations for values of earlier versions of redis-om, for all models of the migration files.",
)
@click.option(
    "--timezone", metavar="ZONE", help="For local-midnights: where the application ran, as Europe/Berlin."
)
@migrations_root(must_exist=False)
@yes
@json_output
def create(
    name: str,
    template: str | None,
    timezone: str | None,
    migrations_dir: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Write a migration file NAME with a template for functions that change documents.

    Needs no server. The file belongs to the same history as those of `om migrate create`. With --template, the file is
    complete: local-midnights are dates of redis-om 1.0, bytes and embedded-keys are of 0.x.
    """
    root = root_of(migrations_dir)
    found = history_of(root)
    require_single_head(found.heads, found.where)
    description = " ".join(name.replace("_", " ").split()).capitalize()
    operations: Sequence[DocumentOperation] = ()
    if template is None:
        source = data_template(description, found.heads)
    else:
        operations = _operations(found, LegacyValues(template), timezone)
        source = migration_source(description, operations, found.heads)
    path = write(root, name, source, assume_yes=yes)
    if as_json:
        print_json({"path": str(path), "id": path.stem, "dependencies": list(found.heads)})
    else:
        draw_created(path, operations)
        if operations:
            line(Hint("Review the file. See what a run would do with: ", Command("migrate plan")))
        else:
            line("Replace the model, the shapes and the functions in it by your own.")


def _operations(
    found: ProjectHistory, values: LegacyValues, timezone: str | None
) -> Sequence[DocumentOperation]:
    """Return the operations on all fields with such values.

    Raises:
        ConfigurationError: the zone is missing, there are no files, or no model has such a field.
    """
    if values is LegacyValues.LOCAL_MIDNIGHTS:
        if timezone is None:
            raise ConfigurationError(
                "Local midnights depend on the time zone of the application.",
                "Add --timezone, as --timezone Europe/Berlin.",
            )
        _ = NaiveTimezone.parse(timezone)
    state = state_after(found.files)
    if not state.models:
        raise ConfigurationError(
            "The migration files contain no models yet.",
            Hint(
                "Write the models to a first file with: ",
                Command("migrate create", "initial"),
                ". Record it with: ",
                Command("migrate stamp", "--to", "ID"),
            ),
        )
    operations = legacy_operations(state, values, timezone)
    if not operations:
        raise ConfigurationError(f"No model in the migration files has a field for the template {values}.")
    return operations
