"""Tables and lines as they look on a terminal. Everything here also reads well in a pipe."""

import sys
import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from redstart.cli.output import Tone, as_typed, discard, line, note, styled_line
from redstart.display import escaped

_PIPE_WIDTH = 2_000
_GAP = "  "


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read this has gone; the command goes on to its own exit code."""
        discard(sys.stderr if self.stderr else sys.stdout)


def new_console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; in a pipe so wide that nothing is cut."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return _Console(stderr=stderr, highlight=False, emoji=False, width=None if is_terminal else _PIPE_WIDTH)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A small table on stdout; numbers to the right, with thousands separated. It breaks lines between words only:
    where the terminal is too narrow for that, each row is a list of names and values."""
    out = new_console()
    cells = [[f"{cell:,}" if isinstance(cell, int) else escaped(str(cell)) for cell in row] for row in rows]
    widths = _widths([*zip(*([columns, *cells]), strict=True)], out.width - len(_GAP) * (len(columns) - 1))
    with out.capture() as captured:
        wrapped = textwrap.fill(escaped(title), out.width, break_long_words=False, break_on_hyphens=False)
        out.print(escape(wrapped), style="bold", soft_wrap=True)
        if widths is not None:
            are_numbers = [
                bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(columns))
            ]
            out.print(_table(columns, cells, widths, are_numbers))
    # Rich fills every row with spaces to the table's width.
    text = "\n".join(row.rstrip() for row in captured.get().splitlines())
    styled_line(text + "\n" if widths is not None else "\n".join([text, *_listed(columns, cells, out.width)]))


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """How wide each column is, so that all of them fit and no word is broken; None where that cannot be."""
    widths = [max(map(cell_len, column)) for column in columns]
    least = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max((at for at, width in enumerate(widths) if width > least[at]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def _table(
    columns: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], are_numbers: Sequence[bool]
) -> Table:
    drawn = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0))
    for name, width, is_number in zip(columns, widths, are_numbers, strict=True):
        justify: JustifyMethod = "right" if is_number else "left"
        drawn.add_column(escape(_wrapped(name, width)), justify=justify, width=width)
    for row in cells:
        drawn.add_row(*(escape(_wrapped(cell, width)) for cell, width in zip(row, widths, strict=True)))
    return drawn


def _wrapped(text: str, width: int) -> str:
    """Words on lines of some width. Rich breaks words that fit, where characters are two cells wide."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def _listed(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> Iterator[str]:
    """Each row as names and values below each other; a value that does not fit beside its name stands below it."""
    width = max(map(len, columns))
    for row in cells:
        for name, cell in zip(columns, row, strict=True):
            beside = f"{_GAP}{name:<{width}}{_GAP}{cell}"
            yield beside if len(beside) <= room else f"{_GAP}{name}\n{_GAP}{_GAP}{cell}"
        yield ""


def styled(text: str, *, style: str) -> None:
    """Print text on stdout, in a style on a terminal."""
    new_console().print(escape(escaped(text)), style=style, soft_wrap=True)


def show_cursor() -> None:
    """Undo what a progress bar did to the terminal when its process was killed."""
    out = new_console(stderr=True)
    if out.is_terminal:
        out.show_cursor(True)
        out.print()


def pairs(rows: Sequence[tuple[str, object]]) -> None:
    """Print names and values below each other on stdout; numbers to the right."""
    width = max(len(name) for name, _ in rows)
    digits = max((len(f"{value:,}") for _, value in rows if isinstance(value, int)), default=0)
    for name, value in rows:
        line(f"{name:<{width}}  {f'{value:>{digits},}' if isinstance(value, int) else value}")


def paragraph(
    text: str, tone: Tone | None = None, *, indent: str = "", hanging: str = "", stderr: bool = False
) -> None:
    """Print text on stdout, or on stderr, broken between words where the terminal is too narrow.

    Args:
        indent: goes before the first line; `hanging` before the others.
    """
    width = new_console(stderr=stderr).width
    wrapped = textwrap.wrap(
        escaped(text),
        width,
        initial_indent=indent,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    write = note if stderr else line
    for part in wrapped:
        write(part, tone)


def next_step(text: str, command: str) -> None:
    """Print what a command is for, and the command: on a line of its own where one line is too narrow for both."""
    typed = as_typed(command)
    if len(f"{text}: {typed}") <= new_console().width:
        line(f"{text}: {typed}")
    else:
        paragraph(f"{text}:")
        line(f"{_GAP}{typed}")
