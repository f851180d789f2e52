"""Skip migrations that modules start on import, in a process that imports them only for their models."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, str], None]
"""Receives the module that starts a migration, with its line, and the call."""

_reports: list[Report] = []


@contextmanager
def no_migrations(report: Report) -> Iterator[None]:
    """Skip and report each migration that a module starts, also in its threads and event loops."""
    _reports.append(report)
    try:
        yield
    finally:
        _reports.remove(report)


def is_skipped(call: str) -> bool:
    """Return whether a migration that is about to start is skipped. If so, report it."""
    for report in _reports[-1:]:
        report(_imported_module(), call)
    return bool(_reports)


def _imported_module() -> str:
    """Return the module that is being imported, or "A thread" if none is on the stack."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    name = str(frame.f_globals.get("__name__"))
    return f"{name}, line {frame.f_lineno}," if frame.f_code.co_name == "<module>" else "A thread"
