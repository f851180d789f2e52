"""Text as wide as a terminal: broken between words only, and never inside a command to type."""

import os
import re
from typing import TextIO

_DEFAULT_WIDTH = 80
_OPTION = r" --?[a-z][\w-]*(?:[= ](?:'[^']*'|(?!om |redstart )[^\s'-]\S*))?"
_COMMAND = re.compile(
    rf"(?<![\w-])(?:om|redstart)(?:{_OPTION})*? (?:migrate-data|migrate|upgrade|downgrade|server|demo)(?![\w-])"
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
