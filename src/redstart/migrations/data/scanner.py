"""Passes over the keyspace for all models, a page at a time.

The last pass is one that finds nothing to convert, as a whole, on an unchanged server.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from redstart.commands.keyspace import scan
from redstart.commands.resp import PageSize
from redstart.commands.server_info import info, server_time
from redstart.effects import Op, Pending, call, receive, send_ahead
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.checkpoint import Checkpoint
from redstart.migrations.data.conflicts import ConflictRetrier
from redstart.migrations.data.edits import StoredDocument, of_each_model
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.plan import Plan, router_of_many, scan_pattern
from redstart.migrations.data.reader import KEYS_PER_SCRIPT, ReadsUnderWay, Routed, documents_read, send_reads
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease, SentScript
from redstart.migrations.lease_state import Activity
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class Page:
    """One step of a pass.

    Attributes:
        cursor: the start of the next page; the same as before while there is a `rest`.
        rest: number of keys of the same step that are not read yet.
        documents: existing documents, each once per page (a pass may return a document twice).
        foreign: keys under a planned prefix that hold a value of another type.
    """

    cursor: int
    documents: list[StoredDocument]
    foreign: int
    rest: int = 0

    @property
    def ends_pass(self) -> bool:
        """Whether this was the last page."""
        return self.cursor == 0 and not self.rest


@dataclass(frozen=True, slots=True)
class _Portion:
    """A requested page: its cursor, and what is known of the next page.

    Attributes:
        waiting: keys of the same step that were not requested.
        next_scan: the next step, requested before the last keys of this one; None after the last step.
        following: the next portion, if it is requested already.
    """

    starts_at: int
    reads: ReadsUnderWay
    next_cursor: int
    waiting: list[Routed]
    next_scan: Pending[tuple[int, list[bytes]]] | None
    following: "_Portion | None" = None


PAGE_DOCUMENTS = 1_000
"""Limit of hashes in one page: a server reads as many in less than a millisecond, while other clients wait."""

_WIDEST_STEP = 10
"""Limit of the keys of a step, in batches, where few keys belong to the plan. A server scans 10,000 keys in 1 to 2 ms.
"""


class Scanner:
    """Scans the keys of a plan, and requests one page ahead. Keys of no model are ignored.

    Attributes:
        page_documents: limit of the documents in a page that is requested from now on; None for the limit of a read.
    """

    def __init__(self, plan: Plan, batch_documents: int) -> None:
        self.page_documents: int | None = None
        has_json = any(model.storage is Storage.JSON for model in plan.models)
        self._most = min(KEYS_PER_SCRIPT if has_json else PAGE_DOCUMENTS, batch_documents)
        self._routed = router_of_many(plan)
        self._match = scan_pattern(plan)
        self._count = self._step = batch_documents
        self._page_size = PageSize()
        self._ahead: _Portion | None = None

    def page(self, cursor: int) -> Op[Page]:
        """Return the page at a cursor, and request the next one.

        COUNT is only a hint: while the server's table of keys grows, one step may return all keys. And a thousand
        documents may be a gigabyte. Documents are therefore read in batches of limited size.

        Effects: SCAN, then the reads of `documents_read`; no writes.
        """
        portion, self._ahead = self._ahead, None
        if portion is None or portion.starts_at != cursor:
            scanned = yield from send_ahead(scan(cursor, match=self._match, count=self._step))
            portion = yield from self._start(cursor, scanned)
        following = portion.following
        if following is None and not portion.waiting and portion.next_scan is not None:
            # Before this page is received: the server reads the next one while this one is taken apart.
            following = yield from self._start(portion.next_cursor, portion.next_scan)
        documents, left = yield from documents_read(portion.reads)
        keys = portion.reads.count - len(left)
        waiting = left + portion.waiting
        if waiting:
            next_cursor = portion.starts_at
            self._ahead = yield from self._ask(next_cursor, waiting, portion.next_cursor, following)
        else:
            next_cursor, self._ahead = portion.next_cursor, following
        return Page(next_cursor, documents, keys - len(documents), len(waiting))

    def _start(self, cursor: int, scanned: Pending[tuple[int, list[bytes]]]) -> Op[_Portion]:
        next_cursor, keys = yield from receive(scanned)
        found = self._routed(dict.fromkeys(keys))
        is_sparse = 4 * len(found) < self._count
        self._step = min(2 * self._step, _WIDEST_STEP * self._count) if is_sparse else self._count
        return (yield from self._ask(cursor, found, next_cursor, None))

    def _ask(
        self, cursor: int, found: list[Routed], next_cursor: int, following: _Portion | None
    ) -> Op[_Portion]:
        most = self._most if self.page_documents is None else min(self._most, self.page_documents)
        pages = max(1, ceil(len(found) / most))
        # All of similar size: the last few keys alone would need as many round trips as a page.
        taken = min(ceil(len(found) / pages), self._page_size.keys)
        next_scan = None
        if taken == len(found) and following is None and next_cursor != 0:
            # Its reply comes before the documents, so that the next ones can be requested before these are received.
            next_scan = yield from send_ahead(scan(next_cursor, match=self._match, count=self._step))
        reads = yield from send_reads(found[:taken], self._page_size)
        return _Portion(cursor, reads, next_cursor, found[taken:], next_scan, following)


def scanned_share(cursor: int) -> float:
    """Return the part of the keyspace that a pass has scanned at this cursor, 0 to 1.

    The cursor counts hash buckets from its highest bit down (dictScan in Redis' dict.c), so its reversed bits
    are the position.
    """
    return 1.0 if cursor == 0 else int(f"{cursor:064b}"[::-1], 2) / 2**64


def cursor_at(place: float) -> int:
    """Return the cursor of a position in the keyspace, 0 inclusive to 1 exclusive: the inverse of `scanned_share`."""
    return int(f"{int(place * 2**64):064b}"[::-1], 2)


def server_run_id() -> Op[str]:
    """Return the run id, which changes at every start of the server. A SCAN cursor is valid for one run id only."""
    return (yield from call(info("server")))["run_id"]


MAX_PASSES = 10
"""Limit of passes: if unconverted values keep appearing, an old version of the application is still writing."""


@dataclass(slots=True)
class PageOutcome:
    """The result of a page.

    Attributes:
        changed, values: documents and values written.
        cleared: of these values, empty ones that were removed.
        retried: documents read again because another client changed them between read and write.
        failures: failed values that were not recorded before.
        stopped: why the rest of the page was not processed, or None.
        met: of a page that was stopped, documents up to the one at which it stopped.
        stopped_by: the failed value at which failure mode `fail` stopped, or None.
    """

    changed: int = 0
    values: int = 0
    cleared: int = 0
    retried: int = 0
    failures: int = 0
    stopped: str | None = None
    stopped_by: Failure | None = None
    met: int = 0


class PageHandler(Protocol):
    """Handles the pages of a pass: converts them, or (in a rollback) converts them back."""

    title: str

    @property
    def script_documents(self) -> int:
        """How many documents one script takes, from now on."""
        ...

    def begin(self, documents: Sequence[StoredDocument], label: str) -> Op["InFlightPage"]:
        """Send the edits of a page; `label` ("generation.pass") is for the undo log."""
        ...

    def finish(self, in_flight: "InFlightPage") -> Op[PageOutcome]:
        """Wait until the edits are applied."""
        ...


@dataclass(frozen=True, slots=True)
class InFlightPage:
    """A page whose edits are in progress, with its outcome so far."""

    outcome: PageOutcome
    retrier: ConflictRetrier


SAVE_SECONDS = 0.1
"""Shortest time between two saves of a checkpoint within a step of SCAN, which do not advance its cursor."""


class Passes:
    """Runs passes and saves checkpoints: each step after its work, so that a stop repeats two steps at most.

    While the server writes one page, the next is classified; no more than two are in progress.

    Attributes:
        documents: number in the last pass, by key prefix.

    Args:
        ends_beside_writers: whether the passes may end while an old version of the application writes; see `run`.
    """

    def __init__(
        self,
        context: Context,
        lease: Lease,
        plan: Plan,
        batch_documents: int,
        handler: PageHandler,
        *,
        ends_beside_writers: bool = False,
    ) -> None:
        self._ends_beside_writers = ends_beside_writers
        self.documents: Counter[str] = Counter()
        self._context = context
        self._lease = lease
        self._scanner = Scanner(plan, batch_documents)
        self._handler = handler
        self._failures = 0
        self._saving: SentScript | None = None
        self._server_ahead_ms = 0.0
        self._saved_at = 0.0
        self._is_unsaved = False
        self._is_writing = True

    def run(self, checkpoint: Checkpoint, *, resumed: bool) -> Op[str | None]:
        """Run from the checkpoint to the end. Return the reason for an early stop, or None.

        The end is a whole pass that changes nothing. With `ends_beside_writers`, the second of two consecutive whole
        passes on one server process is the end, too, if it changes more than half as many documents as the first one,
        or is the tenth pass. The first of the two has converted all documents that existed at the beginning; a number
        that does not fall is that of the documents which an old version keeps writing.
        """
        if resumed:
            checkpoint.whole = False  # what was changed after the last save is not in its counts
        self._server_ahead_ms = (yield from call(server_time())) - self._context.clock() * 1_000
        self._failures = yield from FailureLog(self._context.keys).count()
        # Counted again after each resumption: the old version may have been stopped since.
        last = checkpoint.number + MAX_PASSES - 1
        previous: tuple[str, int] | None = None
        while True:
            stopped = yield from self._pass(checkpoint)
            if stopped is not None:
                return stopped
            is_last = checkpoint.number >= last
            if checkpoint.whole:
                if checkpoint.changed == 0:
                    return None
                is_second = previous is not None and previous[0] == checkpoint.run_id
                is_steady = previous is not None and 2 * checkpoint.changed > previous[1]
                if self._ends_beside_writers and is_second and (is_last or is_steady):
                    return None
            previous = (checkpoint.run_id, checkpoint.changed) if checkpoint.whole else None
            if is_last:
                return (
                    f"unconverted values still appear after {MAX_PASSES} passes, because an old version of the "
                    "application still writes; stop it first"
                )
            checkpoint.number += 1
            checkpoint.run_id = ""

    def _pass(self, checkpoint: Checkpoint) -> Op[str | None]:
        run_id = yield from server_run_id()
        # A new pass: also after a stop between two passes, or with a cursor that a restart made void.
        if checkpoint.run_id != run_id or checkpoint.cursor == "0":
            checkpoint.cursor, checkpoint.run_id = "0", run_id
            checkpoint.whole, checkpoint.changed, checkpoint.done = True, 0, 0
        self.documents.clear()
        yield from self._lease.keep(Activity(self._handler.title))
        stopped = yield from self._pages(checkpoint)
        if (yield from server_run_id()) != run_id:
            checkpoint.whole = False  # a SCAN across a restart may have missed keys
        return stopped

    def _pages(self, checkpoint: Checkpoint) -> Op[str | None]:
        """Process all pages from the checkpoint on; each is sent before the previous one is finished."""
        label = f"{checkpoint.generation}.{checkpoint.number}"
        cursor = int(checkpoint.cursor)
        under_way: tuple[Page, InFlightPage] | None = None
        checkpoint.beyond = 0
        stopped: str | None = None
        ended = False
        while not ended:
            # One script for each page, so that the server has at most two to execute in a row. Pages that only read are
            # larger.
            self._scanner.page_documents = self._handler.script_documents if self._is_writing else None
            page = yield from self._scanner.page(cursor)
            in_flight = yield from self._handler.begin(page.documents, label)
            if under_way is not None:
                stopped = yield from self._finish(checkpoint, *under_way)
            under_way, cursor = (page, in_flight), page.cursor
            stopped = stopped or in_flight.outcome.stopped
            ended = stopped is not None or page.ends_pass
            if not ended and self._context.monitor.stop_requested():
                stopped, ended = "interrupted", True
        if under_way is not None:
            stopped = (yield from self._finish(checkpoint, *under_way)) or stopped
        if self._is_unsaved:
            yield from self._save(checkpoint)
        yield from self._await_save()
        return stopped

    def _finish(self, checkpoint: Checkpoint, page: Page, in_flight: InFlightPage) -> Op[str | None]:
        """Wait for a page and save the checkpoint. Return the reason to stop, or None."""
        outcome = yield from self._handler.finish(in_flight)
        # Conflicts count as changes, too: also if our own reply was lost, and nothing was left to change.
        changed = outcome.changed + outcome.retried
        checkpoint.changed += changed
        self._is_writing = changed > 0
        checkpoint.add(documents=outcome.changed, values=outcome.values, retried=outcome.retried)
        if outcome.cleared:
            checkpoint.add(cleared=outcome.cleared)
        if outcome.stopped_by is not None:
            checkpoint.stopped_by = outcome.stopped_by.name.hex()
        if outcome.stopped is None:
            checkpoint.cursor = str(page.cursor)
            checkpoint.beyond += len(page.documents)
            if not page.rest:
                checkpoint.done, checkpoint.beyond = checkpoint.met, 0
            for model, alike in of_each_model(page.documents):
                self.documents[model.key_prefix] += len(alike)
        else:
            checkpoint.beyond += outcome.met
        if checkpoint.total:  # documents are created while others are converted
            checkpoint.total = max(checkpoint.total, checkpoint.met)
        yield from self._await_save()
        self._failures += outcome.failures
        self._is_unsaved = (
            self._is_unsaved or bool(page.documents) or page.ends_pass or outcome.stopped is not None
        )
        seconds = self._context.clock() - self._saved_at
        if page.rest and outcome.stopped is None and seconds < SAVE_SECONDS:
            yield from self._lease.keep()
            return None
        if self._is_unsaved:
            yield from self._save(checkpoint)
        else:  # no planned documents among these keys: reading them again costs less than a save for each page
            yield from self._lease.keep()
        self._context.monitor.progress(
            Progress(
                self._handler.title,
                checkpoint.number,
                checkpoint.met,
                checkpoint.total,
                self._failures,
                share=scanned_share(page.cursor),
            )
        )
        return outcome.stopped

    def _save(self, checkpoint: Checkpoint) -> Op[None]:
        """Send the checkpoint, without waiting for the reply to it."""
        yield from self._await_save()
        self._saved_at, self._is_unsaved = self._context.clock(), False
        checkpoint.saved_ms = round(self._saved_at * 1_000 + self._server_ahead_ms)
        self._saving = yield from self._lease.send_commit([checkpoint.command(self._context.keys)])

    def _await_save(self) -> Op[None]:
        """Wait for the last save of the checkpoint; its reply has arrived in most cases."""
        saving, self._saving = self._saving, None
        if saving is not None:
            yield from self._lease.receive(saving)
