"""The display of the demo: a terminal in the command line, a recorder in the tests."""

from collections.abc import Sequence
from typing import Protocol


class Narrator(Protocol):
    """Shows the demo. Every call returns only after its text is written: the next command prints to the same stream."""

    def step(self, title: str) -> None:
        """Begin a step."""
        ...

    def say(self, text: str) -> None:
        """Show a sentence of the demo itself."""
        ...

    def notice(self, text: str) -> None:
        """Show what the step proves."""
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
        """Restore the terminal after a process was killed while it drew."""
        ...
