"""`serve` in a process of its own, as `om server` runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.support.processes import wait_until
from tests.support.servers import require_binaries

SERVES = """
import sys
from pathlib import Path
from redstart.devserver.foreground import serve
directory = Path(sys.argv[1]) if sys.argv[1:] else None
serve(port=0, directory=directory, append_only=bool(directory), announce=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    require_binaries()
    with subprocess.Popen(
        [sys.executable, "-c", SERVES, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def server_pid(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_a_url_and_stops_at_a_signal_to_its_group(how: signal.Signals, tmp_path: Path) -> None:
    with serving(str(tmp_path)) as (process, url):
        with redis.Redis.from_url(url) as client:
            client.set("kept", "yes")
        os.killpg(process.pid, how)
        output, errors = process.communicate(timeout=30)
        assert (output, errors, process.returncode) == ("stopped\n", "", 0)
        assert not Path(url.removeprefix("unix://")).parent.exists()
    with serving(str(tmp_path)) as (process, url), redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads which signals a process ignores")
def test_a_second_ctrl_c_does_not_interrupt_the_stop() -> None:
    with serving() as (process, url):
        pid = server_pid(url)
        os.kill(pid, signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: ignores(process.pid, signal.SIGINT), "the first Ctrl-C being taken")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        output, errors = process.communicate(timeout=30)
        assert (output, errors, process.returncode) == ("stopped\n", "", 0)


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether a process ignores a signal (proc(5), SigIgn)."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigIgn:")[2].split()[0], 16)
    return bool(mask >> (number - 1) & 1)


def test_a_server_that_ends_by_itself_is_an_error_with_its_log() -> None:
    with serving() as (process, url):
        os.kill(server_pid(url), signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 1
        assert output == ""
        assert "The development server ended by itself (exit status 0)." in errors
        assert "ready to exit" in errors
        assert not Path(url.removeprefix("unix://")).parent.exists()
