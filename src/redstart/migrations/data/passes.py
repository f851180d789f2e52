"""Passes over the keyspace until a whole one, on an unchanged server, finds nothing old."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from redstart.commands.introspection import server_time
from redstart.effects import Op, call
from redstart.migrations.data.checkpoint import Checkpoint
from redstart.migrations.data.context import Context
from redstart.migrations.data.documents import StoredDocument
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.monitor import Progress
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.scan import Page, Scanner, server_run_id
from redstart.migrations.lease import Lease

MOST_PASSES = 10
"""When old values keep appearing, an old application is still writing: say so instead of chasing it for ever."""


@dataclass(slots=True)
class PageOutcome:
    """What became of a page.

    Attributes:
        changed, values: documents and values written. `unsettled` those that changed under us until the end.
        retried: documents read again because somebody changed them between read and apply.
        failures: values newly found not to convert.
        stopped: why no further document of the page was taken, or None.
    """

    changed: int = 0
    values: int = 0
    unsettled: int = 0
    retried: int = 0
    failures: int = 0
    stopped: str | None = None


class PageHandler(Protocol):
    """What a pass does with a page: convert it, or (an undo) bring it back into the old form."""

    title: str

    def handle(self, documents: Sequence[StoredDocument], label: str) -> Op[PageOutcome]:
        """Change what is to be changed; `label` ("generation.pass") is for the journal."""
        ...


class Passes:
    """Runs passes and keeps the checkpoint: each page is saved after its work, so a stop repeats one page at most.

    Attributes:
        documents: by key prefix, met in the last pass.
    """

    def __init__(
        self, context: Context, lease: Lease, plan: Plan, batch_documents: int, handler: PageHandler
    ) -> None:
        self.documents: Counter[str] = Counter()
        self._context = context
        self._lease = lease
        self._scanner = Scanner(plan, batch_documents)
        self._handler = handler
        self._failures = 0

    def run(self, checkpoint: Checkpoint, *, resumed: bool) -> Op[str | None]:
        """From the checkpoint to the end. The reason for an early end, or None."""
        if resumed:
            checkpoint.whole = False  # what was changed after the last save is not in its counts
        self._failures = yield from FailureLog(self._context.keys).count()
        last = checkpoint.number + MOST_PASSES - 1  # counted anew when resumed: the writer may be gone by now
        while True:
            stopped = yield from self._pass(checkpoint)
            if stopped is not None:
                return stopped
            if checkpoint.whole and checkpoint.changed == 0:
                return None
            if checkpoint.number >= last:
                return (
                    f"old values still appear after {MOST_PASSES} passes: an old application is still writing"
                )
            checkpoint.number += 1
            checkpoint.run_id = ""

    def _pass(self, checkpoint: Checkpoint) -> Op[str | None]:
        run_id = yield from server_run_id()
        # A new pass: also after a stop between two, or with a cursor that a restart made void.
        if checkpoint.run_id != run_id or checkpoint.cursor == "0":
            checkpoint.cursor, checkpoint.run_id = "0", run_id
            checkpoint.whole, checkpoint.changed, checkpoint.done = True, 0, 0
        self.documents.clear()
        while True:
            page = yield from self._scanner.page(int(checkpoint.cursor))
            label = f"{checkpoint.generation}.{checkpoint.number}"
            outcome = yield from self._handler.handle(page.documents, label)
            yield from self._save(checkpoint, page, outcome)
            if outcome.stopped is not None:
                return outcome.stopped
            if page.cursor == 0:
                break
            if self._context.monitor.stop_requested():
                return "interrupted"
        if (yield from server_run_id()) != run_id:
            checkpoint.whole = False  # a SCAN across a restart may have missed keys
        return None

    def _save(self, checkpoint: Checkpoint, page: Page, outcome: PageOutcome) -> Op[None]:
        keys = self._context.keys
        checkpoint.changed += outcome.changed + outcome.unsettled
        checkpoint.add(documents=outcome.changed, values=outcome.values, retried=outcome.retried)
        if outcome.stopped is None:
            checkpoint.cursor = str(page.cursor)
            checkpoint.done += len(page.documents)
            self.documents.update(document.model.key_prefix for document in page.documents)
        if page.documents or page.cursor == 0 or outcome.stopped is not None:
            checkpoint.saved_ms = yield from call(server_time())
            yield from self._lease.commit([checkpoint.command(keys)])
        else:  # nothing of ours among these keys: a page read again costs less than a save for each
            yield from self._lease.keep()
        self._failures += outcome.failures
        self._context.monitor.progress(
            Progress(
                self._handler.title, checkpoint.number, checkpoint.done, checkpoint.total, self._failures
            )
        )
