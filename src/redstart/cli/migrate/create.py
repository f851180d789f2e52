"""`om migrate create` and `merge`, and `om migrate-data create`: write a new migration file.

It has the changes of the models, joins branches, or is a template for functions.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from redstart.cli.migrate.answers import GivenAnswers, refuse_unanswered, typed_answer
from redstart.cli.migrate.project_files import load, load_redis_om, migrations_root, root_of
from redstart.cli.model_loading import load_declarations
from redstart.cli.options import Settings, confirm, json_output, models_option, will_ask, yes
from redstart.cli.output import Tone, line, print_json
from redstart.display import printable
from redstart.errors import ConfigurationError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.autodetector import detect
from redstart.migrations.files.graph import merged_state, require_single_head, require_valid, state_after
from redstart.migrations.files.ledger import Ledger
from redstart.migrations.files.project_history import ProjectHistory, project_history
from redstart.migrations.files.questions import Question
from redstart.migrations.files.writer import data_template, migration_source, new_id, write_file
from redstart.migrations.operations.base import DocumentOperation, Operation
from redstart.migrations.operations.legacy_values import LegacyValues, legacy_operations
from redstart.migrations.operations.state import ProjectState, state_of_models
from redstart.next_steps import Command, Hint
from redstart.values.timezones import NaiveTimezone


def history_of(root: Path) -> ProjectHistory:
    """Return the files of a directory in order, without the record on a server.

    Raises:
        ConfigurationError: the directory cannot be listed.
        MigrationFileError: a file cannot be used.
    """
    theirs = load_redis_om(root)
    others = {name for found in theirs for name in found.migrations}
    others |= {problem.migration_id for found in theirs for problem in found.problems}
    found = project_history(load(root), Ledger({}, {}), {*others, DATETIME_MIGRATION})
    found.require_usable()
    return found


def write(root: Path, name: str, source: str, *, assume_yes: bool) -> Path:
    """Write a new file, and ask before its directory is created.

    Raises:
        ConfigurationError: the name is invalid, or the file cannot be written.
    """
    migration_id = new_id(name, datetime.now(UTC))
    if not root.exists():
        confirm(f"Create the directory {printable(root)}?", assume_yes=assume_yes, default=True)
    return write_file(root, migration_id, source)


def draw_created(path: Path, operations: Sequence[Operation]) -> None:
    """Print the path of a new file, and what it changes."""
    line(f"Created migration: {printable(path)}", Tone.DONE)
    for operation in operations:
        line(f"  {operation.describe()}{'' if operation.is_reversible else ' (not reversible)'}")


Answer = Callable[[Question], Any]


@click.command()
@click.argument("name")
@click.option(
    "--rename",
    "renames",
    multiple=True,
    metavar="OLD=NEW",
    help="A renamed or moved field (Model.old=new), model, or key prefix. Repeatable.",
)
@click.option(
    "--no-rename", is_flag=True, help="Nothing else was renamed: old fields and models are removed."
)
@click.option(
    "--value",
    "values",
    multiple=True,
    metavar="MODEL.FIELD=VALUE",
    help="The value of a new field in documents that have none. Repeatable.",
)
@click.option("--no-value", is_flag=True, help="Documents without a value for a new field stay as they are.")
@click.option(
    "--replace",
    "replaced",
    multiple=True,
    metavar="MODEL[.FIELD]",
    help="Remove the values of a field, or the documents of a model, that cannot be converted. Repeatable.",
)
@click.option("--empty", is_flag=True, help="Write a file without operations, to be completed by hand.")
@migrations_root(must_exist=False)
@yes
@models_option
@json_output
def create(
    settings: Settings,
    name: str,
    renames: tuple[str, ...],
    no_rename: bool,
    values: tuple[str, ...],
    no_value: bool,
    replaced: tuple[str, ...],
    empty: bool,
    migrations_dir: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Compare the models with the migration files, and write the changes to a new file NAME for review.

    Needs no server. On a terminal it asks what the models do not show, such as renames; elsewhere, options answer these
    questions. The name of the file begins with the time.
    """
    root = root_of(migrations_dir)
    found = history_of(root)
    require_single_head(found.heads, found.where)
    operations: Sequence[Operation] = ()
    if not empty:
        given = GivenAnswers(renames, no_rename, values, no_value, replaced)
        before = state_after(found.files)
        after = state_of_models(load_declarations(settings.models))
        ask = partial(typed_answer, after=after) if will_ask(assume_yes=yes) else None
        answer = partial(given.to, after=after)
        operations = _detected(before, after, answer, ask, name)
        given.require_used()
        require_valid(operations, before)
    path: Path | None = None
    if operations or empty:
        source = migration_source(_description(name, operations), operations, found.heads)
        path = write(root, name, source, assume_yes=yes)
    if as_json:
        print_json(_report(path, found, operations))
    elif path is None:
        line("No pending schema changes detected: the migration files contain all of them.", Tone.DONE)
    else:
        draw_created(path, operations)
        if operations:
            line(Hint("Review the file. See what a run would do with: ", Command("migrate plan")))


