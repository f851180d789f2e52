"""A run counts as killed only between its first write and its last."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from redstart.demo.tour import is_in_the_middle, kill_while_it_converts
from redstart.migrations.data.checkpoint import Checkpoint, RunStage
from redstart.migrations.state_keys import StateKeys
from redstart.server.clients import open_like

KEYS = StateKeys("test")


def progress(stage: RunStage = RunStage.CONVERT, **changes: Any) -> Checkpoint:
    settings: dict[str, Any] = {"number": 1, "done": 5, "total": 10}
    return Checkpoint(stage, "plan", 1, **settings | changes)


@pytest.mark.parametrize(
    ("found", "middle"),
    [
        (progress(), True),
        (progress(RunStage.CENSUS), False),
        (progress(RunStage.SWEEP), False),
        (progress(done=0), False),
        (progress(done=10), False),
        (progress(number=2), False),
    ],
)
def test_the_middle_of_a_run(found: Checkpoint, middle: bool) -> None:
    assert is_in_the_middle(found) is middle


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_it_kills_a_run_in_the_middle(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    client.execute_command(*progress().command(KEYS))
    with open_like(client) as driver:
        assert kill_while_it_converts(process, driver, KEYS) == progress()
    assert process.returncode == -9


def test_a_run_that_ended_first_is_reported(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    client.execute_command(*progress(done=3).command(KEYS))  # too early to be killed
    process.communicate(b"\n")
    with open_like(client) as driver:
        assert kill_while_it_converts(process, driver, KEYS) is None
