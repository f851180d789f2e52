"""Progress of long work: bars on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

from redstart.cli.drawing import new_console
from redstart.cli.output import note
from redstart.cli.quantities import duration
from redstart.migrations.data.running.monitor import Progress as News

_WIDTH_WITH_BARS = 60
_WIDTH_OF_BAR = 10
"""With the gaps beside it."""
_LINE_EVERY_SECONDS = 5.0


@contextmanager
def drawn_progress(*, every_step: bool = False) -> Iterator[Callable[[News], None]]:
    """Show progress on stderr: a bar with rate, time left and errors on a terminal, a line every 5 s elsewhere.

    Args:
        every_step: a line for each step instead, also on a terminal.
    """
    if every_step or not sys.stderr.isatty():
        yield _Lines(0.0 if every_step else _LINE_EVERY_SECONDS)
        return
    console = new_console(stderr=True)
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
            # The total grows with documents that are created meanwhile; of a stage that has ended it is what was done.
            total = latest.total or None if one == title else latest.done
            self._bar.update(self._tasks[one], completed=latest.done, total=total, news=said)


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
