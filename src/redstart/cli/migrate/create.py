"""`om migrate create`: write the changes of the models since the last migration file to a new one."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from redstart.cli.migrate.answers import GivenAnswers, refuse_unanswered, typed_answer
from redstart.cli.migrate.new_files import draw_created, history_of, write
from redstart.cli.migrate.project_files import migrations_root, root_of
from redstart.cli.model_loading import load_declarations
from redstart.cli.options import Settings, json_output, models_option, will_ask, yes
from redstart.cli.output import Tone, line, print_json
from redstart.migrations.files.autodetector import detect
from redstart.migrations.files.graph import require_single_head
from redstart.migrations.files.project_history import ProjectHistory
from redstart.migrations.files.questions import Question
from redstart.migrations.files.replay import require_valid, state_after
from redstart.migrations.files.writer import migration_source
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.state import ProjectState, state_of_models
from redstart.next_steps import Command, Hint

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
        line(
            "No pending schema changes detected: the models are as the migration files leave them.", Tone.DONE
        )
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
