"""Exit codes, and how an error is shown."""

import json
import sys
from enum import IntEnum

import click

from redstart.errors import ConfigurationError, LeaseHeld, LeaseLost, RedisModelError, RedstartError


class Exit(IntEnum):
    """What a script can tell from `$?`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PENDING = 3
    HELD = 4
    STOPPED = 5
    FOUND = 6


def exit_of(error: RedstartError) -> Exit:
    """The exit code of an error."""
    if isinstance(error, ConfigurationError | RedisModelError):
        return Exit.USAGE
    if isinstance(error, LeaseHeld | LeaseLost):
        return Exit.HELD
    return Exit.FAILED


def report_error(error: RedstartError) -> int:
    """Say what failed on stderr; to a script that asked for JSON also on stdout. The exit code."""
    click.echo(f"Error: {error.message}", err=True)
    if error.hint is not None:
        click.echo(error.hint, err=True)
    code = exit_of(error)
    if "--json" in sys.argv:
        data = {"status": "error", "error": error.message, "hint": error.hint, "exit_code": int(code)}
        click.echo(json.dumps(data, ensure_ascii=False))
    return int(code)
