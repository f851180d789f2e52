"""`om server`: a scratch server in the foreground."""

from pathlib import Path

import click

from redstart.cli.output import line, note
from redstart.embedded.foreground import serve


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=6379, show_default=True, help="0: a unix socket only."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the data in this folder; if it holds no data but a dump.rdb, start with that.",
)
def server(port: int, directory: Path | None) -> None:
    """Run a scratch server with JSON and search, print its URL, and stop it at Ctrl-C. Its data is gone then,
    unless --directory names a place for it. Needs: pip install 'redstart[server]'"""

    def announce(url: str) -> None:
        line(url)
        note("Stop it with Ctrl-C.")

    serve(port=port, directory=directory, append_only=directory is not None, announce=announce)
