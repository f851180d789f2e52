"""Progress of long operations: bars on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

from redstart.cli.output import duration, note
from redstart.cli.tables import new_console
from redstart.migrations.context import Progress as Update

_MIN_WIDTH_WITH_BARS = 60
_MIN_BAR_WIDTH = 10
"""The gaps around the bar included."""
_SECONDS_BETWEEN_LINES = 5.0
_MAX_TITLE_CHARACTERS = 32
"""Of 80 columns, so that the bar and the numbers have room."""


@contextmanager
def progress_display(*, every_step: bool = False) -> Iterator[Callable[[Update], None]]:
    """Show progress on stderr: a bar for each stage on a terminal, a line every 5 s elsewhere.

    Args:
        every_step: print a line for each step instead, also on a terminal.
    """
    if every_step or not sys.stderr.isatty():
        yield _Lines(0.0 if every_step else _SECONDS_BETWEEN_LINES)
        return
    console = new_console(stderr=True)
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), TextColumn("{task.fields[detail]}")]
    if console.width >= _MIN_WIDTH_WITH_BARS:
        # The default styles of rich do not use the terminal's palette.
        bar_column = BarColumn(
            bar_width=None,
            style="bright_black",
            complete_style="magenta",
            finished_style="green",
            pulse_style="magenta",
        )
        columns.insert(1, bar_column)
    bar = Progress(*columns, console=console, expand=True)
    with bar:
        bars = _Bars(bar)
        yield bars
        bars.remove_transient()


def _title(update: Update) -> str:
    """Return the name of the stage, without the middle if it is long."""
    stage = update.stage
    if len(stage) > _MAX_TITLE_CHARACTERS:
        half = _MAX_TITLE_CHARACTERS // 2
        stage = f"{stage[: half - 1]}…{stage[-half:]}"
    return f"{stage}, pass {update.number}" if update.number > 1 else stage


def _details(update: Update, pace: "_Pace") -> dict[str, str]:
    """Return the parts of a line by the names that `_fitted` uses."""
    details = {}
    fraction = update.fraction
    if fraction is not None:
        details["percent"] = f"{fraction:.0%}"
    if update.unit != "%":
        details["done"] = f"{update.done:,} of {update.total:,}" if update.total else f"{update.done:,}"
        details["unit"] = update.unit
    if pace.rate and update.unit != "%":
        details["rate"] = f"{pace.rate:,.0f}/s"
    if pace.seconds_left:
        details["left"] = f"{duration(pace.seconds_left)} left"
    if update.failures:
        details["failed"] = f"{update.failures:,} failed"
    return details


def _joined(details: dict[str, str]) -> str:
    counted = " ".join(details[name] for name in ("done", "unit") if name in details)
    parts = [details.get("percent"), counted, *(details.get(name) for name in ("rate", "left", "failed"))]
    return ", ".join(part for part in parts if part)


def _fitted(details: dict[str, str], room: int) -> str:
    """Return the line in at most `room` characters: parts are omitted, but no number is cut."""
    shown = dict(details)
    for name in ("", "unit", "rate", "left", "done" if "percent" in details else "", "percent"):
        shown.pop(name, None)
        if len(_joined(shown)) <= room:
            break
    return _joined(shown)


class _Pace:
    """Rate and time left of a stage, measured from its first update.

    Attributes:
        rate: units per second; 0 while unknown.
        seconds_left: 0 while unknown, and at the end.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        self.seconds_left = 0.0
        self._stage = ""
        self._started_at = 0.0
        self._first_done = 0
        self._first_fraction = 0.0

    def update(self, update: Update) -> None:
        """Measure the time since the stage started, and estimate the rest."""
        title, fraction = _title(update), update.fraction or 0.0
        if title != self._stage:
            self._stage, self._started_at = title, time.monotonic()
            self._first_done, self._first_fraction = update.done, fraction
        seconds = max(time.monotonic() - self._started_at, 1e-3)
        self.rate = (update.done - self._first_done) / seconds
        per_second = (fraction - self._first_fraction) / seconds
        self.seconds_left = (1.0 - fraction) / per_second if per_second > 0 else 0.0


class _Bars:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, Any] = {}
        self._details: dict[str, dict[str, str]] = {}
        self._transient: set[str] = set()
        self._pace = _Pace()

    def remove_transient(self) -> None:
        """Remove the bars of transient stages."""
        for title in self._transient:
            self._bar.remove_task(self._tasks.pop(title))
            del self._details[title]
        self._transient.clear()

    def __call__(self, update: Update) -> None:
        self._pace.update(update)
        title = _title(update)
        if title not in self._tasks:
            self.remove_transient()
            for ended, task in self._tasks.items():
                self._bar.update(task, total=1.0, completed=1.0)
                details = self._details[ended]
                details.pop("left", None)
                # A stage of unknown size may end early, as when a sample is large enough.
                if details.get("percent") != "100%" and " of " not in details.get("done", " of "):
                    details.pop("percent", None)
            if update.is_transient:
                self._transient.add(title)
            self._tasks[title] = self._bar.add_task(title, total=1.0, detail="")
        self._details[title] = _details(update, self._pace)
        fraction = update.fraction
        total = None if fraction is None else 1.0
        self._bar.update(self._tasks[title], completed=fraction or 0.0, total=total)
        # A long title also leaves less room for the lines above it.
        width = self._bar.console.width
        room = width - max(map(len, self._tasks)) - (_MIN_BAR_WIDTH if width >= _MIN_WIDTH_WITH_BARS else 1)
        for name, task in self._tasks.items():
            self._bar.update(task, detail=_fitted(self._details[name], room))


class _Lines:
    def __init__(self, seconds_between: float) -> None:
        self._seconds_between = seconds_between
        self._printed_at = time.monotonic()
        self._printed = ""
        self._pace = _Pace()

    def __call__(self, update: Update) -> None:
        self._pace.update(update)
        if time.monotonic() - self._printed_at < self._seconds_between:
            return
        self._printed_at = time.monotonic()
        text = f"{_title(update)}: {_joined(_details(update, self._pace))}"
        if text != self._printed:
            self._printed = text
            note(text)
