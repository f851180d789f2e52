"""Migrations that modules start when they are imported: skipped where a process imports them for their models alone."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, str], None]
"""Is given the module that starts a migration, with its line, and the call."""

_reports: list[Report] = []


@contextmanager
def no_migrations(report: Report) -> Iterator[None]:
    """Skip the migrations that modules start meanwhile, also in threads and event loops of theirs, and report each."""
    _reports.append(report)
    try:
        yield
    finally:
        _reports.remove(report)


def is_skipped(call: str) -> bool:
    """Return whether a migration that is about to start is to be skipped. If so, it is reported."""
    for report in _reports[-1:]:
        report(_imported_module(), call)
    return bool(_reports)


def _imported_module() -> str:
    """Return the module that is being imported; a thread of its own is not below it."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    name = str(frame.f_globals.get("__name__"))
    return f"{name}, line {frame.f_lineno}," if frame.f_code.co_name == "<module>" else "A thread"
