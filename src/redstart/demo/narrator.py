"""What the walk needs of whoever shows it: the command line draws, the tests listen."""

from collections.abc import Sequence
from typing import Protocol


class Narrator(Protocol):
    """Shows the walk. What is shown must be out before the next command of the walk prints."""

    def chapter(self, title: str) -> None:
        """A new part of the story."""
        ...

    def say(self, text: str) -> None:
        """A line in the demo's own voice."""
        ...

    def problem(self, text: str) -> None:
        """A line about something that is not as it must be."""
        ...

    def typed(self, command: str) -> None:
        """A command as a user types it."""
        ...

    def output(self, lines: Sequence[str]) -> None:
        """Lines a command printed."""
        ...

    def after_kill(self) -> None:
        """Bring the terminal into order behind a process that was killed while it drew."""
        ...
