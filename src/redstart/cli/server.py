"""`om server`: a development server in the foreground."""

from pathlib import Path

import click

from redstart.cli.output import line, note
from redstart.devserver.foreground import serve


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=6379,
    show_default=True,
    help="TCP port on 127.0.0.1; 0 for a unix socket only.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the data in this directory. A dump.rdb is loaded if there is no other data in it.",
)
def server(port: int, directory: Path | None) -> None:
    """Run a development server with JSON and search until Ctrl-C, and print its URL.

    Its data is deleted at the end, unless --directory is given.

    Requires: pip install -e '.[server]', in a checkout
    """

    def announce(url: str) -> None:
        line(url)
        note("Stop it with Ctrl-C.")

    serve(port=port, directory=directory, append_only=directory is not None, announce=announce)
