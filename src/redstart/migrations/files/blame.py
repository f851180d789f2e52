"""The source line of an error in a project's own files, and its message in one line."""

import sysconfig
import traceback
from pathlib import Path
from typing import Final

from redstart.display import printable, without_passwords
from redstart.errors import RedstartError
from redstart.migrations.files.imports import IN_PLACE_OF

_OTHERS: Final = (
    Path(__file__).parents[2],
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platlib", "purelib")),
)
"""Files of Redstart, of Python and of installed packages."""


def line_in(error: BaseException, source: str) -> int | None:
    """Return the line of a file in which the error was raised, or that led to it."""
    if isinstance(error, SyntaxError) and error.filename == source:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
    return lines[-1] if lines else None


def what_failed(error: BaseException, source: str) -> str:
    """Return the error as one line; with file and line, if it is in another of the project's files."""
    text = error.message if isinstance(error, RedstartError) else str(error)
    if isinstance(error, SyntaxError):
        text = error.msg
    elif isinstance(error, OSError) and error.strerror is not None:
        text = error.strerror
    place = _place(error)
    elsewhere = "" if place is None or place[0] == source else f" ({place[0]}, line {place[1]})"
    return printable(without_passwords(f"{type(error).__name__}: {text}".rstrip(": .") + elsewhere))


def way_on(error: BaseException, module: str) -> str | None:
    """Return the next step for a module that cannot be imported, or None."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    if str(error.name).partition(".")[0] in IN_PLACE_OF:
        ours = " and ".join(f"{theirs} to {own}" for theirs, own in IN_PLACE_OF.items())
        return f"Change its imports: {ours}."
    if f"{module}.".startswith(f"{error.name}."):
        return "Python's module path does not contain it. Module names have dots: package.module."
    return None


def _place(error: BaseException) -> tuple[str, int | None] | None:
    if isinstance(error, SyntaxError) and error.filename is not None:
        return error.filename, error.lineno
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and not any(map(Path(frame.filename).is_relative_to, _OTHERS))
    ]
    return frames[-1] if frames else None
