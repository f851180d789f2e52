"""Exit codes, and the output of an error."""

import sys
from collections.abc import Mapping
from enum import IntEnum

import click

from redstart.cli.output import (
    Tone,
    command_of,
    concealed,
    note,
    print_json,
    rendered,
    shown_message,
    with_server,
)
from redstart.errors import ConfigurationError, LeaseHeldError, LeaseLostError, RedisModelError, RedstartError
from redstart.next_steps import Hint


class Exit(IntEnum):
    """Process exit codes. One outcome has one code in every command.

    Attributes:
        DONE: the command has done all of its work, or there was none.
        FAILED: an error, or a refusal before the first write.
        USAGE: wrong options, settings or models.
        PENDING: work is left: `--check` found some, `verify` found data that no complete run has converted, an index
            refused a cutover or a rollback because documents would drop out of query results, or migration files are
            pending.
        LOCKED: another run holds the lease, or has taken it.
        INTERRUPTED: stopped with its progress saved; the same command resumes it.
        PROBLEMS_FOUND: a verification found problems, a rollback left values that it reports, or all documents of a
            model disappeared during a run.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    PENDING = 3
    LOCKED = 4
    INTERRUPTED = 5
    PROBLEMS_FOUND = 6


EXIT_OF_OUTCOME: Mapping[str, Exit] = {
    "done": Exit.DONE,
    "nothing_to_do": Exit.DONE,
    "dry_run": Exit.DONE,
    "skipped": Exit.DONE,
    "not_started": Exit.PENDING,
    "cutover_refused": Exit.PENDING,
    "pending": Exit.PENDING,
    "recorded_elsewhere": Exit.PENDING,
    "stopped": Exit.INTERRUPTED,
    "problems_found": Exit.PROBLEMS_FOUND,
}
"""The exit code of each `redstart.migrations.outcomes.Outcome`. By value: `om --help` does not load the enum."""


def exit_of(error: RedstartError) -> Exit:
    """Return the exit code of an error."""
    if isinstance(error, ConfigurationError | RedisModelError):
        return Exit.USAGE
    if isinstance(error, LeaseHeldError | LeaseLostError):
        return Exit.LOCKED
    return Exit.FAILED


def report_error(error: RedstartError) -> Exit:
    """Print an error and the next step; return its exit code."""
    return report(error.message, error.next_step, exit_of(error))


def report_usage(error: click.ClickException) -> Exit:
    """Print an error in the command line and the command that lists the options; return its exit code."""
    context = getattr(error, "ctx", None)
    no_arguments = getattr(click.exceptions, "NoArgsIsHelpError", ())  # since click 8.2
    if isinstance(error, no_arguments):
        note(error.format_message())
        return Exit.USAGE
    hint = Hint("See the options with: ", command_of(context, "--help")) if context is not None else None
    return report(error.format_message().replace("a valid integer range", "an integer"), hint, Exit.USAGE)


def report(message: str, hint: str | Hint | None, code: Exit) -> Exit:
    """Print an error on stderr and, with --json, as the one object on stdout; return its exit code."""
    message = shown_message(message)
    hint = None if hint is None else concealed(with_server(rendered(hint)))
    note(f"Error: {message}", Tone.ERROR)
    if hint is not None:
        note(hint)
    # A command line that cannot be parsed has no options yet: look for the word.
    if "--json" in sys.argv:
        print_json({"status": "error", "error": message, "hint": hint, "exit_code": int(code)})
    return code
