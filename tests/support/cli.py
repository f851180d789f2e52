"""`om` as a user runs it: in this process for speed, as a process of its own, or on a terminal."""

import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from redstart.cli.main import main
from tests.support.models import registry_of_its_own

ENDS_WITHIN_SECONDS = 60.0
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All it said."""
        return self.stdout + self.stderr

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout; AssertionError if anything else is there."""
        lines = self.stdout.splitlines()
        assert len(lines) == 1, self.stdout
        found = json.loads(lines[0])
        assert isinstance(found, dict)
        return found


class _Stream(io.TextIOWrapper):
    """A pipe in memory."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def run_om(*words: str, encoding: str = "utf-8", name: str = "om") -> Ended:
    """Run `om` in this process, without a terminal; its settings come from the environment and the directory.

    Args:
        name: as which it is typed.
    """
    stdout, stderr = _Stream(encoding), _Stream(encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *words])
        patch.setattr(sys, "stdin", io.StringIO())
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        patch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int)
    return Ended(code, stdout.text(), stderr.text())


def run_om_in(directory: Path, environment: Mapping[str, str], *words: str) -> Ended:
    """Run `om` in this process as in one that was started in a directory, which is quicker.

    Modules that it imports from the directory are imported again by the next one, and their models are gone.
    """
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch, registry_of_its_own():
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(directory)
        patch.syspath_prepend(directory)
        done = run_om(*words)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(directory):
                del sys.modules[name]
    return done


def refused(ended: Ended, code: int, *said: str) -> None:
    """Assert that it ended with this code, said all this on stderr, and showed no traceback."""
    assert ended.code == code, ended.text
    for words in said:
        assert words in ended.stderr, ended.stderr
    assert ended.stderr.startswith("Error: "), ended.stderr
    assert "Traceback" not in ended.text, ended.text


def om_command(*words: str) -> list[str]:
    """What starts `om` as a process of its own."""
    return [sys.executable, "-m", "redstart.cli.main", *words]


@contextmanager
def started_om(*words: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """`om` in the background; killed when the block ends, if it still runs."""
    with subprocess.Popen(
        om_command(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for it."""
    stdout, stderr = process.communicate(timeout=ENDS_WITHIN_SECONDS)
    return Ended(process.returncode, stdout, stderr)


@dataclass(frozen=True, slots=True)
class OnTerminal:
    """The output on a terminal, without colours and cursor movements; and the exit code."""

    code: int
    shown: str
    raw: bytes


def om_on_terminal(
    *words: str,
    answer: str = "",
    prompt: str = "[y/N]",
    interrupt_at: str = "",
    columns: int = 80,
    term: str = "xterm",
) -> OnTerminal:
    """Run `om` on a terminal; at the end of `prompt`, type `answer`, and when `interrupt_at` is shown, Ctrl-C.

    In a fork of this process: to start Python and to import everything takes longer than most commands.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    pid, terminal = pty.fork()
    if pid == 0:
        _be_om(words, columns, term)
    try:
        to_type = {prompt: f"{answer}\n" if answer else "", interrupt_at: "\x03"}
        raw = _dialogue(terminal, {at.encode(): keys.encode() for at, keys in to_type.items() if at and keys})
    finally:
        os.close(terminal)
    return OnTerminal(_exit_code(pid), _CONTROL.sub("", raw.decode(errors="replace")), raw)


def _be_om(words: Sequence[str], columns: int, term: str) -> NoReturn:
    """What the fork does: nothing of pytest goes on in it."""
    code = 70
    try:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ["TERM"] = term
        sys.argv = ["om", *words]
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else code
    finally:
        sys.stdout.flush()
        os._exit(code)


def _dialogue(terminal: int, to_type: dict[bytes, bytes]) -> bytes:
    raw = b""
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        readable, _, _ = select.select([terminal], [], [], 1.0)
        if not readable:
            continue
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # Linux' way to say that the other end is closed
            return raw
        if not data:
            return raw
        raw += data
        for shown in [text for text in to_type if text in raw]:
            os.write(terminal, to_type.pop(shown))
    return raw


def _exit_code(pid: int) -> int:
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("om did not end")
