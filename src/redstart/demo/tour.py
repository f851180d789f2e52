"""The demo: a migration of the sample in eight steps, from a preview to a rollback.

Every command runs as it is printed, and the run is really killed. Every statement is checked: by a checker that shares
no code with the migration, and by a comparison of all bytes.
"""

import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from redstart.demo.checker import Outcome, Tally, check_sample, load_sample
from redstart.demo.dirty_values import DIRTY_CLASSES
from redstart.demo.live_reader import CODE, Driver, LiveReader, count_all, expected_answers
from redstart.demo.load import FOREIGN_KEYS, make_old_indexes, station_indexes
from redstart.demo.sample import SampleDocument, generate
from redstart.migrations.data.checkpoint import Checkpoint, RunStage, load_checkpoint
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.state_keys import StateKeys
from redstart.testing.snapshot import STATE_PREFIXES, Snapshot, difference, read_snapshot


class Narrator(Protocol):
    """The display of the demo. Each call returns after its text is written: the next command uses the same stream."""

    def step(self, title: str) -> None:
        """Begin a step."""
        ...

    def say(self, text: str) -> None:
        """Show an explanation."""
        ...

    def notice(self, text: str) -> None:
        """Show the result of a step."""
        ...

    def problem(self, text: str) -> None:
        """Show a failed command, check or comparison."""
        ...

    def typed(self, command: str) -> None:
        """Show a command as a user types it."""
        ...

    def output(self, lines: Sequence[str]) -> None:
        """Show lines that a command printed."""
        ...

    def after_kill(self) -> None:
        """Restore the terminal after a process was killed while it displayed progress."""
        ...


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


POLL_SECONDS = 0.005
KILLED_AT_SHARE = 0.4


def kill_while_it_converts(
    process: subprocess.Popen[bytes], driver: Driver, keys: StateKeys
) -> Checkpoint | None:
    """Kill a run with SIGKILL after two fifths of the documents.

    Returns:
        The checkpoint of the killed run; None if the run ended before it could be killed.
    """
    while process.poll() is None:
        found = driver.run(load_checkpoint(keys))
        if found is not None and is_in_the_middle(found) and found.done >= KILLED_AT_SHARE * found.total:
            process.kill()
            _ = process.wait()
            left = driver.run(load_checkpoint(keys))
            return left if left is not None and is_in_the_middle(left) else None
        time.sleep(POLL_SECONDS)
    return None


def is_in_the_middle(progress: Checkpoint) -> bool:
    """Return whether the first pass has started and is not complete."""
    return progress.stage is RunStage.CONVERT and progress.number == 1 and 0 < progress.done < progress.total


MODELS = "redstart.demo.models"
BATCHES_OF_A_RUN = 100
"""Enough batches for a kill between two of them."""

MAX_DIFFERENCES_SHOWN = 5
MAX_LINES_SHOWN = 10, 8
"""Of long output, the numbers of first and last lines shown."""

STEPS = 8


class _StepFailedError(Exception):
    """A step failed; the message names the command or check."""


