"""Answers to the questions of `om migrate create`: from options, or typed on a terminal. Nothing is guessed."""

import shlex
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import click

from redstart.cli.output import fitted
from redstart.display import escaped, printable, shortened
from redstart.errors import ConfigurationError, ValueConversionError
from redstart.migrations.files.questions import NO, NO_VALUE, RENAME, REPLACE, Question, QuestionKind
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.operations.value_codec import ValueCodec
from redstart.migrations.operations.value_types import path_of
from redstart.next_steps import Command, Hint
from redstart.values.lossless_json import parse_json
from redstart.values.types import Storage

RENAMES = (
    QuestionKind.RENAMED_FIELD,
    QuestionKind.MOVED_FIELD,
    QuestionKind.RENAMED_MODEL,
    QuestionKind.MOVED_KEYS,
)
_QUALIFIED = (QuestionKind.RENAMED_FIELD, QuestionKind.MOVED_FIELD)


@dataclass(frozen=True, slots=True)
class Names:
    """The text with which an option names what a question is about.

    Attributes:
        old: what becomes something else: `shop.models.Order.name`, a model, or keys; what is removed, or gets a value.
        short: the same with the class only: `Order.name`.
        new: what it may become; "" if the question is not about a rename.
    """

    old: str
    short: str
    new: str

    @classmethod
    def of(cls, question: Question) -> "Names":
        """Return the names of a question."""
        path, new = "", question.new
        if question.kind is QuestionKind.RENAMED_FIELD:
            path = path_of(question.old, question.within)
        elif question.kind is QuestionKind.MOVED_FIELD:
            path = question.old
        elif question.kind in (QuestionKind.VALUE, QuestionKind.REPLACED_FIELD):
            path, new = path_of(question.new, question.within), ""
        elif question.kind is QuestionKind.REPLACED_MODEL:
            new = ""
        else:
            return cls(question.old, question.old, new)
        model, title = question.model, question.model.rpartition(".")[2]
        return cls(f"{model}.{path}", f"{title}.{path}", new) if path else cls(model, title, new)

    def matches(self, typed: str) -> bool:
        """Return whether a typed text names this."""
        return typed in (self.old, self.short)

    def value_in(self, typed: str) -> str | None:
        """Return what follows the name and `=` in a typed text; None if it names something else."""
        for name in (self.old, self.short):
            if typed.startswith(f"{name}="):
                return typed[len(name) + 1 :]
        return None

    def is_taken_by(self, typed: str, question: Question) -> bool:
        """Return whether a typed rename makes something else of the old name, or the new name of something else."""
        if self.value_in(typed) is not None:
            return True
        if question.kind in _QUALIFIED:
            models = (question.model, question.model.rpartition(".")[2])
            old, _, new = typed.rpartition("=")
            return new == self.new and old.startswith(tuple(f"{model}." for model in models))
        return typed.endswith(f"={self.new}")


@dataclass(slots=True)
class GivenAnswers:
    """The answers among the options of a command.

    Attributes:
        renames: of --rename.
        no_rename: nothing else was renamed.
        values: of --value.
        no_value: documents without a value stay unchanged.
        replaced: of --replace.
        unused: options that answer no question so far.
    """

    renames: Sequence[str]
    no_rename: bool
    values: Sequence[str]
    no_value: bool
    replaced: Sequence[str]
    unused: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.unused = dict.fromkeys(self.renames, "--rename")
        self.unused |= dict.fromkeys(self.values, "--value")
        self.unused |= dict.fromkeys(self.replaced, "--replace")

    def to(self, question: Question, after: ProjectState) -> Any:
        """Return the answer; None if the options have none.

        Raises:
            ConfigurationError: a value does not fit the type of its field.
        """
        names = Names.of(question)
        if question.kind in RENAMES:
            return self._rename(question, names)
        if question.kind is QuestionKind.VALUE:
            for typed in self.values:
                text = names.value_in(typed)
                if text is not None:
                    _ = self.unused.pop(typed, None)
                    return value_of(question, text, after)
            return NO_VALUE if self.no_value else None
        for typed in self.replaced:
            if names.matches(typed):
                _ = self.unused.pop(typed, None)
                return REPLACE
        return None

    def _rename(self, question: Question, names: Names) -> str | None:
        for typed in self.renames:
            if names.value_in(typed) == names.new:
                _ = self.unused.pop(typed, None)
                return RENAME
        if self.no_rename or any(names.is_taken_by(typed, question) for typed in self.renames):
            return NO
        return None

    def require_used(self) -> None:
        """Raise ConfigurationError if an option answers no question, because it may be misspelt."""
        for text, option in self.unused.items():
            raise ConfigurationError(
                f"{option} {printable(text)} fits no change of the models.",
                "Type the same command without it: its questions show how each name is written.",
            )


def value_of(question: Question, text: str, after: ProjectState) -> Any:
    """Return a typed value of the field of a question.

    Raises:
        ConfigurationError: it does not fit the type of the field.
    """
    wanted = after.model(question.model).field_at(question.new, question.within)
    codec, kind = ValueCodec(Storage.JSON), wanted.value_type
    try:
        if kind.is_compound:
            return codec.read(kind, parse_json(text.encode()), wanted.fields)
        return codec.parse(kind, text)
    except (ValueConversionError, ValueError) as exc:
        raise ConfigurationError(
            f"{shortened(text)} is not a value of {question.model}.{path_of(question.new, question.within)} "
            f"({wanted.type}): {printable(exc)}",
            "Write lists, maps and embedded models as JSON.",
        ) from exc


def typed_answer(question: Question, after: ProjectState) -> Any:
    """Ask on the terminal, and return the answer. Raises click.Abort, and ConfigurationError as `value_of`."""
    text = fitted(sys.stderr, escaped(str(question)))
    if question.kind in RENAMES:
        # No default: both answers change documents.
        return RENAME if click.confirm(text, default=None, err=True) else NO
    if question.kind is QuestionKind.VALUE:
        value = click.prompt(f"{text} (Enter: none)", default="", show_default=False, err=True)
        return value_of(question, value, after) if value else NO_VALUE
    click.confirm(text, abort=True, err=True)
    return REPLACE


def refuse_unanswered(questions: Collection[Question], name: str) -> NoReturn:
    """Raise ConfigurationError for open questions, with the options that answer them.

    Args:
        name: of the file to create.
    """
    lines = [f"  {question}\n    {' or '.join(_options(question))}" for question in questions]
    raise ConfigurationError(
        "The changes of the models can mean different things. No file was written.\n" + "\n".join(lines),
        Hint("Add these options, or answer on a terminal: ", Command("migrate create", name)),
    )


def _options(question: Question) -> Iterator[str]:
    """Yield the options that answer a question."""
    names = Names.of(question)
    if question.kind in RENAMES:
        yield _option("--rename", f"{names.old}={names.new}")
        yield "--no-rename"
    elif question.kind is QuestionKind.VALUE:
        yield _option("--value", f"{names.old}=VALUE")
        yield "--no-value"
    else:
        yield _option("--replace", names.old)


def _option(name: str, value: str) -> str:
    return f"{name} {shlex.quote(value)}"
