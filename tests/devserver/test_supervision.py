"""The server ends with its parent, however that ends. The parents here are real Python processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from redstart.devserver.process import GATE, EmbeddedServer
from redstart.devserver.supervision import Reaper
from tests.support.processes import is_gone, processes_naming, wait_until
from tests.support.servers import require_binaries

STARTS_A_SERVER = """
import sys
from pathlib import Path
from redstart.devserver.process import EmbeddedServer
server = EmbeddedServer(directory=Path(sys.argv[1]) if sys.argv[1:] else None, append_only=True)
server.start()
print(server.pid, server.url.removeprefix("unix://"), flush=True)
sys.stdin.read()
"""


ANNOUNCES_ITS_START = """
import sys
from redstart.devserver.process import EmbeddedServer
server = EmbeddedServer()
print("starting", flush=True)
server.start()
sys.stdin.read()
"""


@contextmanager
def parent(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A Python process with a server: it, the server's process id, and its private directory."""
    require_binaries()
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_A_SERVER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            server_pid, socket_path = process.stdout.readline().split()
            yield process, int(server_pid), Path(socket_path).parent
        finally:
            process.kill()


def wait_until_nothing_is_left(server_pid: int, directory: Path) -> None:
    wait_until(lambda: is_gone(server_pid), "the end of the server")
    wait_until(lambda: not directory.exists(), "the removal of its directory")
    wait_until(lambda: not processes_naming(str(directory)), "the end of its reaper")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_parent_ends_the_server(how: signal.Signals) -> None:
    with parent() as (process, server_pid, directory):
        assert not is_gone(server_pid)
        assert directory.exists()
        process.send_signal(how)
        assert process.wait() == -how
        wait_until_nothing_is_left(server_pid, directory)


def test_a_parent_that_forgets_to_stop_takes_the_server_along() -> None:
    with parent() as (process, server_pid, directory):
        process.communicate()
        assert process.returncode == 0
        wait_until_nothing_is_left(server_pid, directory)


def test_a_named_directory_outlives_the_parent_and_keeps_what_was_written(tmp_path: Path) -> None:
    with parent(str(tmp_path)) as (process, server_pid, directory):
        with redis.Redis(unix_socket_path=str(directory / "socket")) as client:
            client.set("kept", "yes")
        process.kill()
        wait_until_nothing_is_left(server_pid, directory)
    with (
        EmbeddedServer(directory=tmp_path, append_only=True) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        assert client.get("kept") == b"yes"


def test_a_parent_killed_before_the_gate_opens_leaves_no_server() -> None:
    """The child waits behind a shell; without the word on its input it must not start the server."""

    def output(command: str, given: bytes) -> bytes:
        words = ["/bin/sh", "-c", GATE, "gate", command, "-"]
        return subprocess.run(words, input=given, capture_output=True, check=False).stdout

    assert output("echo", b"") == output("echo", b"g") == b""
    assert output("cat", b"go\nthe rest\n") == b"the rest\n"


def test_a_parent_killed_at_any_moment_of_the_start_leaves_no_process(temporary: Path) -> None:
    require_binaries()
    for milliseconds in range(0, 60, 4):
        with subprocess.Popen(
            [sys.executable, "-c", ANNOUNCES_ITS_START, str(temporary)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(milliseconds / 1000)
            process.kill()
        # Every process of a start carries the path of its socket in its command line.
        wait_until(lambda: not processes_naming(str(temporary)), f"the end of all after {milliseconds} ms")


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


def test_a_dismissed_reaper_touches_nothing(victim: subprocess.Popen[bytes], tmp_path: Path) -> None:
    Reaper(victim.pid, tmp_path, tmp_path / "none").dismiss()
    assert victim.poll() is None
    assert tmp_path.exists()


@contextmanager
def group(script: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process group of two, as of a server with a child: its shell, and the process id the shell prints."""
    with subprocess.Popen(
        ["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture
def listening(temporary: Path) -> Iterator[Path]:
    """A socket that is there, as that of a server at work."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(temporary / "socket"))
        yield temporary / "socket"


def lose_parent(reaper: Reaper) -> None:
    """What the end of the parent does: the kernel closes its end of the pipe."""
    assert reaper._shell.stdin is not None
    reaper._shell.stdin.close()


def test_a_reaper_kills_a_whole_group_that_ignores_sigterm(
    tmp_path: Path, listening: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redstart.devserver.supervision.GRACE_TENTHS_OF_A_SECOND", 1)
    with group("trap '' TERM; sleep 600 & echo $!; wait") as (process, child):
        reaper = Reaper(process.pid, tmp_path / "none", listening)
        lose_parent(reaper)
        assert process.wait() == -signal.SIGKILL
        wait_until(lambda: is_gone(child), "the end of the whole group")
        assert reaper._shell.wait() == 0


def test_a_reaper_lets_the_server_finish_its_writing_first(tmp_path: Path, listening: Path) -> None:
    written = tmp_path / "written"
    on_term = f"sleep 0.2; echo all > '{written}'; rm '{listening}'; exit 7"
    with group(f'trap "{on_term}" TERM; echo $$; while :; do sleep 0.05; done') as (process, _):
        lose_parent(Reaper(process.pid, tmp_path / "none", listening))
        process.wait()
    assert written.read_text() == "all\n"


def test_a_reaper_removes_its_directory_only_whatever_its_name(
    victim: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    directory = tmp_path / "a b'\"$(touch oops);*\n-é"
    (directory / "below").mkdir(parents=True)
    sibling = tmp_path / "a"
    sibling.mkdir()
    reaper = Reaper(victim.pid, directory, directory / "none")
    lose_parent(reaper)
    assert victim.wait() == -signal.SIGTERM
    assert reaper._shell.wait() == 0
    assert list(tmp_path.iterdir()) == [sibling]


def test_a_reaper_that_was_killed_or_hangs_does_not_prevent_the_stop(
    victim: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redstart.devserver.supervision.FAREWELL_TIMEOUT_SECONDS", 0.05)
    for how in (signal.SIGKILL, signal.SIGSTOP):
        reaper = Reaper(victim.pid, tmp_path, tmp_path / "none")
        os.kill(reaper._shell.pid, how)
        reaper.dismiss()
        assert is_gone(reaper._shell.pid)
