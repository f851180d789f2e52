"""The display of the demo: a terminal in the command line, a recorder in the tests."""

from collections.abc import Sequence
from typing import Protocol


class Narrator(Protocol):
    """The display of the demo. Each call returns after its text is written: the next command uses the same stream."""

    def step(self, title: str) -> None:
        """Begin a step."""
        ...

    def say(self, text: str) -> None:
        """Show an explanation."""
        ...

    def notice(self, text: str) -> None:
        """Show the result of a step."""
        ...

    def problem(self, text: str) -> None:
        """Show a failed command, check or comparison."""
        ...

    def typed(self, command: str) -> None:
        """Show a command as a user types it."""
        ...

    def output(self, lines: Sequence[str]) -> None:
        """Show lines that a command printed."""
        ...

    def after_kill(self) -> None:
        """Restore the terminal after a process was killed while it displayed progress."""
        ...
