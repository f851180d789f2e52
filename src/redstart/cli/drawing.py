"""How things look on a terminal: the one file that draws. Everything here also reads well in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from redstart.cli.output import discard, line, note
from redstart.errors import UnsafeServer
from redstart.migrations.data.monitor import Progress as News

_PIPE_WIDTH = 2_000
_LINE_EVERY_SECONDS = 5.0


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read this has gone; the command goes on to its own exit code."""
        discard(sys.stderr if self.stderr else sys.stdout)


def _console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; in a pipe so wide that nothing is cut."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return _Console(stderr=stderr, highlight=False, width=None if is_terminal else _PIPE_WIDTH)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A small table on stdout; numbers to the right, with thousands separated."""
    drawn = Table(title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int) for row in rows)
        drawn.add_column(name, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row in rows:
        drawn.add_row(*(escape(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    out = _console()
    with out.capture() as captured:
        out.print(drawn)
    # Rich fills every row with spaces to the table's width.
    line("\n".join(row.rstrip() for row in captured.get().splitlines()) + "\n")


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
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[done]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[errors]}"),
        console=_console(stderr=True),
        expand=True,
    )
    with bar:
        yield _Bars(bar)


def _title(news: News) -> str:
    return f"{news.stage}, pass {news.number}" if news.number > 1 else news.stage


def _done(news: News) -> str:
    return f"{news.done:,} of {news.total:,}" if news.total else f"{news.done:,}"


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
        self._rate = _Rate()

    def __call__(self, news: News) -> None:
        title = _title(news)
        if title not in self._tasks:
            for task in self._tasks.values():
                self._bar.update(task, total=self._bar.tasks[task].completed)
            self._tasks[title] = self._bar.add_task(
                title, total=news.total or None, done="", rate="", errors=""
            )
        rate = self._rate.of(news)
        self._bar.update(
            self._tasks[title],
            completed=news.done,
            done=_done(news),
            rate=f"{rate:,.0f}/s" if rate else "",
            errors=f"{news.failures:,} errors" if news.failures else "",
        )


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
        said = [_done(news)]
        if rate:
            said.append(f"{rate:,.0f}/s")
        if rate and news.total > news.done:
            said.append(f"{duration((news.total - news.done) / rate)} left")
        if news.failures:
            said.append(f"{news.failures:,} errors")
        note(f"{_title(news)}: {', '.join(said)}")
