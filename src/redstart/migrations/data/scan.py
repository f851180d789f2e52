"""One pass over the keyspace for all models, a page at a time."""

from dataclasses import dataclass

from redstart.commands.introspection import info
from redstart.commands.keyspace import scan
from redstart.effects import Op, call
from redstart.migrations.data.documents import StoredDocument
from redstart.migrations.data.plan import Plan, PlannedModel, router, scan_pattern
from redstart.migrations.data.read import read_documents


@dataclass(frozen=True, slots=True)
class Page:
    """One step of a pass.

    Attributes:
        cursor: where the next page starts, or starts again while there is a `rest`.
        rest: how many keys of the same step are still to come.
        documents: those found, each once per page (a pass may meet a document twice).
        foreign: keys under a planned prefix that hold something else.
    """

    cursor: int
    documents: list[StoredDocument]
    foreign: int
    rest: int = 0

    @property
    def ends_pass(self) -> bool:
        """Whether this was the last page."""
        return self.cursor == 0 and not self.rest


class Scanner:
    """Steps over the keys of a plan. Foreign keys are left alone."""

    def __init__(self, plan: Plan, batch_documents: int) -> None:
        self._route = router(plan)
        self._match = scan_pattern(plan)
        self._count = batch_documents
        self._next_cursor = 0
        self._waiting: list[tuple[bytes, PlannedModel]] = []

    def page(self, cursor: int) -> Op[Page]:
        """The next page. Effects: SCAN, then the reads of `read_documents`; nothing is written.

        COUNT only guides a server: while its table of keys grows, one step can answer with every key there is.
        So documents are read in batches of our own.
        """
        if not self._waiting:
            self._next_cursor, keys = yield from call(scan(cursor, match=self._match, count=self._count))
            self._waiting = [
                (key, model) for key in dict.fromkeys(keys) if (model := self._route(key)) is not None
            ]
        # A step is often a few keys larger than asked for: those are not worth a round trip of their own.
        taken = self._count if len(self._waiting) > 2 * self._count else len(self._waiting)
        found, self._waiting = self._waiting[:taken], self._waiting[taken:]
        documents = (yield from read_documents(found)) if found else []
        rest = len(self._waiting)
        return Page(cursor if rest else self._next_cursor, documents, len(found) - len(documents), rest)


def scanned_share(cursor: int) -> float:
    """How much of the keyspace a pass has seen when it stands at this cursor, 0 to 1.

    The cursor counts hash buckets from its highest bit down (dictScan in Redis' dict.c), so its reversed bits
    are the position.
    """
    return 1.0 if cursor == 0 else int(f"{cursor:064b}"[::-1], 2) / 2**64


def server_run_id() -> Op[str]:
    """Changes with every start of the server; a SCAN cursor is valid only under the one it began with."""
    return (yield from call(info("server")))["run_id"]
