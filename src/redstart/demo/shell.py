"""Run the commands of the demo exactly as they are printed, each in a process of its own."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from redstart.demo.narrator import Narrator

SETTINGS_PREFIXES = ("REDIS_OM_", "REDSTART_")


class Shell:
    """Runs `om ...` with given settings.

    Args:
        settings: environment variables, which replace all settings in the environment of the demo.
        narrator: shows each command.
        command: the name under which `om` was started.
    """

    def __init__(self, settings: dict[str, str], narrator: Narrator, command: str = "om") -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_PREFIXES)}
        # A pyproject.toml in the current directory may name another zone; the sample expects UTC.
        self._environment = kept | {"REDSTART_NAIVE_TIMEZONE": "UTC"} | settings
        self._narrator = narrator
        self._command = command

    def run(self, *words: str) -> int:
        """Run `om words...` on the stdout and stderr of this process. Return its exit code."""
        with self.start(*words) as process:
            return _finish(process)

    def run_abridged(self, *words: str, first: int, last: int) -> int:
        """Run `om words...`; show only the first and the last lines of its stdout. Return its exit code."""
        self._narrator.typed(self._typed(words))
        # subprocess.run kills the process when it is interrupted (Ctrl-C).
        done = subprocess.run(
            self._arguments(words),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
        lines = done.stdout.decode(errors="backslashreplace").splitlines()
        self._narrator.output(abridged(lines, first, last))
        return done.returncode

    def python(self, code: str) -> tuple[int, list[str]]:
        """Run `python -c code` and show its output. Return its exit code and the lines."""
        self._narrator.typed(f"python -c {shlex.quote(code)}")
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
        lines = done.stdout.decode(errors="backslashreplace").splitlines()
        self._narrator.output(lines)
        return done.returncode, lines

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start `om words...` without waiting for its end."""
        self._narrator.typed(self._typed(words))
        return subprocess.Popen(self._arguments(words), env=self._environment, stdin=subprocess.DEVNULL)

    def _typed(self, words: Sequence[str]) -> str:
        return shlex.join((self._command, *words))

    def _arguments(self, words: Sequence[str]) -> list[str]:
        """Return the arguments that start `om` under the name of this process."""
        start = f"import sys; sys.argv[0] = {self._command!r}; from redstart.cli.main import main; main()"
        return [sys.executable, "-c", start, *words]


def abridged(lines: Sequence[str], first: int, last: int) -> list[str]:
    """Return the first and the last lines, with the number of omitted lines between; all, if that saves nothing."""
    left_out = len(lines) - first - last
    if left_out <= 1:
        return list(lines)
    return [*lines[:first], f"[... {left_out} lines ...]", *lines[-last:]]


def _finish(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except BaseException:
        process.kill()  # before its server is stopped
        raise
