"""Writes the transcript in docs/demo.md and the picture docs/demo.svg, both from one run of `om demo`.

python docs/generate_demo.py
"""

import re
import sys
from pathlib import Path

# As a script, and as a module of the tests.
sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.terminal import picture, plain, run_on_terminal, text_of_picture

PAGE = Path(__file__).with_name("demo.md")
PICTURE = Path(__file__).with_name("demo.svg")
BEGIN, END = "<!-- transcript of om demo: begin -->\n```text\n", "```\n<!-- transcript of om demo: end -->\n"

PICTURE_STEPS = (3, 8)
LEFT_OUT = "[...]"
PICTURE_COLUMNS = 80
TERMINAL_COLUMNS = 2_000
"""No line is wrapped by a command, so the transcript is the same on every run."""


def run_demo() -> list[str]:
    """Run `om demo` on a terminal. Return the lines of its stdout, with their colours."""
    return run_on_terminal([sys.executable, "-m", "redstart.cli.main", "demo"], TERMINAL_COLUMNS)


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


def picture_text() -> str:
    """Return the text in docs/demo.svg without white space: lines are broken at the width."""
    return "".join(text_of_picture(PICTURE).split())


def write() -> None:
    """Run the demo, and write page and picture."""
    lines = run_demo()
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + plain(lines) + END + rest.partition(END)[2], encoding="utf-8")
    drawn = picture(excerpt(lines), title="om demo", name="demo", columns=PICTURE_COLUMNS)
    PICTURE.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    write()
