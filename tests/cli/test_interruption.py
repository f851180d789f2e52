"""A run as a process: stopped by signals, beside another, cut off from its reader."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import redis

from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.support.cli import Ended, ended, om_command, refused, run_om, started_om
from tests.support.migration import has_begun_to_write
from tests.support.processes import wait_until
from tests.support.sample import load_sample
from tests.support.snapshot import STATE_PREFIXES, difference, snapshot

RUN = ("migrate-data", "run", "--batch-size", "2")
"""Slow on purpose: 750 steps a pass."""


def progress() -> dict[str, object]:
    return run_om("migrate-data", "progress", "--json").json


@pytest.fixture
def running(big_station: redis.Redis) -> Iterator[subprocess.Popen[str]]:
    """A run that has converted some documents, has most still before it, and waits for SIGCONT."""
    with started_om(*RUN, "--json") as process:
        wait_until(lambda: has_begun_to_write(big_station), "the run to write")
        process.send_signal(signal.SIGSTOP)
        yield process


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_with_its_progress_saved(
    running: subprocess.Popen[str], big_station: redis.Redis, how: signal.Signals
) -> None:
    running.send_signal(how)
    running.send_signal(signal.SIGCONT)
    stopped = ended(running)
    assert stopped.code == 5
    assert (stopped.json["status"], stopped.json["reason"]) == ("stopped", "interrupted")
    assert "Stopping after the current batch" in stopped.stderr
    assert "Traceback" not in stopped.text
    saved = progress()
    assert (saved["state"], saved["total"]) == ("interrupted", 1_500)

    resumed = run_om("migrate-data", "run", "--json")
    assert (resumed.code, resumed.json["resumed"]) == (0, True)
    assert resumed.json["converted"] > stopped.json["converted"] > 0
    assert run_om("migrate-data", "verify").code == 0


def test_going_on_treats_the_rest_as_the_beginning(big_station: redis.Redis) -> None:
    limit = " --limit-documents 3"
    for mode, options in (
        ("default", f" --failure-mode default{limit}"),
        ("log_and_skip", f" --failure-mode log_and_skip{limit}"),
        ("fail", f" --failure-mode fail{limit}"),
    ):
        stopped = run_om("migrate-data", "run", "--limit-documents", "3", "--failure-mode", mode)
        assert stopped.code == 5
        assert f"esume with: om migrate-data run{options}\n" in stopped.stdout


def test_a_server_that_goes_away_is_no_wrong_url(
    own_server: Callable[..., EmbeddedServer], configured: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server()
    monkeypatch.setenv("REDIS_OM_URL", server.url)
    with redis.Redis.from_url(server.url) as client:
        load_sample(client, 1_500)
        with started_om(*RUN) as process:
            wait_until(lambda: has_begun_to_write(client), "the run to write")
            server.stop()
            failed = ended(process)
    assert failed.code == 1
    assert (
        "Progress is saved. When the server is available again, resume with: om migrate-data run"
        in failed.stderr
    )


def test_the_second_signal_stops_it_at_once(running: subprocess.Popen[str], big_station: redis.Redis) -> None:
    running.send_signal(signal.SIGCONT)
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)
    stopped = ended(running)
    assert stopped.code == 5
    assert "Traceback" not in stopped.text
    assert run_om("migrate-data", "run").code == 0


def test_a_kill_is_resumed_at_once_and_undone_exactly(configured: str, big_station: redis.Redis) -> None:
    before = snapshot(big_station)
    with started_om(*RUN) as process:
        wait_until(lambda: has_begun_to_write(big_station), "the run to write")
        process.kill()
        assert ended(process).code == -signal.SIGKILL
    assert run_om("migrate-data", "run", "--json").json["resumed"] is True
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert difference(before, snapshot(big_station)) == []


HOLDS = """
import sys, time, uuid
from redstart.migrations.context import Context
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.lease_state import this_process
from redstart.server.clients import open_sync

context = Context(DatetimeConversion.of_zone("UTC"), this_process(), uuid.uuid4().hex, time.monotonic)
with open_sync(sys.argv[1]) as driver:
    lease = driver.run(context.acquire())
    print("held", flush=True)
    while True:
        driver.run(lease.commit(()))
        time.sleep(0.02)
"""


@pytest.fixture
def holder(station: redis.Redis, configured: str) -> Iterator[int]:
    """A process that holds the lease and renews it for as long as the test lasts; its id."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, configured], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.kill()


