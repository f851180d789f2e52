"""Text on stdout and stderr, in a terminal or a pipe. Imports nothing heavy: `om --help` uses it.

In a terminal it is as wide as that: broken between words only, and never inside a command to type.
"""

import json
import os
import re
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import click

from redstart.display import escaped, has_credentials, without_password, without_passwords
from redstart.errors import AuthenticationError, ConfigurationError, MigrationError, RedstartError
from redstart.next_steps import Command, Hint

_DEFAULT_WIDTH = 80
_OPTION = r" --?[a-z][\w-]*(?:[= ](?:'[^']*'|(?!om |redstart )[^\s'-]\S*))?"
_COMMAND = re.compile(
    rf"(?<![\w-])(?:om|redstart)(?:{_OPTION})*? "
    r"(?:migrate-data|migrate|index|upgrade|downgrade|server|demo|completion)(?![\w-])"
    rf"(?: [a-z][a-z-]*(?![\w/-]|[.:]\w))?(?:{_OPTION}| \d\w*| [A-Z]+(?!\w))*"
)
"""A command in a sentence, with its arguments."""
_LAST_COMMAND = re.compile(rf"(.*\S:) ({_COMMAND.pattern}|(?:export|pip|python) \S.*)")
"""A sentence that ends with a command."""
_WORD = re.compile(r"( *)([^ ]+)")
_GAP = re.compile(r"\S {2,}(?=\S)")
_GLUE = "\0"
"""A space inside a command while text is wrapped. Text for a terminal has no control characters."""
_HYPHEN = "\1"
"""The same for a hyphen inside a word."""
_HYPHEN_IN_WORD = re.compile(r"(?<=\S)-(?=\S)")


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of a terminal; None if the stream is not a terminal."""
    if not stream.isatty():
        return None
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH
    except OSError:
        return _DEFAULT_WIDTH


def fitted(stream: TextIO, text: str) -> str:
    """Return text as it is written to a stream: wrapped on a terminal, unchanged in a pipe."""
    width = terminal_width(stream)
    return text if width is None else "\n".join(_fitted_line(line, width) for line in text.split("\n"))


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> str:
    """Return text in lines of at most `width` columns; a longer word has a line of its own.

    Args:
        first: the beginning of the first line.
        rest: the beginning of all other lines, except before a word that then exceeds the width.
    """
    lines: list[str] = []
    line, has_words = first, False
    for gap, word in _WORD.findall(text):
        longer = f"{line}{gap}{word}"
        if has_words and cells(longer) > width:
            lines.append(line)
            longer = (rest if cells(rest + word) <= width else "") + word
        line, has_words = longer, True
    return "\n".join([*lines, line])


def unbroken(text: str) -> str:
    """Return text in which click breaks no command and no word, to be written with `broken`."""
    return _HYPHEN_IN_WORD.sub(_HYPHEN, _glued(text))


def broken(text: str) -> str:
    """Return text from `unbroken` as it is written."""
    return text.replace(_GLUE, " ").replace(_HYPHEN, "-")


def _glued(text: str) -> str:
    return _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), text)


def cells(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - most text is ASCII

    return cell_len(text)


def _fitted_line(line: str, width: int) -> str:
    line = line.expandtabs()
    if cells(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")))
    last = _LAST_COMMAND.fullmatch(line)
    if last is not None:
        return f"{_fitted_line(last[1], width)}\n{indent}  {last[2]}"
    gap = _GAP.search(line)
    column = 0 if gap is None else cells(line[: gap.end()])
    rest = " " * column if 0 < column <= width // 2 else f"{indent}{'  ' if indent else ''}"
    return wrapped(_glued(line), width, rest=rest).replace(_GLUE, " ")


_FILE_COMMANDS = frozenset(
    (
        "downgrade",
        "upgrade",
        "migrate-data create",
        "migrate check",
        "migrate cleanup",
        "migrate create",
        "migrate current",
        "migrate history",
        "migrate merge",
        "migrate plan",
        "migrate rollback",
        "migrate show",
        "migrate stamp",
        "migrate sync",
    )
)
"""Commands on the migration files of the project, which accept --migrations-dir for the same directory."""
_FILE_WORDS = frozenset(name.rpartition(" ")[2] for name in _FILE_COMMANDS)
_ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "migrate create": ("--models",),
    "migrate merge": (),
    "migrate-data create": (),
}
"""Which of --url and --models are accepted by commands that do not accept both."""
_ACCEPTED_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "migrate-data run": ("--exclude-prefix", "--include-prefix"),
    **dict.fromkeys(
        (f"migrate-data {name}" for name in ("stats", "status", "check-schema", "verify")),
        ("--exclude-prefix",),
    ),
}
"""Which options that assign keys to models are repeated, by command. A rollback has those of its runs recorded."""
_REDIS_CLI = re.compile(r"(?<![\w-])redis-cli (?!-)")
_OUR_COMMAND = re.compile(
    r"(?<![\w-])om (?=(?:migrate|migrate-data|index|upgrade|downgrade|server|demo)\b|--|\.\.\.)"
)


class Tone(StrEnum):
    """The meaning of a line, shown by its style on a terminal, readable on white and on black."""

    DONE = "green"
    WARNING = "magenta"
    ERROR = "red"


def prepare_streams() -> None:
    """Let a stream that cannot encode a character show its escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def command_name() -> str:
    """Return the name under which this program was started: `om`, or `redstart` where another `om` exists."""
    return "redstart" if Path(sys.argv[0]).stem == "redstart" else "om"