def _detected(
    before: ProjectState, after: ProjectState, answer: Answer, ask: Answer | None, name: str
) -> Sequence[Operation]:
    """Return the operations between two states, after all questions are answered.

    Args:
        answer: returns the answer in the options; None without one.
        ask: returns the answer of a user; None without a terminal.
        name: of the file to create.

    Raises:
        ConfigurationError: a question has no answer in the options, and cannot be asked.
    """
    answers: dict[Question, Any] = {}
    while True:
        found = detect(before, after, answers)
        if not found.questions:
            return found.operations
        given = {question: answer(question) for question in found.questions}
        answers |= {question: one for question, one in given.items() if one is not None}
        unanswered = [question for question in found.questions if question not in answers]
        if unanswered and ask is None:
            refuse_unanswered(unanswered, name)
        # One at a time: the answer may make the others unnecessary.
        answers |= {question: ask(question) for question in unanswered[:1] if ask is not None}


def _description(name: str, operations: Sequence[Operation]) -> str:
    """Return the first line of the new file: what it changes, if that is short."""
    texts = [operation.describe() for operation in operations]
    return texts[0] if len(texts) == 1 else " ".join(name.replace("_", " ").split()).capitalize()


def _report(path: Path | None, found: ProjectHistory, operations: Sequence[Operation]) -> dict[str, Any]:
    return {
        "path": None if path is None else str(path),
        "id": None if path is None else path.stem,
        "dependencies": [] if path is None else list(found.heads),
        "operations": [{"text": one.describe(), "reversible": one.is_reversible} for one in operations],
    }


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
        path = write(
            root, name, migration_source(_description_of_merge(found.heads), (), found.heads), assume_yes=yes
        )
    if as_json:
        print_json(
            {
                "path": None if path is None else str(path),
                "id": None if path is None else path.stem,
                "dependencies": [] if path is None else list(found.heads),
            }
        )
    elif path is None:
        line("Nothing to merge: the migration files have at most one head.", Tone.DONE)
    else:
        draw_created(path, ())


def _description_of_merge(heads: tuple[str, ...]) -> str:
    return f"Join {' and '.join(heads)}."


@click.command()
@click.argument("name")
@click.option(
    "--template",
    type=click.Choice([one.value for one in LegacyValues]),
    help="Write the operations for values of earlier versions of redis-om, for all models of the migration files.",
)
@click.option(
    "--timezone",
    metavar="ZONE",
    help="For local-midnights: the time zone in which the application ran, such as Europe/Berlin.",
)
@migrations_root(must_exist=False)
@yes
@json_output
def create_for_data(
    name: str,
    template: str | None,
    timezone: str | None,
    migrations_dir: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Write a migration file NAME with a template for functions that change documents.

    Needs no server. The file belongs to the same history as those of `om migrate create`. With --template, the file is
    complete: local-midnights is for dates of redis-om 1.0, bytes and embedded-keys for values of 0.x.
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
            line("In the file, replace the model, its fields and the functions with your own.")


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
                "Local midnights depend on the time zone of the application. No file was written.",
                "Add the zone, for example: --timezone Europe/Berlin",
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
        raise ConfigurationError(
            f"No model in the migration files has a field for the template {values}. No file was written.",
            "If a model has such a field, write the model to a migration file first. Otherwise there is nothing to do.",
        )
    return operations
