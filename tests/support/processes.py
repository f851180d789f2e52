"""Looking at other processes, and waiting for them, always with a bound."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

POLL_INTERVAL_SECONDS = 0.01


def wait_until(condition: Callable[[], bool], what: str, timeout_seconds: float = 20.0) -> None:
    """Return once `condition()` is true; AssertionError naming `what` when it never was."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_seconds:g} seconds in vain for: {what}"
        time.sleep(POLL_INTERVAL_SECONDS)


def is_gone(pid: int) -> bool:
    """Whether no live process has this id. A zombie is gone: in a container no process may collect it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:  # no /proc (macOS), or it has gone just now
        return Path("/proc/self/stat").exists()


def processes_naming(text: str) -> list[str]:
    """The command lines, of all processes but this one, that contain `text`."""
    if Path("/proc/self/cmdline").exists():
        lines = [
            _command_line(entry) for entry in Path("/proc").glob("[0-9]*") if entry.name != str(os.getpid())
        ]
    else:
        lines = subprocess.run(
            ["ps", "-Aww", "-o", "args="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    return [line for line in lines if text in line]


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