@pytest.mark.parametrize(
    "words",
    [("run",), ("rollback", ID), ("clear-progress",), ("drop-undo-log", ID, "--yes")],
    ids=lambda words: words[0],
)
def test_nothing_else_writes_beside_a_run(holder: int, station: redis.Redis, words: tuple[str, ...]) -> None:
    before = snapshot(station, exclude_prefixes=STATE_PREFIXES)
    refused = run_om("migrate-data", *words)
    assert refused.code == 4
    assert f"Another run is in progress: process {holder} on " in refused.stderr
    assert "om migrate-data progress" in refused.stderr
    as_json = run_om("migrate-data", *words, "--json")
    assert (as_json.json["status"], as_json.json["exit_code"]) == ("error", 4)
    assert difference(before, snapshot(station, exclude_prefixes=STATE_PREFIXES)) == []


def test_status_and_progress_name_the_run_and_unlock_stops_it_before_its_next_write(
    running: subprocess.Popen[str], big_station: redis.Redis
) -> None:
    status = run_om("migrate-data", "status").stdout
    assert f"In progress: process {running.pid} on " in status
    assert "om migrate-data progress" in status
    assert "Convert with" not in status

    now, shown = progress(), run_om("migrate-data", "progress").stdout
    assert now["state"] == "running"
    for text in (str(now["lease_holder"]), shown):
        assert f"process {running.pid} on " in text

    broken = run_om("migrate-data", "force-unlock", "--yes", "--json")
    assert (broken.code, broken.json["status"]) == (0, "unlocked")
    assert f"process {running.pid} " in broken.json["lease_holder"]
    running.send_signal(signal.SIGCONT)
    stopped = ended(running)
    assert stopped.code == 4
    assert "stopped before its next write" in stopped.stderr
    assert run_om("migrate-data", "run", "--json").json["resumed"] is True


def test_a_dry_run_of_an_interrupted_run_resumes_it(station: redis.Redis) -> None:
    assert "Convert with: om migrate-data run\n" in run_om("migrate-data", "run", "--dry-run").stdout
    assert run_om("migrate-data", "run", "--limit-documents", "3").code == 5
    assert "Resume with: om migrate-data run\n" in run_om("migrate-data", "run", "--dry-run").stdout


def test_an_interrupted_rollback_is_finished_first(big_station: redis.Redis) -> None:
    before = snapshot(big_station)
    assert run_om("migrate-data", "run", "--batch-size", "20").code == 0
    with started_om("migrate-data", "rollback", ID, "--json") as process:
        wait_until(lambda: progress()["stage"] == "replay", "the rollback")
        process.send_signal(signal.SIGINT)
        stopped = ended(process)
    if stopped.code == 0:
        pytest.skip("the rollback was quicker than the signal")
    assert (stopped.code, stopped.json["status"]) == (5, "stopped")
    refused = run_om("migrate-data", "run")
    assert refused.code == 1
    assert f"om migrate-data rollback {ID}" in refused.stderr
    assert run_om("migrate", "run").text == refused.text
    assert f"om migrate-data rollback {ID}" in run_om("migrate-data", "progress").stdout
    assert f"om migrate-data rollback {ID}" in run_om("migrate-data", "status").stdout
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert difference(before, snapshot(big_station)) == []


def piped(line: str) -> Ended:
    """Through a shell, with the exit code of `om` itself."""
    done = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("migrate-data verify", 3),
        ("migrate-data status --check --detailed", 3),
        ("migrate-data run --dry-run", 0),
        ("migrate-data errors --json", 0),
        ("--help", 0),
    ],
)
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_that_leaves_changes_no_exit_code(
    station: redis.Redis, words: str, code: int, reader: str
) -> None:
    found = piped(f"{' '.join(om_command(*words.split()))} | {reader}")
    if words == "--help":
        assert found.code in {0, 1}  # click writes its help itself, and may find that nobody reads it
    else:
        assert found.code == code
    assert found.stderr == ""
    assert len(found.stdout.splitlines()) <= 1


def test_a_full_disk_is_an_error(station: redis.Redis) -> None:
    found = piped(f"{' '.join(om_command('migrate-data', 'status'))} > /dev/full")
    assert found.code == 1
    assert found.stderr == (
        "Error: The output could not be written: No space left on device.\n"
        "The work of the command may be complete. Check with: om migrate status\n"
    )


def test_a_file_that_cannot_be_read_is_named(station: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of a file is not one of the output, also if the disk has caused both."""
    error = OSError(errno.EIO, os.strerror(errno.EIO), "models.py")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("redstart.cli.migrate_data.status.find_unmanaged", fail)
    refused(run_om("migrate-data", "status"), 1, str(error))


@pytest.mark.sample(1)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_no_utf_8(
    configured: str, client: redis.Redis, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.hset("station:visit:Ω", mapping={"visit_code": "Ω", "arrived_at": "ñ/A"})
    for words in ("run", "errors --json", "stats --verbose"):
        assert run_om("migrate-data", *words.split(), encoding=encoding).code == 0
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    found = piped(" ".join(om_command("migrate-data", "errors")))
    assert (found.code, "Traceback" in found.text, "\\u03a9" in found.stdout) == (0, False, True)
