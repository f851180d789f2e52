"""Hints and their commands: as text, in errors, and that each command exists in `om`."""

import ast
import copy
import pickle
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import redstart
from redstart.cli.main import om
from redstart.errors import MigrationError, UnknownMigrationError
from redstart.next_steps import Command, Hint

SOURCES = Path(redstart.__file__).parent
SPELLED = re.compile(r"(?<![\w-])om (?=[a-z]+\b|--|\.\.\.)")
"""A command of `om` in a text."""
ANY = "1"
"""A value that is not known until the hint is made."""


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_a_shell_reads_the_arguments_of_a_command(arguments: list[str]) -> None:
    command = Command("migrate-data run", *arguments)
    assert shlex.split(str(command)) == ["om", "migrate-data", "run", *arguments]


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc"), min_size=1))
def test_arguments_that_were_added_can_be_left_out(some: list[str], others: list[str]) -> None:
    command = Command("migrate run", *some)
    more = command.adding("-x", *others)
    assert more.arguments == (*some, "-x", *others)
    assert more.without("-x", *others) == command
    assert command.without("-x", *others) == command


def test_a_hint_is_text_for_programs() -> None:
    hint = Hint(
        "Set TZ=UTC ", Command(), " ...\n", Hint("Or call: ", Command("migrate run", "--models", "a b"))
    )
    assert str(hint) == "Set TZ=UTC om ...\nOr call: om migrate run --models 'a b'"
    error = MigrationError("No.", hint)
    assert (error.hint, str(error)) == (str(hint), f"No.\n{hint!s}")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copied_error_has_the_commands(copied) -> None:
    error = UnknownMigrationError("x")
    assert error.next_step == Hint("List all with: ", Command("migrate-data status"))
    assert copied(error).next_step == error.next_step


def trees(containing: Sequence[str] = ("",)) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if any(part in text for part in containing):
            yield path.relative_to(SOURCES).as_posix(), ast.parse(text)


def spelled_commands(tree: ast.Module) -> list[ast.Constant]:
    """Return the strings with a command, except docstrings."""
    nodes = list(ast.walk(tree))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        node
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        if SPELLED.search(node.value)
    ]


def test_only_the_command_line_spells_its_commands() -> None:
    """Elsewhere a command is an object, so that `om` can render it with the server that it was given."""
    spelled = [
        f"{name}:{node.lineno}: {node.value}"
        for name, tree in trees()
        if name != "next_steps.py" and not name.startswith("cli/")
        for node in spelled_commands(tree)
    ]
    assert spelled == []


def test_the_command_line_spells_commands_in_help_only() -> None:
    """Texts that are printed have objects; the help of an option gets the name of the program from its formatter."""
    spelled = {
        f"{name}: {node.value}"
        for name, tree in trees()
        if name.startswith("cli/")
        for node in spelled_commands(tree)
    }
    assert spelled == {"cli/options.py: Server, as in om --url."}


CALLS = [
    pytest.param(node, id=f"{name}:{node.lineno}")
    for name, tree in trees(containing=("Command(", ".adding("))
    if name != "next_steps.py"
    for node in ast.walk(tree)
    if isinstance(node, ast.Call)
    if (isinstance(node.func, ast.Name) and node.func.id == "Command")
    or (isinstance(node.func, ast.Attribute) and node.func.attr == "adding")
]
"""All commands and additions in the source."""
COMMANDS_WITH_ADDITIONS = ("migrate-data run", "migrate-data rollback")


def test_commands_are_found() -> None:
    """Without commands the next test would test nothing."""
    named = {
        node.values[0].args[0].value
        for node in CALLS
        if node.values[0].args and is_text(node.values[0].args[0])
    }
    assert {"migrate run", "migrate-data rollback", "server"} <= named


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("node", CALLS)
def test_every_command_exists(node: ast.Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Click itself parses each, with its options; an addition has to fit a run and a rollback."""
    monkeypatch.setenv("REDIS_OM_URL", "redis://localhost:1")
    if isinstance(node.func, ast.Attribute):
        for name in COMMANDS_WITH_ADDITIONS:
            parse(name, ([] if name.endswith("run") else [ast.Constant("ID")]) + node.args)
    elif not node.args:
        assert ast.unparse(node) == "Command()"
    elif isinstance(node.args[0], ast.Constant):
        parse(node.args[0].value, node.args[1:])
    else:
        assert ast.unparse(node) in TYPED


TYPED = ("Command(ctx.command_path.partition(' ')[2], *arguments)", "Command(*self.resumed_by)")
"""The command that is being parsed, and the recorded one of an interrupted run: click has parsed both."""


def parse(name: str, arguments: list[ast.expr]) -> None:
    command: click.Command = om
    context = om.make_context("om", [*name.split()], resilient_parsing=True)
    for word in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None, name
        command = found
    with command.make_context(name, list(filled(command, arguments)), parent=context):
        pass


def filled(command: click.Command, arguments: list[ast.expr]) -> Iterator[str]:
    """Yield the words, with a valid value for each that is not known."""
    choices = {
        option: parameter.type.choices[0]
        for parameter in command.params
        if isinstance(parameter.type, click.Choice)
        for option in parameter.opts
    }
    before = ""
    for argument in arguments:
        if isinstance(argument, ast.Starred):
            continue
        word = argument.value if isinstance(argument, ast.Constant) else choices.get(before, ANY)
        assert isinstance(word, str)
        yield word
        before = word