def rendered(text: str | Hint | Command) -> str:
    """Return text in which each command has the name, --url and --models of the present command.

    So the next command uses the same server, models and keys, and the same directory of migration files.
    """
    if isinstance(text, Command):
        return _as_typed_again(text)
    return text if isinstance(text, str) else with_server(text.rendered(_as_typed_again))


def with_server(hint: str) -> str:
    """Return a hint in which each `redis-cli` names the server of the present command."""
    urls = [value for _, value in _typed_options(sys.argv[1:], ["--url"])]
    url = urls[-1] if urls else os.environ.get("REDIS_OM_URL", "")
    if not url:
        return hint
    # A URL without its password cannot be pasted.
    server = "-u URL" if has_credentials(url) else f"-u {shlex.quote(url)}"
    if url.startswith("unix://"):  # which redis-cli does not accept as a URL
        server = f"-s {shlex.quote(urlsplit(url).path)}"
    return _REDIS_CLI.sub(lambda _: f"redis-cli {server} ", hint)


def _as_typed_again(command: Command) -> str:
    words = sys.argv[1:]
    names = (
        list(_ACCEPTED.get(command.name, ("--url", "--models")))
        if command.name in _FILE_COMMANDS or " " in command.name
        else []
    )
    if command.name in _FILE_COMMANDS and not _FILE_WORDS.isdisjoint(words):
        names.append("--migrations-dir")
    typed = [pair for pair in _typed_options(words, names) if pair[0] not in command.arguments]
    named = set(pairwise(command.arguments))
    prefixes = _typed_options(words, _ACCEPTED_PREFIXES.get(command.name, ()))
    typed += [pair for pair in dict.fromkeys(prefixes) if pair not in named]
    return command.rendered(command_name(), tuple(word for pair in typed for word in pair))


def command_of(ctx: click.Context, *arguments: str) -> Command:
    """Return the command of a context, with these arguments."""
    return Command(ctx.command_path.partition(" ")[2], *arguments)


def named_as_typed(text: str) -> str:
    """Return a help text in which each command `om ...` has the name of the present command."""
    return _OUR_COMMAND.sub(f"{command_name()} ", text)


