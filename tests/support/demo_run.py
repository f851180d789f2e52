"""One run of `om demo`, at which several tests look: no command takes longer."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import processes_naming

DOCUMENTS = 600
"""Enough for each step; the page shows a run of more."""

NAME = "redstart"
"""Not `om`: so it is seen whether each command is printed under the name that was typed."""


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A demo that has ended: what it printed into a pipe, and what it left behind."""

    code: int
    stdout: str
    stderr: str
    files: list[str]
    processes: list[str]


def demo_command(documents: int, name: str = NAME) -> list[str]:
    """Return what starts the demo as a process of its own."""
    start = f"import sys; sys.argv[0] = {name!r}; from redstart.cli.main import main; main()"
    return [sys.executable, "-c", start, "demo", "--documents", str(documents)]


def environment_of_demo(temporary: Path) -> dict[str, str]:
    """Return an environment with settings that would stop the demo at once if it read them."""
    return os.environ | {
        "REDSTART_MODELS": "no.such.module",
        "REDIS_OM_URL": "redis://nowhere.invalid:1",
        "TMPDIR": str(temporary),
    }


def run_demo_once() -> DemoRun:
    """Run the demo on few documents, typed as `redstart`."""
    with tempfile.TemporaryDirectory() as directory:
        temporary = Path(directory)
        done = subprocess.run(
            demo_command(DOCUMENTS),
            env=environment_of_demo(temporary),
            capture_output=True,
            text=True,
            check=False,
        )
        files = sorted(path.name for path in temporary.iterdir())
        return DemoRun(done.returncode, done.stdout, done.stderr, files, processes_naming(directory))
