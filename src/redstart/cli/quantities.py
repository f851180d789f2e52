"""Times and sizes as text."""

import time


def duration(seconds: float) -> str:
    """Return seconds in a readable unit."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3_600:.1f} h"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the right form."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def rounded(number: int) -> int:
    """Return an estimated number with two significant digits: more would look exact."""
    digits = len(str(abs(number)))
    return number if digits <= 2 else round(number, 2 - digits)


def ago(then_ms: int) -> str:
    """Return how long ago a moment of the server's clock was, by the clock of this machine."""
    return f"{duration(max(0.0, time.time() - then_ms / 1_000))} ago"


def size(number: int) -> str:
    """Return bytes in a readable unit."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1_000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1_000
    return f"{amount:.1f} TB"
