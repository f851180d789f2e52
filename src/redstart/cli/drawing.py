"""How things look on a terminal: the one file that draws. Everything here also reads well in a pipe."""

import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table

from redstart.cli.output import discard, line, note
from redstart.errors import UnsafeServer
from redstart.migrations.data.monitor import Progress as News

_PIPE_WIDTH = 2_000
_GAP = "  "
_WIDTH_WITH_BARS = 60
_WIDTH_OF_BAR = 10
"""With the gaps beside it."""
_LINE_EVERY_SECONDS = 5.0


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read this has gone; the command goes on to its own exit code."""
        discard(sys.stderr if self.stderr else sys.stdout)


def _console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; in a pipe so wide that nothing is cut."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return _Console(stderr=stderr, highlight=False, emoji=False, width=None if is_terminal else _PIPE_WIDTH)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A small table on stdout; numbers to the right, with thousands separated. It breaks lines between words only:
    where the terminal is too narrow for that, each row is a list of names and values."""
    out = _console()
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = _widths([*zip(*([columns, *cells]), strict=True)], out.width - len(_GAP) * (len(columns) - 1))
    with out.capture() as captured:
        wrapped = textwrap.fill(title, out.width, break_long_words=False, break_on_hyphens=False)
        out.print(escape(wrapped), style="bold", soft_wrap=True)
        if widths is not None:
            are_numbers = [
                bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(columns))
            ]
            out.print(_table(columns, cells, widths, are_numbers))
    # Rich fills every row with spaces to the table's width.
    text = "\n".join(row.rstrip() for row in captured.get().splitlines())
    line(text + "\n" if widths is not None else "\n".join([text, *_listed(columns, cells, out.width)]))


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


def heading(text: str) -> None:
    """A line on stdout that stands out on a terminal."""
    _console().print(escape(text), style="bold", soft_wrap=True)


def cropped(text: str) -> None:
    """A line on stdout, cut off where the terminal ends; whole in a pipe."""
    out = _console()
    out.print(
        escape(text), soft_wrap=not out.is_terminal, no_wrap=True, overflow="ellipsis", crop=out.is_terminal
    )


def show_cursor() -> None:
    """Undo what a progress bar did to the terminal when its process was killed."""
    out = _console(stderr=True)
    if out.is_terminal:
        out.show_cursor(True)
        out.print()


def pairs(rows: Sequence[tuple[str, object]]) -> None:
    """Names and values below each other on stdout."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        line(f"{name:<{width}}  {f'{value:,}' if isinstance(value, int) else value}")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3_600:.1f} h"


@contextmanager
def foreseeing_refusal() -> Iterator[None]:
    """Say of a check that fails in the block that a run would fail it."""
    try:
        yield
    except UnsafeServer as exc:
        line("")
        line(f"A run would be refused. {exc}")


def ago(then_ms: int) -> str:
    """How long ago a moment of the server's clock was, by this machine's."""
    return f"{duration(max(0.0, time.time() - then_ms / 1_000))} ago"


def size(number: int) -> str:
    """Bytes as people say them."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1_000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1_000
    return f"{amount:.1f} TB"


@contextmanager
def progress(*, every_step: bool = False) -> Iterator[Callable[[News], None]]:
    """Show progress on stderr: a bar with rate, time left and errors on a terminal, a line every 5 s elsewhere.

    Args:
        every_step: a line for each step instead, also on a terminal.
    """
    if every_step or not sys.stderr.isatty():
        yield _Lines(0.0 if every_step else _LINE_EVERY_SECONDS)
        return
    console = _console(stderr=True)
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), TextColumn("{task.fields[news]}")]
    if console.width >= _WIDTH_WITH_BARS:
        columns.insert(1, BarColumn(bar_width=None))
    bar = Progress(*columns, console=console, expand=True)
    with bar:
        yield _Bars(bar)


def _title(news: News) -> str:
    return f"{news.stage}, pass {news.number}" if news.number > 1 else news.stage


def _said(news: News, rate: float) -> dict[str, str]:
    """What is told of a step, in order, by what may be left out where there is no room."""
    said = {"done": f"{news.done:,} of {news.total:,}" if news.total else f"{news.done:,}"}
    if rate:
        said["rate"] = f"{rate:,.0f}/s"
    if rate and news.total > news.done:
        said["left"] = f"{duration((news.total - news.done) / rate)} left"
    if news.failures:
        said["errors"] = f"{news.failures:,} errors"
    return said


def _fitted(news: News, rate: float, room: int) -> str:
    """The same in `room` letters: less is said, but no number is cut off."""
    said = _said(news, rate)
    text = ", ".join(said.values())
    for least in ("rate", "left", "total", "errors"):
        if len(text) <= room:
            break
        if least == "total" and news.total:
            said["done"] = f"{news.done / news.total:.0%}"
        said.pop(least, None)
        text = ", ".join(said.values())
    return text


class _Rate:
    """Steps per second since a stage began."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = 0.0
        self._first = 0

    def of(self, news: News) -> float:
        stage = _title(news)
        if stage != self._stage:
            self._stage, self._began, self._first = stage, time.monotonic(), news.done
        return (news.done - self._first) / max(time.monotonic() - self._began, 1e-3)


class _Bars:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, Any] = {}
        self._latest: dict[str, tuple[News, float]] = {}
        self._rate = _Rate()

    def __call__(self, news: News) -> None:
        title = _title(news)
        self._latest[title] = news, self._rate.of(news)
        if title not in self._tasks:
            for task in self._tasks.values():
                self._bar.update(task, total=self._bar.tasks[task].completed)
            self._tasks[title] = self._bar.add_task(title, total=news.total or None, news="")
        width = self._bar.console.width
        room = width - max(map(len, self._tasks)) - (_WIDTH_OF_BAR if width >= _WIDTH_WITH_BARS else 1)
        for one, (latest, rate) in self._latest.items():
            said = _fitted(latest, rate, room)
            self._bar.update(self._tasks[one], completed=latest.done, news=said)


class _Lines:
    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._said_at = time.monotonic()
        self._rate = _Rate()

    def __call__(self, news: News) -> None:
        rate = self._rate.of(news)
        if time.monotonic() - self._said_at < self._every_seconds:
            return
        self._said_at = time.monotonic()
        note(f"{_title(news)}: {', '.join(_said(news, rate).values())}")