class Walk:
    """One demo on an empty database.

    Args:
        url: the URL of the database, for the commands.
        connect: opens another connection to it, for the background reader.
        driver: a connection to it, to load and to check the sample.
        narrator: shows the demo.
        documents: the number of documents to migrate.
        command: the name under which `om` was started.
    """

    def __init__(
        self,
        url: str,
        connect: Callable[[], AbstractContextManager[Driver]],
        driver: Driver,
        narrator: Narrator,
        documents: int,
        *,
        command: str = "om",
    ) -> None:
        self._connect = connect
        self._driver = driver
        self._narrator = narrator
        self._say = narrator.say
        self._notice = narrator.notice
        self._settings = {"REDIS_OM_URL": url, "REDSTART_MODELS": MODELS}
        self._command = command
        self._shell = Shell(self._settings, narrator, command)
        self._sample: list[SampleDocument] = list(generate(documents))
        batch_size = str(max(5, documents // BATCHES_OF_A_RUN))
        self._convert = ("run", "--yes", "--failure-mode", "skip", "--batch-size", batch_size)
        self._baseline: dict[str, int] = {}
        self._steps = 0

    def run(self) -> bool:
        """Run all steps. Return False if a step or a comparison failed, which the narrator has shown."""
        began = time.monotonic()
        try:
            before = self._load()
            with LiveReader(self._connect, [planned.name for planned in station_indexes()]) as reader:
                self._preview()
                self._convert_and_kill()
                self._resume()
                self._verify()
                self._cut_over(reader)
                self._query()
                self._roll_back(before)
            self._notice_queries(reader)
        except _StepFailedError as exc:
            self._narrator.problem(str(exc))
            return False
        self._next(time.monotonic() - began)
        return True

    def _load(self) -> Snapshot:
        self._step("Create sample data as redis-om 0.3.5 stored it")
        self._driver.run(load_sample(self._sample))
        self._driver.run(make_old_indexes())
        before = self._driver.run(read_snapshot())
        values = sum(len(document.expected) for document in self._sample)
        malformed = Counter(name for document in self._sample for name in document.dirty.values())
        self._say(
            f"{len(self._sample):,} documents, hashes and JSON, hold {values:,} dates, most of them as ISO text. "
            f"{malformed.total():,} values are malformed, in {len(malformed)} of {len(DIRTY_CLASSES)} known ways. "
            f"{len(FOREIGN_KEYS)} unrelated keys must stay untouched. "
            "A temporary server holds the data; the commands below find it through two variables:"
        )
        for name, value in self._settings.items():
            self._narrator.typed(f"export {name}={value}")
        self._baseline = {
            planned.name: self._driver.run(count_all(planned.name)) for planned in station_indexes()
        }
        self._notice(
            f"{len(self._baseline)} indexes find {sum(self._baseline.values()):,} documents. A background reader "
            f"counts them from now on. A snapshot of every byte is kept for step {STEPS}."
        )
        return before

    def _preview(self) -> None:
        self._step("Preview the migration")
        self._run_abridged(0, "run", "--dry-run")
        self._notice(
            "Nothing was written. The preview counts the values of each field and shows what they become; values that "
            "cannot be converted are listed with a reason."
        )

    def _convert_and_kill(self) -> None:
        self._step("Start the migration, and kill it half-way")
        self._say(
            "Values that cannot be converted are skipped for now. Small batches leave time for the kill."
        )
        process = self._shell.start("migrate-data", *self._convert)
        with process:
            try:
                left = kill_while_it_converts(process, self._driver, StateKeys(DATETIME_MIGRATION))
            finally:
                process.kill()
        self._narrator.after_kill()
        if left is None:
            raise _StepFailedError(
                f"The run ended with exit code {process.returncode} before it could be killed."
            )
        self._narrator.typed(f"kill -9 {process.pid}")
        self._say(f"Killed after {left.done:,} of {left.total:,} documents.")
        self._run(0, "progress")
        counts = self._check(allowed={Outcome.UNCONVERTED})
        unconverted = counts[Outcome.UNCONVERTED]
        self._require(unconverted > 0, "The run was killed after its last write, not before.")
        self._notice(
            f"Every value is intact: {counts[Outcome.EXACT]:,} are converted, {unconverted:,} still have their "
            "original bytes, 0 are wrong. The demo compared each of them."
        )

    def _resume(self) -> None:
        self._step("Run the same command again: it resumes")
        self._run_abridged(3, *self._convert)
        self._notice(
            "The run continued from its checkpoint. It refused the cutover (exit code 3): documents with "
            "malformed dates would drop out of query results."
        )

    def _verify(self) -> None:
        self._step("Verify the converted data")
        self._run(0, "verify")
        counts = self._check(allowed=set())
        self._notice(
            f"A checker that shares no code with the migration agrees: {counts[Outcome.EXACT]:,} values correct, "
            f"{counts[Outcome.KEPT]:,} null or malformed values unchanged; 0 wrong, 0 lost, 0 changed elsewhere."
        )

    def _cut_over(self, reader: LiveReader) -> None:
        self._step("Quarantine the malformed values, and cut over to the new indexes")
        self._run(0, "run", "--yes", "--failure-mode", "quarantine")
        self._notice_queries(reader)

    def _query(self) -> None:
        self._step("Filter and sort by date")
        code, answers = self._shell.python(CODE)
        self._require(code == 0, f"python ended with exit code {code} instead of 0.")
        self._require(answers == expected_answers(self._sample), "The sample's own dates give other answers.")
        self._notice("The answers are correct: the dates from which the sample was generated give the same.")

    def _roll_back(self, before: Snapshot) -> None:
        self._step("Roll back, and compare every byte with the snapshot")
        self._run(0, "rollback", DATETIME_MIGRATION, "--yes")
        differences = difference(before, self._driver.run(read_snapshot(STATE_PREFIXES)))
        for line in differences[:MAX_DIFFERENCES_SHOWN]:
            self._narrator.problem(line)
        self._require(
            not differences, f"{len(differences):,} differences from the snapshot after the rollback."
        )
        self._notice(f"{len(before):,} keys compared: values, JSON text, expiries. 0 differences.")

    def _next(self, seconds: float) -> None:
        self._narrator.step(f"Done in {seconds:.0f} s. Next: your own data")
        self._narrator.typed("export REDIS_OM_URL=redis://localhost:6379")
        self._narrator.typed("export REDSTART_MODELS=your_package.models")
        self._narrator.typed(f"{self._command} migrate-data stats")
        self._narrator.typed(f"{self._command} migrate-data run --dry-run")
        self._notice(f"Neither command writes anything. All commands: {self._command} migrate-data --help")

    def _step(self, title: str) -> None:
        """Begin the next step."""
        self._steps += 1
        self._narrator.step(f"Step {self._steps} of {STEPS}: {title}")

    def _run(self, expected_code: int, *words: str) -> None:
        """Run `om migrate-data words...`; require its exit code."""
        self._require_exit_code(expected_code, self._shell.run("migrate-data", *words), *words)

    def _run_abridged(self, expected_code: int, *words: str) -> None:
        """Run a command with long output, and show its beginning and end."""
        first, last = MAX_LINES_SHOWN
        code = self._shell.run_abridged("migrate-data", *words, first=first, last=last)
        self._require_exit_code(expected_code, code, *words)

    def _require_exit_code(self, expected_code: int, code: int, *words: str) -> None:
        typed = " ".join((self._command, "migrate-data", *words))
        self._require(
            code == expected_code, f"{typed} ended with exit code {code} instead of {expected_code}."
        )

    def _check(self, *, allowed: set[Outcome]) -> Counter[Outcome]:
        """Check every value of the sample. An outcome that is neither good nor allowed ends the demo.

        Returns:
            The number of values by outcome.
        """
        tally: Tally = self._driver.run(check_sample(self._sample))
        bad = sorted(set(tally.examples) - allowed)
        for outcome in bad:
            for finding in tally.examples[outcome]:
                self._narrator.problem(f"{outcome}: {finding}")
        found = ", ".join(f"{tally.counts[outcome]:,} {outcome}" for outcome in bad)
        self._require(not bad, f"The checker found: {found}.")
        return tally.counts

    def _notice_queries(self, reader: LiveReader) -> None:
        """Show the background reader's count; a missed document or an error ends the demo."""
        lost = {
            name: count - reader.fewest.get(name, 0)
            for name, count in self._baseline.items()
            if reader.fewest.get(name, 0) < count
        }
        self._require(not lost, f"The background reader missed documents: {lost}.")
        self._require(
            not reader.errors, f"The background reader got an error: {', '.join(reader.errors[:1])}"
        )
        self._notice(
            f"Background reader: {reader.questions:,} queries so far, none missed a document "
            f"({reader.documents:,} in {len(self._baseline)} indexes)."
        )

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise _StepFailedError(otherwise)
