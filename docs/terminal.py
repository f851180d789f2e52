"""Runs commands on a terminal, and draws what it shows as an SVG."""

import os
import pty
import re
import subprocess
import termios
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.terminal_theme import TerminalTheme

TERMINAL_ROWS = 100

THEME = TerminalTheme(
    background=(24, 26, 31),
    foreground=(214, 217, 222),
    normal=[
        (63, 68, 81),
        (240, 113, 120),
        (152, 195, 121),
        (229, 192, 123),
        (97, 175, 239),
        (198, 120, 221),
        (86, 194, 204),
        (214, 217, 222),
    ],
)
_EXTERNAL_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_HEIGHT_OF_LINES = re.compile(r'(clip-terminal">\s*<rect x="0" y="0" width="[\d.]+" height=")([\d.]+)"')
_DESCENT = 5
"""Rich cuts the last line below its letters, so that underscores disappear: they need this number of units more."""
_FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def run_on_terminal(
    command: Sequence[str],
    columns: int,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    expected_code: int = 0,
) -> list[str]:
    """Run a command with its stdout on a terminal. Return the lines that it prints there, with their colours.

    Progress bars, which depend on time, go to stderr and are left out.
    """
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "COLORTERM")
    }
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (TERMINAL_ROWS, columns))
    with subprocess.Popen(
        command,
        env=inherited | {"TERM": "xterm-256color"} | dict(environment or {}),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        output = _read_all(ours)
    lines = output.decode().replace("\r\n", "\n").strip("\n").split("\n")
    if process.returncode != expected_code:
        raise RuntimeError(f"{command} ended with exit code {process.returncode}:\n" + "\n".join(lines))
    return lines


def _read_all(terminal: int) -> bytes:
    """Read until the last process has closed the other end, which Linux reports as an error."""
    parts: list[bytes] = []
    with open(terminal, "rb", buffering=0) as stream:
        try:
            while part := stream.read(65_536):
                parts.append(part)
        except OSError:
            pass
    return b"".join(parts)


def plain(lines: list[str]) -> str:
    """Return the text of lines, without colours and without spaces at their ends."""
    return "".join(f"{text.plain.rstrip()}\n" for text in AnsiDecoder().decode("\n".join(lines)))


def picture(lines: list[str], *, title: str, name: str, columns: int) -> str:
    """Draw lines as a terminal with a number of columns shows them. The SVG loads nothing: GitHub would block that.

    Args:
        name: a part of the names in the SVG; unique among the pictures of a page.
    """
    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True, highlight=False)
    for text in AnsiDecoder().decode("\n".join(lines).rstrip()):
        console.print(text, overflow="fold")
    drawn = console.export_svg(title=title, theme=THEME, unique_id=name)
    drawn = _HEIGHT_OF_LINES.sub(_with_descent, drawn)
    return _EXTERNAL_FONTS.sub("", drawn).replace("Fira Code, monospace", _FONTS)


def _with_descent(height: re.Match[str]) -> str:
    return f'{height[1]}{float(height[2]) + _DESCENT:.1f}"'


def text_of_picture(path: Path) -> str:
    """Return the lines in a picture, without spaces at their ends. Lines are broken at the width of the picture."""
    parts = sorted(
        (float(element.get("y", 0)), float(element.get("x", 0)), element.text or "")
        for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
        if element.get("clip-path")  # the title has none
    )
    lines = groupby(parts, key=lambda part: part[0])
    return "".join(
        "".join(text for _, _, text in line).replace("\N{NO-BREAK SPACE}", " ").rstrip() + "\n"
        for _, line in lines
    )
