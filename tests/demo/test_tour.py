"""The demo end to end on a small sample, and with a fault in each of its checks."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from redstart.demo import tour
from redstart.demo.checker import Tally
from redstart.demo.sample import VISIT_PREFIX, SampleDocument
from redstart.demo.tour import Shell, Walk
from redstart.effects import Batch, Op, batch
from redstart.server.clients import open_sync
from redstart.server.sync_driver import SyncDriver
from tests.support.cli import run_om
from tests.support.demo_run import DOCUMENTS, NAME, DemoRun, demo_command, environment_of_demo
from tests.support.processes import processes_naming, wait_until
from tests.support.servers import require_binaries


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


def test_all_steps_run_and_the_data_is_unchanged_at_the_end(demo_run: DemoRun) -> None:
    told = " ".join(demo_run.stdout.split())
    assert demo_run.code == 0, demo_run.stdout + demo_run.stderr
    assert "PROBLEM" not in demo_run.stdout
    assert re.search(rf"Killed after [\d,]+ of {DOCUMENTS} documents", told)
    assert re.findall(r"^Step (\d+) of (\d+)", demo_run.stdout, re.MULTILINE) == [
        (str(number), str(tour.STEPS)) for number in range(1, tour.STEPS + 1)
    ]
    assert f"{DOCUMENTS + 11} keys compared: values, JSON text, expiries. 0 differences." in told
    assert "[... " in told
    names = re.findall(rf"^\$ {NAME} migrate-data (\S+)", demo_run.stdout, re.MULTILINE)
    # The last two are those of the next steps.
    assert names == ["run", "run", "progress", "run", "verify", "run", "rollback", "stats", "run"]
    queries = re.search(r"([\d,]+) queries so far, none missed a document \(([\d,]+) in 3 indexes\)", told)
    assert queries is not None
    assert int(queries[1].replace(",", "")) >= 20
    assert DOCUMENTS * 0.95 < int(queries[2]) <= DOCUMENTS
    assert f"visits: {DOCUMENTS // 3}" in told


def test_the_demo_leaves_nothing_behind(demo_run: DemoRun) -> None:
    assert (demo_run.files, demo_run.processes) == ([], [])


def test_in_a_pipe_the_demo_has_no_colours(demo_run: DemoRun) -> None:
    assert "\x1b" not in demo_run.stdout + demo_run.stderr


def _send(*words: str) -> Op[None]:
    (reply,) = yield from batch(Batch([words], list))
    assert not isinstance(reply, Exception), reply


def _checked_and_then(*words: str) -> object:
    """`check_sample`, and behind its back a command that changes a byte: what a wrong migration would do."""

    def check(documents: list[SampleDocument]) -> Op[Tally]:
        yield from _send(*words)
        return (yield from honest(documents))

    honest = tour.check_sample
    return check


def test_a_wrong_value_fails_the_check(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = next(d for d in tour.generate(DOCUMENTS) if d.key.startswith(VISIT_PREFIX.encode()))
    harm = _checked_and_then("HSET", victim.key.decode(), "arrived_at", "1.0")
    monkeypatch.setattr(tour, "check_sample", harm)
    assert not walk_of(url, driver, listener).run()
    assert listener.problems[-1] == "The checker found: 1 wrong."
    assert victim.key.decode() in listener.problems[0]


def test_a_byte_that_differs_fails_the_comparison(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A key the checker does not know, so only the comparison of all bytes can see it.
    monkeypatch.setattr(tour, "check_sample", _checked_and_then("SET", "station:visits_archive:2", "new"))
    assert not walk_of(url, driver, listener).run()
    assert listener.problems == [
        "station:visits_archive:2: is new",
        "1 differences from the snapshot after the rollback.",
    ]


@pytest.mark.sample(0)
def test_a_query_with_a_wrong_answer_fails_the_walk(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tour, "expected_answers", lambda _: ["visits: 1"])
    assert not walk_of(url, driver, listener).run()
    assert listener.problems == ["The sample's own dates give other answers."]


@pytest.mark.sample(0)
def test_a_document_that_a_query_misses_fails_the_walk(
    in_this_process: None, url: str, driver: SyncDriver, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What migrating without care does: for a moment the index is gone, and comes back with less.
    name = "station:visit:index"

    def dropped(documents: list[SampleDocument]) -> Op[Tally]:
        yield from _send("FT.DROPINDEX", name)
        yield from _send("FT.CREATE", name, "ON", "HASH", "PREFIX", "1", "nothing:", "SCHEMA", "site", "TAG")
        return (yield from honest(documents))

    honest = tour.check_sample
    monkeypatch.setattr(tour, "check_sample", dropped)
    assert not walk_of(url, driver, listener).run()
    assert listener.problems != []


@pytest.mark.sample(0)
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


def test_an_interrupt_leaves_nothing_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_binaries()
    temporary = tmp_path_factory.mktemp("d")
    with subprocess.Popen(
        demo_command(DOCUMENTS, "om"),
        env=environment_of_demo(temporary),
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
