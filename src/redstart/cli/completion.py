"""`om completion`: scripts that complete commands and options in a shell."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from redstart.cli.main import om
from redstart.cli.output import command_name, line

SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in SHELL: bash, zsh or fish.

    \b
    bash: add to ~/.bashrc:  eval "$(om completion bash)"
    zsh:  add to ~/.zshrc:   eval "$(om completion zsh)"
    fish: om completion fish > ~/.config/fish/completions/om.fish
    """  # noqa: D301 - click reads the backspace
    name = command_name()
    found = get_completion_class(shell)
    assert found is not None  # click contains all of them
    line(found(om, {}, name, f"_{name}_COMPLETE".upper()).source())
