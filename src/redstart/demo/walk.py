"""The walk: a migration of the sample from the first look to the last byte, told step by step.

Nothing is staged. Every command is run as it is printed, the run is really killed, and every claim is
computed: by a checker that shares no code with the migration, and by comparing snapshots of all bytes.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

from redstart.demo.check import Outcome, Tally
from redstart.demo.database import check_sample, load_sample
from redstart.demo.difference import difference
from redstart.demo.dirty_values import DIRTY_CLASSES
from redstart.demo.foreign import FOREIGN_KEYS
from redstart.demo.indexes import make_old_indexes, station_indexes
from redstart.demo.kill import Driver, kill_while_it_converts
from redstart.demo.narrator import Narrator
from redstart.demo.queries import CODE, expected_answers
from redstart.demo.reader import LiveReader, count_all
from redstart.demo.sample import SampleDocument, generate
from redstart.demo.shell import Shell
from redstart.demo.snapshot import STATE_PREFIXES, Snapshot, read_snapshot
from redstart.migrations.data.running.context import DATETIME_MIGRATION
from redstart.migrations.data.state.keys import StateKeys

MODELS = "redstart.demo.models"
PAGES_OF_A_RUN = 100
"""Enough steps for a kill to land between two of them."""

SHOWN_DIFFERENCES = 5
DRY_RUN_FIRST, DRY_RUN_LAST = 15, 14


class _StepFailedError(Exception):
    """A step did not end as it must; the message says which and how."""


class Walk:
    """One walk over a scratch database, which must be empty.

    Args:
        url: the database's, for the commands.
        connect: opens another connection to it, for the live reader.
        driver: a connection to it, to load and to check.
        narrator: shows the walk.
        documents: how many to migrate.
        command: the name that `om` is typed by.
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
        self._settings = {"REDIS_OM_URL": url, "REDSTART_MODELS": MODELS}
        self._command = command
        self._shell = Shell(self._settings, narrator, command)
        self._sample: list[SampleDocument] = list(generate(documents))
        self._batch_size = str(max(5, documents // PAGES_OF_A_RUN))
        self._baseline: dict[str, int] = {}

    def run(self) -> bool:
        """Go all the way. False when a step or a comparison failed, which has then been said."""
        began = time.monotonic()
        try:
            before = self._load()
            with LiveReader(self._connect, [planned.name for planned in station_indexes()]) as reader:
                self._look()
                self._make_ready()
                self._convert_and_kill()
                self._resume()
                self._check()
                self._cut_over(reader)
                self._query()
                self._undo(before)
            self._tell_of(reader)
        except _StepFailedError as exc:
            self._narrator.problem(str(exc))
            return False
        self._next(time.monotonic() - began)
        return True

    def _load(self) -> Snapshot:
        self._narrator.chapter("1. Documents and indexes as redis-om 0.3.5 left them")
        self._driver.run(load_sample(self._sample))
        self._driver.run(make_old_indexes())
        before = self._driver.run(read_snapshot())
        values = sum(len(document.expected) for document in self._sample)
        dirty = Counter(name for document in self._sample for name in document.dirty.values())
        self._say(
            f"{len(self._sample):,} documents of three models hold {values:,} dates, most of them as text."
        )
        self._say(
            f"{dirty.total():,} values are dirty, in {len(dirty)} of {len(DIRTY_CLASSES)} known ways; "
            f"{len(FOREIGN_KEYS)} foreign keys lie around."
        )
        self._baseline = {
            planned.name: self._driver.run(count_all(planned.name)) for planned in station_indexes()
        }
        self._say(
            f"Three indexes, with dates as text, find {sum(self._baseline.values()):,} of the documents. From now on a "
            "live reader asks them how many, all the time."
        )
        self._say("Every byte and every expiry is noted, for later. This scratch server is:")
        for name, value in self._settings.items():
            self._narrator.typed(f"export {name}={value}")
        return before

    def _look(self) -> None:
        self._narrator.chapter("2. Look, without writing anything")
        self._expect(0, "stats", "--exact")
        words = ("migrate-data", "run", "--dry-run")
        code = self._shell.run_abridged(*words, first=DRY_RUN_FIRST, last=DRY_RUN_LAST)
        self._require(
            code == 0, f"{self._command} {' '.join(words)} ended with exit code {code} instead of 0."
        )

    def _make_ready(self) -> None:
        self._narrator.chapter("3. Make the indexes ready, beside those that serve")
        self._migrate(0, "run", "--yes")

    def _convert_and_kill(self) -> None:
        self._narrator.chapter("4. Convert, and kill -9 the run in the middle")
        process = self._shell.start("migrate-data", "run", "--yes", "--batch-size", self._batch_size)
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
        self._say(f"kill -9 {process.pid}: dead at {left.done:,} of {left.total:,} documents.")
        tally = self._driver.run(check_sample(self._sample))
        self._tell(tally, allowed={Outcome.UNCONVERTED})
        self._require(
            tally.counts[Outcome.UNCONVERTED] > 0, "The run was killed after its last write, not before."
        )
        self._expect(0, "progress")

    def _resume(self) -> None:
        self._narrator.chapter("5. Run it again: it goes on where it died, and refuses to lose a document")
        self._expect(3, "run", "--yes")

    def _check(self) -> None:
        self._narrator.chapter("6. Check")
        self._expect(0, "verify")
        self._say("A checker that knows the right answers, and shares no code with the migration:")
        self._tell(self._driver.run(check_sample(self._sample)), allowed=set())

    def _cut_over(self, reader: LiveReader) -> None:
        self._narrator.chapter("7. Move the bad values aside: nothing is in the way of the cut-over")
        self._expect(0, "run", "--yes", "--failure-mode", "quarantine")
        self._tell_of(reader)

    def _query(self) -> None:
        self._narrator.chapter("8. Search and sort by date, in Python")
        code, answers = self._shell.python(CODE)
        self._require(code == 0, f"python ended with exit code {code} instead of 0.")
        self._require(
            answers == expected_answers(self._sample), "The sample's own instants give other answers."
        )
        self._say("The instants that the sample was made from give the same answers.")

    def _tell_of(self, reader: LiveReader) -> None:
        """Say what the live reader found; a document that it ever missed ends the walk."""
        lost = {
            name: count - reader.fewest.get(name, 0)
            for name, count in self._baseline.items()
            if reader.fewest.get(name, 0) < count
        }
        self._require(not lost, f"The live reader missed documents: {lost}.")
        self._require(not reader.errors, f"The live reader got an error: {', '.join(reader.errors[:1])}")
        self._say(
            f"The live reader has asked {reader.questions:,} times: never fewer than {reader.documents:,}."
        )

    def _undo(self, before: Snapshot) -> None:
        self._narrator.chapter("9. Undo, and compare every byte with the beginning")
        self._expect(0, "rollback", DATETIME_MIGRATION, "--yes")
        differences = difference(before, self._driver.run(read_snapshot(STATE_PREFIXES)))
        for line in differences[:SHOWN_DIFFERENCES]:
            self._narrator.problem(line)
        self._require(
            not differences, f"{len(differences):,} differences from the beginning after the rollback."
        )
        self._say(f"All {len(before):,} keys compared: values, JSON text, expiries. 0 differences.")

    def _next(self, seconds: float) -> None:
        self._narrator.chapter(f"Done in {seconds:.0f} s. Next, on your own data")
        self._narrator.typed("export REDIS_OM_URL=redis://localhost:6379")
        self._narrator.typed("export REDSTART_MODELS=your_package.models")
        self._narrator.typed(f"{self._command} migrate-data stats")
        self._narrator.typed(f"{self._command} migrate-data run --dry-run")
        self._say("Neither writes anything. What comes then: docs/data-migration.md")

    def _expect(self, code: int, *words: str) -> None:
        """Type `om migrate-data words...`; it must end with this exit code."""
        self._type(code, "migrate-data", *words)

    def _migrate(self, code: int, *words: str) -> None:
        """Type `om migrate words...`; it must end with this exit code."""
        self._type(code, "migrate", *words)

    def _type(self, code: int, *words: str) -> None:
        found = self._shell.run(*words)
        typed = " ".join((self._command, *words))
        self._require(found == code, f"{typed} ended with exit code {found} instead of {code}.")

    def _tell(self, tally: Tally, *, allowed: set[Outcome]) -> None:
        """Say what the checker found; anything that is neither good nor allowed ends the walk."""
        counts = tally.counts
        self._say(
            f"right: {counts[Outcome.EXACT]:,}, not yet converted: {counts[Outcome.UNCONVERTED]:,}, "
            f"null or no date, as they were: {counts[Outcome.KEPT]:,}"
        )
        bad = set(tally.examples) - allowed
        for outcome in sorted(bad):
            for finding in tally.examples[outcome]:
                self._narrator.problem(f"{outcome}: {finding}")
        self._require(not bad, f"The checker found: {', '.join(f'{counts[o]:,} {o}' for o in sorted(bad))}.")
        self._say("wrong: 0, lost: 0, missing: 0, changed beside them: 0")

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise _StepFailedError(otherwise)
