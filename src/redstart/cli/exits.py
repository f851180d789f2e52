"""Exit codes, and how an error is shown."""

import sys
from enum import IntEnum

import click

from redstart.cli.output import as_typed, concealed, note, print_json, shown_message
from redstart.errors import ConfigurationError, LeaseHeldError, LeaseLostError, RedisModelError, RedstartError


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
    if isinstance(error, LeaseHeldError | LeaseLostError):
        return Exit.HELD
    return Exit.FAILED


def report_error(error: RedstartError) -> Exit:
    """Say what failed, and what to type next."""
    return report(error.message, error.hint, exit_of(error))


def report_usage(error: click.ClickException) -> Exit:
    """Say what is wrong with the command line, and how it would be right."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        note(error.format_message())
        return Exit.USAGE
    hint = f"See the options with: {context.command_path} --help" if context is not None else None
    return report(error.format_message(), hint, Exit.USAGE)


def report(message: str, hint: str | None, code: Exit) -> Exit:
    """An error on stderr; to a script that asked for JSON also as the one object on stdout."""
    message = shown_message(message)
    hint = None if hint is None else concealed(as_typed(hint))
    note(f"Error: {message}")
    if hint is not None:
        note(hint)
    # Asked of the words themselves: what cannot be parsed has no options yet.
    if "--json" in sys.argv:
        print_json({"status": "error", "error": message, "hint": hint, "exit_code": int(code)})
    return code
