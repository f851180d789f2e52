"""`om demo`: a migration on a temporary server, from a preview to a rollback."""

from collections.abc import Sequence

import click

from redstart.cli import output, tables
from redstart.cli.exit_codes import Exit
from redstart.cli.output import wrapped
from redstart.demo.tour import Walk
from redstart.devserver.process import EmbeddedServer
from redstart.server.clients import open_sync

_MAX_WIDTH = 80
"""The width of sentences, also in a pipe."""


class TerminalNarrator:
    """Prints the demo on stdout: styled on a terminal, plain in a pipe."""

    def step(self, title: str) -> None:
        """Show a heading below an empty line."""
        output.line("")
        _paragraph(title, style="bold")

    def say(self, text: str) -> None:
        """Show a paragraph."""
        _paragraph(text)

    def notice(self, text: str) -> None:
        """Show a paragraph after an arrow."""
        _paragraph(text, "=> ", style="green")

    def problem(self, text: str) -> None:
        """Show a paragraph that begins with PROBLEM."""
        _paragraph(f"PROBLEM: {text}", style="bold red")

    def typed(self, command: str) -> None:
        """Show a command after a prompt."""
        tables.styled(f"$ {command}", style="bold")

    def output(self, lines: Sequence[str]) -> None:
        """Show lines that a command printed, wrapped on a terminal."""
        for text in lines:
            output.line(text)

    def after_kill(self) -> None:
        """Show the cursor, which a progress bar hides."""
        tables.show_cursor()


def _paragraph(text: str, first: str = "", *, style: str = "") -> None:
    """Show text in lines of at most 80 columns, the following lines indented."""
    width = min(_MAX_WIDTH, tables.new_console().width)
    tables.styled(wrapped(text, width, first, " " * len(first)), style=style)


@click.command()
@click.option(
    "--documents",
    type=click.IntRange(500, 1_000_000),
    default=20_000,
    show_default=True,
    metavar="N",
    help="Documents to migrate.",
)
def demo(documents: int) -> int:
    """Migrate sample documents on a temporary server.

    The demo previews the migration, starts a conversion, kills it with kill -9, resumes it, verifies, cuts over, rolls
    back, and compares every byte. It takes about a minute and leaves nothing behind.

    Requires: pip install -e '.[server]', in a checkout
    """
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
