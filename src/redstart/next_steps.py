"""What to do next: text with commands of `om` as objects. Programs read it as plain text.

Only the command line knows the name, the server and the models with which it was started, so only it renders a command
with them (`cli/output.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from shlex import quote


@dataclass(frozen=True, slots=True, init=False)
class Command:
    """A command of `om`. As text: `om migrate-data run --include-prefix v:`, quoted for a shell.

    Attributes:
        name: group and subcommand, such as `migrate-data run`; empty for `om` itself.
        arguments: its arguments and options. A word in capitals, such as `ID`, is to be replaced.
    """

    name: str
    arguments: tuple[str, ...]

    def __init__(self, name: str = "", *arguments: str) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "arguments", arguments)

    def __str__(self) -> str:
        return self.rendered()

    def rendered(self, program: str = "om", options: tuple[str, ...] = ()) -> str:
        """Return the command line.

        Args:
            program: the name under which `om` was started.
            options: words that follow the name of the command.
        """
        return " ".join([program, *self.name.split(), *map(quote, (*options, *self.arguments))])

    def adding(self, *arguments: str) -> "Command":
        """Return the command with more arguments."""
        return Command(self.name, *self.arguments, *arguments)

    def without(self, *arguments: str) -> "Command":
        """Return the command without its first arguments that are these, in this order."""
        for at in range(len(self.arguments)):
            if self.arguments[at : at + len(arguments)] == arguments:
                return Command(self.name, *self.arguments[:at], *self.arguments[at + len(arguments) :])
        return self

    def with_option(self, name: str, value: str) -> "Command":
        """Return the command with a value of an option, in place of another value."""
        at = self.arguments.index(name) if name in self.arguments else len(self.arguments)
        return Command(self.name, *self.arguments[:at], *self.arguments[at + 2 :], name, value)


@dataclass(frozen=True, slots=True, init=False)
class Hint:
    """Text with commands in it, in the order in which they are read.

    Attributes:
        parts: texts and commands.
    """

    parts: tuple[str | Command, ...]

    def __init__(self, *parts: "str | Command | Hint") -> None:
        flat = (part.parts if isinstance(part, Hint) else (part,) for part in parts)
        object.__setattr__(self, "parts", tuple(one for some in flat for one in some))

    def __str__(self) -> str:
        return self.rendered(str)

    def rendered(self, render: Callable[[Command], str]) -> str:
        """Return the text, with each command as `render` returns it."""
        return "".join(part if isinstance(part, str) else render(part) for part in self.parts)
