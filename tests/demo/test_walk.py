"""The demo end to end on a small sample, and with a fault in each of its checks."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from redstart.demo import walk
from redstart.demo.check import Tally
from redstart.demo.sample import VISIT_PREFIX, SampleDocument
from redstart.demo.shell import Shell
from redstart.demo.snapshot import read_snapshot
from redstart.demo.walk import Walk
from redstart.effects import Batch, Op, batch
from redstart.server.connections import open_sync
from redstart.server.sync_driver import SyncDriver
from tests.support.cli import run_om
from tests.support.processes import processes_naming, wait_until
from tests.support.servers import require_binaries

DOCUMENTS = 600


class Listener:
    """A narrator that records what it is given."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.told: list[str] = []
        self.problems: list[str] = []
        self.commands: list[str] = []

    def step(self, title: str) -> None:
        self.steps.append(title)

    def say(self, text: str) -> None:
        self.told.append(text)

    def notice(self, text: str) -> None:
        self.told.append(text)

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def typed(self, command: str) -> None:
        self.commands.append(command)

    def output(self, lines: Sequence[str]) -> None:
        self.told += lines

    def after_kill(self) -> None:
        self.told.append("(killed)")


@pytest.fixture
def driver(url: str) -> Iterator[SyncDriver]:
    with open_sync(url) as driver:
        yield driver


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the walk types ends as it would in processes of their own, and sooner. For walks that are to fail."""

    def run(shell: Shell, *words: str, **_: object) -> int:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in shell._environment.items():
                patch.setenv(name, value)
            return run_om(*words).code

    monkeypatch.setattr(Shell, "run", run)
    monkeypatch.setattr(Shell, "run_abridged", run)


def walk_of(url: str, driver: SyncDriver, listener: Listener) -> Walk:
    return Walk(url, lambda: open_sync(url), driver, listener, DOCUMENTS)


def test_all_steps_run_and_the_data_is_unchanged_at_the_end(
    url: str, driver: SyncDriver, listener: Listener
) -> None:
    assert walk_of(url, driver, listener).run()
    assert listener.problems == []
    told = "\n".join(listener.told)
    assert "(killed)" in told
    assert f"of {DOCUMENTS:,} documents" in told
    assert [title.partition(":")[0] for title in listener.steps[:-1]] == [
        f"Step {number} of {walk.STEPS}" for number in range(1, walk.STEPS + 1)
    ]
    assert f"{DOCUMENTS + 11:,} keys compared: values, JSON text, expiries. 0 differences." in told
    assert any(line.startswith("[... ") for line in listener.told)
    commands = [command.split()[1:3] for command in listener.commands if command.startswith("om ")]
    names = [name for group, name in commands if group == "migrate-data"]
    assert names == ["run", "run", "progress", "run", "verify", "run", "rollback", "stats", "run"]
    queries = re.search(r"([\d,]+) queries so far, none missed a document \(([\d,]+) in 3 indexes\)", told)
    assert queries is not None
    assert int(queries[1].replace(",", "")) >= 20
    assert DOCUMENTS * 0.95 < int(queries[2]) <= DOCUMENTS
    assert f"visits: {DOCUMENTS // 3}" in told
    assert sum(isinstance(entry.content, dict) for entry in driver.run(read_snapshot()).values()) > 0


def _send(*words: str) -> Op[None]:
    (reply,) = yield from batch(Batch([words], list))
    assert not isinstance(reply, Exception), reply


def _checked_and_then(*words: str) -> object:
    """`check_sample`, and behind its back a command that changes a byte: what a wrong migration would do."""

    def check(documents: list[SampleDocument]) -> Op[Tally]:
        yield from _send(*words)
        return (yield from honest(documents))

    honest = walk.check_sample
    return check


def test_a_wrong_value_fails_the_check(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = next(d for d in walk.generate(DOCUMENTS) if d.key.startswith(VISIT_PREFIX.encode()))
    harm = _checked_and_then("HSET", victim.key.decode(), "arrived_at", "1.0")
    monkeypatch.setattr(walk, "check_sample", harm)
    assert not walk_of(url, driver, listener).run()
    assert listener.problems[-1] == "The checker found: 1 wrong."
    assert victim.key.decode() in listener.problems[0]


def test_a_byte_that_differs_fails_the_comparison(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A key the checker does not know, so only the comparison of all bytes can see it.
    monkeypatch.setattr(walk, "check_sample", _checked_and_then("SET", "station:visits_archive:2", "new"))
    assert not walk_of(url, driver, listener).run()
    assert listener.problems == [
        "station:visits_archive:2: is new",
        "1 differences from the snapshot after the rollback.",
    ]


def test_a_query_with_a_wrong_answer_fails_the_walk(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "expected_answers", lambda _: ["visits: 1"])
    assert not walk_of(url, driver, listener).run()
    assert listener.problems == ["The sample's own dates give other answers."]


def test_a_document_that_a_query_misses_fails_the_walk(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What migrating without care does: for a moment the index is gone, and comes back with less.
    name = "station:visit:index"

    def dropped(documents: list[SampleDocument]) -> Op[Tally]:
        yield from _send("FT.DROPINDEX", name)
        yield from _send("FT.CREATE", name, "ON", "HASH", "PREFIX", "1", "nothing:", "SCHEMA", "site", "TAG")
        return (yield from honest(documents))

    honest = walk.check_sample
    monkeypatch.setattr(walk, "check_sample", dropped)
    assert not walk_of(url, driver, listener).run()
    assert listener.problems != []


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("Step 3", "The run ended with exit code 1 before it could be killed."),
        (
            "Step 4",
            "om migrate-data run --yes --failure-mode skip --batch-size 6 ended with exit code 1 instead of 3.",
        ),
    ],
)
def test_a_command_that_fails_ends_the_walk(
    in_this_process: None,
    url: str,
    driver: SyncDriver,
    listener: Listener,
    step: str,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def listen(title: str) -> None:
        if title.startswith(step):  # from now on a migration is refused
            driver.run(_send("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"))

    monkeypatch.setattr(listener, "step", listen)
    try:
        assert not walk_of(url, driver, listener).run()
    finally:
        driver.run(_send("CONFIG", "SET", "maxmemory-policy", "noeviction"))
    assert listener.problems == [problem]


def _environment(temporary: Path) -> dict[str, str]:
    # Settings of whoever runs it must not reach the walk: these would stop it at once.
    return os.environ | {
        "REDSTART_MODELS": "no.such.module",
        "REDIS_OM_URL": "redis://nowhere.invalid:1",
        "TMPDIR": str(temporary),
    }


def test_the_command_ends_with_0_and_leaves_nothing_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_binaries()
    temporary = tmp_path_factory.mktemp("d")
    done = subprocess.run(
        [sys.executable, "-m", "redstart.cli.main", "demo", "--documents", "500"],
        env=_environment(temporary),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "0 differences" in done.stdout
    assert list(temporary.iterdir()) == []
    assert processes_naming(str(temporary)) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_binaries()
    temporary = tmp_path_factory.mktemp("d")
    with subprocess.Popen(
        [sys.executable, "-m", "redstart.cli.main", "demo", "--documents", "3000"],
        env=_environment(temporary),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("$ om migrate-data run --yes"):
                os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to the demo and what it runs
                break
        process.stdout.read()
    assert process.returncode == 5
    wait_until(lambda: processes_naming(str(temporary)) == [], "everything the demo started to end")
    assert list(temporary.iterdir()) == []
