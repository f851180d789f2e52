"""What is left on a terminal when a program moved the cursor up and erased lines, as a progress bar does."""

import re

_STEP = re.compile(r"\x1b\[(?P<count>\d*)(?P<what>[A-Za-z])|\x1b\[\?\d+[hl]|(?P<text>[^\x1b])", re.DOTALL)


def screen(raw: bytes) -> list[str]:
    """The lines that can be read in the end, of a terminal that is high and wide enough.

    It knows what rich sends: carriage return, line feed, cursor up, erase the line; colours are left out.
    """
    lines, row, column = [""], 0, 0
    for step in _STEP.finditer(raw.decode(errors="replace")):
        text, what = step["text"], step["what"]
        if text == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text == "\r":
            column = 0
        elif text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + 1 :]
            column += 1
        elif what == "A":
            row = max(0, row - int(step["count"] or 1))
        elif what == "K":
            lines[row] = ""
    return [line.rstrip() for line in lines]
