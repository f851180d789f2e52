"""Text on stdout and stderr, in a terminal or a pipe. Imports nothing heavy: `om --help` uses it."""

import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import click

from redstart.display import escaped, has_credentials, without_password, without_passwords
from redstart.errors import AuthenticationError, ConfigurationError, MigrationError

_TARGETED = re.compile(
    r"(?<![\w-])(om migrate(?:-data)? (?:check|check-schema|cleanup|clear-progress|errors|forget|progress|rollback|run|"
    r"stats|status|unlock|verify))(?![\w-])"
)
"""Commands that take --url and --models."""
_OUR_COMMAND = re.compile(r"(?<![\w-])om (?=(?:migrate|migrate-data|server|demo)\b|--|\.\.\.)")


class Tone(StrEnum):
    """What a line means, as a colour of the terminal."""

    DONE = "green"
    WARNING = "yellow"
    ERROR = "red"


def prepare_streams() -> None:
    """Let a stream that cannot encode a character show its escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def command_name() -> str:
    """As what this program was typed: `redstart`, where another `om` exists, else `om`."""
    return "redstart" if Path(sys.argv[0]).stem == "redstart" else "om"


def as_typed(text: str) -> str:
    """Our own words, with each `om ...` in them under the name, and with the --url and --models, that were typed.

    So the next command means the same server. Not for keys and values, which may hold the same words.
    """
    options = "".join(f" {option}" for option in _typed_options(sys.argv[1:]))
    return named_as_typed(_TARGETED.sub(lambda found: found[1] + options, text) if options else text)


def named_as_typed(text: str) -> str:
    """As `as_typed`, without the options: for help."""
    return _OUR_COMMAND.sub(f"{command_name()} ", text)


def _typed_options(words: Sequence[str]) -> Iterator[str]:
    """--url and --models among the words of a command, each with its value. A password is not shown."""
    for word, following in pairwise([*words, ""]):
        name, has_value, value = word.partition("=")
        if name in ("--url", "--models"):
            said = value if has_value else following
            # A URL without its password is no URL to paste.
            yield f"{name} {'URL' if name == '--url' and has_credentials(said) else shlex.quote(concealed(said))}"


def concealed(text: str) -> str:
    """Our own text without the URLs with passwords that were given to this command."""
    words = [
        word.partition("=")[2] if word.startswith("--") and "=" in word else word for word in sys.argv[1:]
    ]
    given = [*words, os.environ.get("REDIS_OM_URL", "")]
    for url in {one for one in given if not one.startswith(("/", ".")) and has_credentials(one)}:
        text = text.replace(url, without_password(url))
    return text


def shown_message(text: str) -> str:
    """Return the message of an error without any password, whether this command was given it or the server sent it."""
    return without_passwords(concealed(text))


def line(text: str, tone: Tone | None = None) -> None:
    """Write a line to stdout; on a terminal in the colour of its tone."""
    styled_line(_toned(sys.stdout, escaped(text), tone))


def styled_line(text: str) -> None:
    """Write a line with escape sequences of a terminal to stdout; everything else in it has to be printable."""
    _write(sys.stdout, f"{text}\n")


def note(text: str, tone: Tone | None = None) -> None:
    """Write a line for people to stderr; on a terminal in the colour of its tone."""
    _write(sys.stderr, f"{_toned(sys.stderr, escaped(concealed(text)), tone)}\n")


def warn(text: str) -> None:
    """Write a warning to stderr."""
    note(f"Warning: {text}", Tone.WARNING)


def _toned(stream: TextIO, text: str, tone: Tone | None) -> str:
    if tone is None or not has_colors(stream):
        return text
    return click.style(text, fg=tone.value)


def has_colors(stream: TextIO) -> bool:
    """Return whether a stream is a terminal with colours, and NO_COLOR (https://no-color.org) is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_json(data: dict[str, Any]) -> None:
    """One object on stdout, in ASCII: no terminal or pipe can garble it."""
    line(json.dumps(data))


def note_from_signal(text: str) -> None:
    """A line on stderr, from a signal handler: it may have interrupted a write, so a thread waits for its turn.

    Past the stream it would be written into a progress bar, which then erases it.
    """
    threading.Thread(target=note, args=(text,)).start()


def refusal_by(check: Callable[[], object]) -> str | None:
    """Why a run would be refused, and on a second line what to type, if it would fail this check as well."""
    try:
        check()
    except (ConfigurationError, MigrationError) as exc:
        return as_typed(str(exc))
    except AuthenticationError as exc:  # who looks may have fewer rights than who will run it
        note(f"Not everything was checked. {exc.message}")
    return None


def draw_refusal(refusal: str | None) -> None:
    """That a run would be refused, if so."""
    if refusal is not None:
        line("")
        line(f"A run would be refused. {refusal}")


def discard(stream: TextIO) -> None:
    """Send what is still to come nowhere, for whoever read it has gone; the command goes on to its exit code."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard(stream)
