"""`--log-file`: the events of a command as JSON lines in a file."""

import os
import stat
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from redstart.cli.exit_codes import Exit, exit_of
from redstart.cli.output import concealed, json_text, note, rendered, shown_message, with_server
from redstart.cli.session import Session
from redstart.errors import ConfigurationError, RedstartError
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.failure import Failure

PROGRESS_EVERY_SECONDS = 1.0
_STDERR = -1
"""In place of the number of an open file."""

log_file = click.option(
    "--log-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Append events to PATH, one JSON object per line; - is stderr.",
)


_ENDS: dict[type[BaseException], tuple[str, Exit]] = {
    KeyboardInterrupt: ("interrupted", Exit.INTERRUPTED),
    click.Abort: ("not confirmed; nothing was done", Exit.FAILED),
}
"""Exceptions that end a command and are not errors of Redstart."""


def event_log(path: Path | None, command: str, session: Session) -> "EventLog":
    """Return the log of one command. Each line names the command, the migration and the server."""
    about = {"command": command, "migration": session.keys.migration_id, "where": session.where}
    return EventLog(path, {**about, "pid": os.getpid()})


class EventLog:
    """A context manager around the work of a command. It also logs an error that ends the work.

    Args:
        path: the file, which is created if its directory exists; None for no log.
        about: keys and values of each line.

    Raises:
        ConfigurationError: on entry, if the file cannot be written.
    """

    def __init__(self, path: Path | None, about: Mapping[str, str | int]) -> None:
        self._path = path
        self._about = about
        self._file: int | None = None
        self._progress_at = -PROGRESS_EVERY_SECONDS

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        try:
            self._file = _STDERR if self._path == Path("-") else _opened(self._path)
            self._append("started", {})
        except OSError as exc:
            self._close()
            hint = "Name a file in a writable directory."
            raise ConfigurationError(f"--log-file {self._path}: {exc.strerror}.", hint) from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.write("failed", _what_failed(error))
        self._close()

    def watching(self, monitor: Monitor) -> Monitor:
        """Return the same monitor; its events are also written to the file."""
        show, note_failure = monitor.progress, monitor.failure

        def progress(update: Progress) -> None:
            show(update)
            self._write_progress(update)

        def failure(failure: Failure) -> None:
            note_failure(failure)
            self.write("failure", failure.as_dict())

        if self._file is not None:
            monitor.progress, monitor.failure = progress, failure
        return monitor

    def ended(self, report: Mapping[str, Any], code: Exit) -> None:
        """Write the result of the command, as `--json` prints it, and its exit code."""
        event = "stopped" if code is Exit.INTERRUPTED else "completed"
        self.write(event, {"result": report, "exit_code": code})

    def write(self, event: str, fields: Mapping[str, object]) -> None:
        """Write one line. A file that cannot be written any more causes one note, and does not end the work."""
        try:
            self._append(event, fields)
        except OSError as exc:
            self._close()
            note(f"--log-file {self._path}: {exc.strerror}. Logging has stopped; the command continues.")

    def _write_progress(self, update: Progress) -> None:
        if time.monotonic() - self._progress_at < PROGRESS_EVERY_SECONDS:
            return
        self._progress_at = time.monotonic()
        self.write(
            "progress",
            {
                "stage": update.stage,
                "pass": update.number,
                "done": update.done,
                "total": update.total,
                "failed": update.failures,
            },
        )

    def _append(self, event: str, fields: Mapping[str, object]) -> None:
        if self._file is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = json_text({"time": now, "event": event, **self._about, **fields})
        if self._file == _STDERR:
            note(text)
            return
        line = text.encode() + b"\n"
        # One unbuffered write: lines stay whole if this process is killed, or if two processes write at once.
        while line:
            line = line[os.write(self._file, line) :]

    def _close(self) -> None:
        if self._file not in (None, _STDERR):
            os.close(self._file)
        self._file = None


def _what_failed(error: BaseException) -> dict[str, object]:
    """Return an error as `--json` prints it."""
    if isinstance(error, RedstartError):
        return {
            "error": shown_message(error.message),
            "hint": None if error.next_step is None else concealed(with_server(rendered(error.next_step))),
            "exit_code": exit_of(error),
        }
    text, code = _ENDS.get(type(error), (str(error) or type(error).__name__, Exit.FAILED))
    return {"error": shown_message(text), "hint": None, "exit_code": code}


def _opened(path: Path) -> int:
    """Open a file for appending, at the beginning of a line: a crash of the machine may have left half a line."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    found = os.fstat(file)
    if stat.S_ISREG(found.st_mode) and found.st_size and os.pread(file, 1, found.st_size - 1) != b"\n":
        os.write(file, b"\n")
    return file
