"""Tables and styled lines for a terminal; plain text in a pipe."""

import sys
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from redstart.cli.output import discard, line, styled_line, wrapped
from redstart.display import escaped
from redstart.next_steps import Command, Hint

_PIPE_WIDTH = 2_000
_GAP = "  "


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Discard all further output; the command continues to its exit code."""
        discard(sys.stderr if self.stderr else sys.stdout)


def new_console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal; in a pipe wide enough to cut nothing."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return _Console(stderr=stderr, highlight=False, emoji=False, width=None if is_terminal else _PIPE_WIDTH)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: numbers right-aligned, with thousands separators, and lines broken between words only.

    On a terminal that is too narrow for that, each row is printed as a list of names and values.
    """
    out = new_console()
    cells = [[f"{cell:,}" if isinstance(cell, int) else escaped(str(cell)) for cell in row] for row in rows]
    widths = _widths([*zip(*([columns, *cells]), strict=True)], out.width - len(_GAP) * (len(columns) - 1))
    with out.capture() as captured:
        out.print(escape(wrapped(escaped(title), out.width)), style="bold", soft_wrap=True)
        if widths is not None:
            are_numbers = [
                bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(columns))
            ]
            out.print(_table(columns, cells, widths, are_numbers))
    # Rich fills every row with spaces to the table's width.
    text = "\n".join(row.rstrip() for row in captured.get().splitlines())
    styled_line(text + "\n" if widths is not None else "\n".join([text, *_listed(columns, cells, out.width)]))


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return the width of each column, so that all fit and no word is broken; None if that is impossible."""
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
        drawn.add_column(escape(_cell(name, width)), justify=justify, width=width)
    for row in cells:
        drawn.add_row(*(escape(_cell(cell, width)) for cell, width in zip(row, widths, strict=True)))
    return drawn


def _cell(text: str, width: int) -> str:
    """Return a cell in lines. Rich breaks words that fit, where characters are two columns wide."""
    return wrapped(" ".join(text.split()), width)


def _listed(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> Iterator[str]:
    """Yield each row as a list of names and values; a value too long for the line of its name is on the next line."""
    width = max(map(len, columns))
    for row in cells:
        for name, cell in zip(columns, row, strict=True):
            pair = f"{_GAP}{name:<{width}}{_GAP}{cell}"
            yield pair if len(pair) <= room else f"{_GAP}{name}\n{_GAP}{_GAP}{cell}"
        yield ""


def styled(text: str, *, style: str = "") -> None:
    """Print text on stdout, in a style on a terminal."""
    new_console().print(escape(escaped(text)), style=style, soft_wrap=True)


def show_cursor() -> None:
    """Show the cursor, which the progress bar of a killed process has hidden."""
    out = new_console(stderr=True)
    if out.is_terminal:
        out.show_cursor(True)
        out.print()


def pairs(rows: Sequence[tuple[str, object]]) -> None:
    """Print names and values below each other on stdout; numbers to the right."""
    width = max((len(name) for name, _ in rows), default=0)
    digits = max((len(f"{value:,}") for _, value in rows if isinstance(value, int)), default=0)
    for name, value in rows:
        line(f"{name:<{width}}  {f'{value:>{digits},}' if isinstance(value, int) else value}")


def next_step(text: str, command: Command) -> None:
    """Print what a command is for, and the command as it is typed."""
    line(Hint(f"{text}: ", command))
