"""Writes the transcript in docs/demo.md and the picture docs/demo.svg, both from one run of `om demo`.

python docs/generate_demo.py
"""

import os
import pty
import re
import subprocess
import sys
import termios
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.terminal_theme import TerminalTheme

PAGE = Path(__file__).with_name("demo.md")
PICTURE = Path(__file__).with_name("demo.svg")
BEGIN, END = "<!-- transcript of om demo: begin -->\n```text\n", "```\n<!-- transcript of om demo: end -->\n"

PICTURE_STEPS = (3, 8)
LEFT_OUT = "[...]"
PICTURE_WIDTH = 80
TERMINAL_ROWS, TERMINAL_COLUMNS = 100, 2_000
"""No line is wrapped by a command, so the transcript is the same on every run."""

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
_FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def run_demo() -> list[str]:
    """Run `om demo` on a terminal. Return the lines of its stdout, with their colours.

    Progress bars, which depend on time, go to stderr and are left out.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "COLORTERM")
    }
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (TERMINAL_ROWS, TERMINAL_COLUMNS))
    with subprocess.Popen(
        [sys.executable, "-m", "redstart.cli.main", "demo"],
        env=environment | {"TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        output = _read_all(ours)
    lines = output.decode().replace("\r\n", "\n").strip("\n").split("\n")
    if process.returncode != 0:
        raise RuntimeError(f"om demo ended with exit code {process.returncode}:\n" + "\n".join(lines))
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


def page_transcript() -> str:
    """Return the transcript that docs/demo.md shows."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def excerpt(lines: list[str]) -> list[str]:
    """Return the lines of the steps that are in the picture, with or without their colours."""
    steps: dict[int, list[str]] = {}
    step = 0
    for line in lines:
        if found := re.match(r"(?:\x1b\[[\d;]*m)*(?:Step (\d+) of|Done in)", line):
            step = int(found[1] or 0)
        steps.setdefault(step, []).append(line)
    first, *others = (steps[number] for number in PICTURE_STEPS)
    return first + [line for lines in others for line in (LEFT_OUT, "", *lines)]


def picture(lines: list[str]) -> str:
    """Draw lines as a terminal of 80 columns shows them. The SVG loads nothing: GitHub would block that."""
    console = Console(record=True, width=PICTURE_WIDTH, file=StringIO(), force_terminal=True, highlight=False)
    for text in AnsiDecoder().decode("\n".join(lines).rstrip()):
        console.print(text, overflow="fold")
    drawn = console.export_svg(title="om demo", theme=THEME, unique_id="demo")
    return _EXTERNAL_FONTS.sub("", drawn).replace("Fira Code, monospace", _FONTS)


def picture_text() -> str:
    """Return the text in docs/demo.svg, line by line, without white space: lines are broken at the width."""
    found = [
        (float(element.get("y", 0)), float(element.get("x", 0)), element.text or "")
        for element in ElementTree.parse(PICTURE).iter("{http://www.w3.org/2000/svg}text")
        if element.get("clip-path")  # the title has none
    ]
    return "".join("".join(text for _, _, text in sorted(found)).split())


def write() -> None:
    """Run the demo, and write page and picture."""
    lines = run_demo()
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + plain(lines) + END + rest.partition(END)[2], encoding="utf-8")
    PICTURE.write_text(picture(excerpt(lines)), encoding="utf-8")


if __name__ == "__main__":
    write()
