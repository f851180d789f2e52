"""Who holds a lease, and whether it is gone: only when that is certain."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.migrations import lease_state as holder_module
from redstart.migrations.lease_state import Holder, is_gone, this_process
from tests.support.processes import wait_until

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells what a process is")

NAMES = st.text(st.characters(codec="utf-8"))
HOLDERS = st.builds(Holder, NAMES, NAMES, NAMES, st.integers(0, 2**31), NAMES, NAMES)

TELL_WHO_I_AM = """
from redstart.migrations.lease_state import this_process
print(this_process().to_json(), flush=True)
input()
"""


@given(holder=HOLDERS)
def test_json_round_trip(holder: Holder) -> None:
    text = holder.to_json()
    assert "\n" not in text
    assert Holder.from_json(text) == holder
    assert Holder.from_json(text.encode()) == holder


def test_this_process_says_who_it_is() -> None:
    holder = this_process()
    assert holder.pid == os.getpid()
    assert str(holder).startswith(f"process {os.getpid()} on {holder.host} (")
    assert holder == this_process()


@pytest.mark.parametrize(
    ("program", "name"),
    [("/usr/bin/om", "om"), ("/lib/redstart/__main__.py", "python -m redstart"), ("manage.py", "manage.py")],
)
def test_the_command_of_a_holder_can_be_recognized(
    program: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [program, "migrate-data", "run", "--url", "redis://:secret@host"])
    assert this_process().command == f"{name} migrate-data run"


def test_this_process_is_not_gone() -> None:
    assert not is_gone(this_process())
    assert not is_gone(Holder.from_json(this_process().to_json()))


@needs_proc
def test_another_process_is_gone_once_it_has_ended() -> None:
    with another_process() as (process, holder):
        assert holder.pid == process.pid
        assert not is_gone(holder)
        process.kill()
        process.wait()
        assert is_gone(holder)


@needs_proc
def test_a_zombie_is_gone() -> None:
    """Nobody has collected its exit status, so its number is still taken; but it will never renew anything."""
    with another_process() as (process, holder):
        process.kill()
        stat = Path(f"/proc/{process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z", "the zombie")
        assert is_gone(holder)


@needs_proc
@pytest.mark.parametrize("answer", [None, PermissionError, OSError])
def test_a_process_that_may_not_be_seen_is_not_gone(
    monkeypatch: pytest.MonkeyPatch, answer: type[OSError] | None
) -> None:
    """As with hidepid=2, for one of the same user and of another, and where signals are forbidden altogether."""
    read, kill = holder_module._read, os.kill

    def hidden(path: str) -> str:
        return "" if path.startswith(f"/proc/{process.pid}/") else read(path)

    def refused(pid: int, number: int) -> None:
        kill(pid, number)
        if answer is not None:
            raise answer

    with another_process() as (process, holder):
        monkeypatch.setattr(holder_module, "_read", hidden)
        monkeypatch.setattr(os, "kill", refused)
        assert not is_gone(holder)
        monkeypatch.undo()
        process.kill()
        process.wait()
        monkeypatch.setattr(holder_module, "_read", hidden)
        assert is_gone(holder)


@needs_proc
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide a process")
def test_a_process_hidden_by_the_system_is_not_gone() -> None:
    ask = (
        "import sys; from redstart.migrations.lease_state import Holder, is_gone; "
        "print(is_gone(Holder.from_json(sys.argv[1])))"
    )
    with another_process() as (process, holder):
        hide = f'mount -t tmpfs none /proc/{process.pid} && exec "$0" -c "$1" "$2"'
        command = ["unshare", "-m", "sh", "-c", hide, sys.executable, ask, holder.to_json()]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            pytest.skip(f"this system does not let it be hidden: {ended.stderr}")
        assert ended.stdout == "False\n"


@needs_proc
def test_a_program_with_a_hostile_name_is_not_gone(tmp_path: Path) -> None:
    """The name stands in /proc/PID/stat before the fields that are read, brackets, blanks and all."""
    name = tmp_path / "a) Z 1 (b"
    name.symlink_to(sys.executable)
    with another_process(str(name)) as (_, holder):
        assert not is_gone(holder)


@needs_proc
def test_a_later_process_of_the_same_number_is_another() -> None:
    now = this_process()
    assert is_gone(replace(now, start_ticks=str(int(now.start_ticks) - 1)))


@needs_proc
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"boot_id": "00000000-0000-0000-0000-000000000000"},
        {"boot_id": ""},
        {"pid_namespace": "pid:[1]"},
        {"pid_namespace": this_process().pid_namespace.partition(" ")[0]},
        {"pid_namespace": ""},
    ],
)
def test_of_a_process_elsewhere_nothing_is_known(elsewhere: dict[str, str]) -> None:
    with another_process() as (process, holder):
        process.kill()
        process.wait()
        assert is_gone(holder)
        assert not is_gone(replace(holder, **elsewhere))


def test_another_name_of_this_host_does_not_matter() -> None:
    """Containers share a kernel and differ in name; machines share names. What counts is boot and namespace."""
    assert not is_gone(replace(this_process(), host="renamed"))


@contextmanager
def another_process(executable: str = sys.executable) -> Iterator[tuple[subprocess.Popen[str], Holder]]:
    """A process that waits, and what it says it is."""
    with subprocess.Popen(
        [executable, "-c", TELL_WHO_I_AM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, Holder.from_json(process.stdout.readline())
        finally:
            process.kill()
