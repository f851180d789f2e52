"""One pass over the keyspace for all models, a page at a time."""

from dataclasses import dataclass

from redstart.commands.keyspace import scan
from redstart.commands.resp import PageSize
from redstart.commands.server_info import info
from redstart.effects import Op, Pending, call, receive, send_ahead
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.data.plan import Plan, PlannedModel, router, scan_pattern
from redstart.migrations.data.reader import ReadsUnderWay, documents_read, send_reads


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
    """A requested page: its cursor, and what is known of the next page."""

    starts_at: int
    keys: int
    reads: ReadsUnderWay
    next_cursor: int
    waiting: list[tuple[bytes, PlannedModel]]
    next_scan: Pending[tuple[int, list[bytes]]] | None

    @property
    def cursor(self) -> int:
        """The start of the next page."""
        return self.starts_at if self.waiting else self.next_cursor


_WIDEST_STEP = 10
"""By so many times a step may be wider than a batch, where few keys belong to the plan. To scan 10,000 keys takes a
server 1 to 2 ms."""


class Scanner:
    """Scans the keys of a plan, and requests one page ahead. Keys of no model are ignored."""

    def __init__(self, plan: Plan, batch_documents: int) -> None:
        self._route = router(plan)
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
        if portion.waiting or portion.next_scan is not None:
            self._ahead = yield from self._after(portion)
        documents = yield from documents_read(portion.reads)
        rest = len(portion.waiting)
        return Page(portion.cursor, documents, portion.keys - len(documents), rest)

    def _start(self, cursor: int, scanned: Pending[tuple[int, list[bytes]]]) -> Op[_Portion]:
        next_cursor, keys = yield from receive(scanned)
        found = [(key, model) for key in dict.fromkeys(keys) if (model := self._route(key)) is not None]
        is_sparse = 4 * len(found) < self._count
        self._step = min(2 * self._step, _WIDEST_STEP * self._count) if is_sparse else self._count
        return (yield from self._ask(cursor, found, next_cursor))

    def _after(self, portion: _Portion) -> Op[_Portion]:
        if portion.waiting:
            return (yield from self._ask(portion.starts_at, portion.waiting, portion.next_cursor))
        assert portion.next_scan is not None  # requested with every portion that is followed by another step
        return (yield from self._start(portion.next_cursor, portion.next_scan))

    def _ask(self, cursor: int, found: list[tuple[bytes, PlannedModel]], next_cursor: int) -> Op[_Portion]:
        # A step is often a few keys larger than requested: those are not worth an additional round trip.
        taken = self._count if len(found) > 2 * self._count else len(found)
        reads = yield from send_reads(found[:taken], self._page_size)
        taken = reads.count
        next_scan = None
        if taken == len(found) and next_cursor != 0:
            next_scan = yield from send_ahead(scan(next_cursor, match=self._match, count=self._step))
        return _Portion(cursor, taken, reads, next_cursor, found[taken:], next_scan)


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