def _typed_options(words: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield some options among the arguments of a command, each with its value, without passwords."""
    for word, following in pairwise([*words, ""]):
        name, has_value, value = word.partition("=")
        name = "--models" if name in ("--module", "-m") else name
        if name in names:
            given = value if has_value else following
            # A URL without its password cannot be pasted.
            yield name, "URL" if name == "--url" and has_credentials(given) else concealed(given)


def concealed(text: str) -> str:
    """Return a message without the passwords of the URLs that this command was given."""
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


def line(text: str | Hint, tone: Tone | None = None) -> None:
    """Write a line to stdout. On a terminal it is wrapped between words, and styled by its tone."""
    styled_line(_toned(sys.stdout, fitted(sys.stdout, escaped(rendered(text))), tone))


def styled_line(text: str) -> None:
    """Write a line to stdout as it is: escape sequences of a terminal, and otherwise printable text."""
    _write(sys.stdout, f"{text}\n")


def note(text: str | Hint, tone: Tone | None = None) -> None:
    """Write a line to stderr. On a terminal it is wrapped between words, and styled by its tone.

    Args:
        tone: by default that of a warning, if the text begins with `Warning: `.
    """
    text = rendered(text)
    if tone is None and text.startswith("Warning: "):
        tone = Tone.WARNING
    _write(sys.stderr, f"{_toned(sys.stderr, fitted(sys.stderr, escaped(concealed(text))), tone)}\n")


def warn(text: str | Hint) -> None:
    """Write a warning to stderr."""
    note(Hint("Warning: ", text))


def _toned(stream: TextIO, text: str, tone: Tone | None) -> str:
    if tone is None or not has_colors(stream):
        return text
    return click.style(text, fg=tone.value)


def has_colors(stream: TextIO) -> bool:
    """Return whether text on a stream may be styled: on a terminal, unless NO_COLOR is set."""
    # https://no-color.org
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_json(data: dict[str, Any]) -> None:
    """Write one object to stdout, on one line and in ASCII: no terminal or pipe can garble it."""
    styled_line(json_text(data))


def json_text(data: dict[str, Any]) -> str:
    """Return an object as JSON. Hints and commands become text."""
    return json.dumps(data, default=rendered)


def note_from_signal(text: str) -> None:
    """Write a line to stderr from a signal handler, in a thread: the handler may have interrupted a write.

    A write that bypassed the stream would be erased by a progress bar.
    """
    threading.Thread(target=note, args=(text,)).start()


def error_text(error: RedstartError) -> str:
    """Return the message of an error and, on a second line, its hint."""
    return (
        error.message
        if error.next_step is None
        else f"{error.message}\n{with_server(rendered(error.next_step))}"
    )


def refusal_by(check: Callable[[], object]) -> str | None:
    """Return the message and hint of a run that fails this check; None if the check passes."""
    try:
        check()
    except (ConfigurationError, MigrationError) as exc:
        return error_text(exc)
    except AuthenticationError as exc:  # the user of a preview may have fewer permissions than that of a run
        note(f"Not everything was checked. {exc.message}")
    return None


def draw_refusal(refusal: str | None) -> None:
    """Print that a run would be refused, if so."""
    if refusal is not None:
        line("")
        line(f"A run would be refused. {refusal}")


def discard(stream: TextIO) -> None:
    """Discard all further output: its reader has exited. The command continues to its exit code."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def discard_unwritable(stream: TextIO) -> None:
    """Discard what a stream keeps and cannot write: the interpreter would try again at its end, and exit with 120."""
    try:
        stream.flush()
    except OSError:
        discard(stream)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard(stream)


SHOWN_SECONDS = 0.05
"""A shorter duration would be shown as 0.0 s."""


def duration(seconds: float) -> str:
    """Return seconds in a readable unit."""
    if seconds < SHOWN_SECONDS:
        return "less than 0.1 s"
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3_600:.1f} h"


def expected_duration(seconds: float) -> str:
    """Return an estimated duration, as `about 2.0 s`."""
    return duration(seconds) if seconds < SHOWN_SECONDS else f"about {duration(seconds)}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun in the right form."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def rounded(number: int) -> int:
    """Return an estimated number with two significant digits: more would look exact."""
    digits = len(str(abs(number)))
    return number if digits <= 2 else round(number, 2 - digits)


def ago(then_ms: int) -> str:
    """Return how long ago a moment of the server's clock was, by the clock of this machine."""
    return f"{_whole(max(0.0, time.time() - then_ms / 1_000))} ago"


def _whole(seconds: float) -> str:
    """Return seconds in a readable unit, without decimals."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h"


def size(number: int) -> str:
    """Return bytes in a readable unit."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1_000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1_000
    return f"{amount:.1f} TB"
