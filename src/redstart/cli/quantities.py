"""Times and sizes as people say them."""

import time


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3_600:.1f} h"


def ago(then_ms: int) -> str:
    """How long ago a moment of the server's clock was, by this machine's."""
    return f"{duration(max(0.0, time.time() - then_ms / 1_000))} ago"


def size(number: int) -> str:
    """Bytes as people say them."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1_000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1_000
    return f"{amount:.1f} TB"
