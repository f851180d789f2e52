"""Conversion of one page of documents: classify, edit, apply, and record failed values."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from redstart.effects import Op
from redstart.migrations.context import Context
from redstart.migrations.data.applier import Applier
from redstart.migrations.data.converting.page_failures import (
    corrected_since,
    failures_in,
    failures_with_fates,
    refused_by_server,
)
from redstart.migrations.data.converting.quarantine import leave_out_taken
from redstart.migrations.data.edit_builder import (
    FailureMode,
    JudgedDocument,
    edits_for,
    judge,
    plainly_converted,
)
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.failures import Failure, FailureLog
from redstart.migrations.data.scan_passes import BegunPage, PageOutcome
from redstart.migrations.data.writing.settle import Settling
from redstart.migrations.lease import Lease

AT_FAILURE = "failed value (--failure-mode fail)"
"""How the reason begins why a run with failure mode `fail` stopped."""


@dataclass(slots=True)
class Allowance:
    """The rest of the run's limits: failures that are not recorded yet, and changed documents. None: no limit."""

    failures: int | None
    documents: int | None


class PageConverter:
    """Converts pages in one failure mode, and records failed values."""

    title = "converting"

    def __init__(
        self,
        context: Context,
        lease: Lease,
        applier: Applier,
        mode: FailureMode,
        allowance: Allowance,
        clearing: Collection[tuple[str, str]] = (),
    ) -> None:
        self._context = context
        self._lease = lease
        self._applier = applier
        self._mode = mode
        self._clearing = clearing
        self._allowance = allowance
        self._limits = replace(allowance)
        self._log = FailureLog(context.keys)

    def begin(self, documents: Sequence[StoredDocument], label: str) -> Op[BegunPage]:
        """Classify a page and send its edits. `label` ("generation.pass") is stored in the undo log."""
        outcome = PageOutcome()
        plain, others = self._plain(documents)
        judged = self._judged(others)
        new = yield from self._log.unknown(failures_in(judged))
        taken = list(self._within_allowance(judged, {failure.name for failure in new}, outcome))
        first = documents if self._is_unlimited() else [document for document, _ in taken]
        outcome.met = len(plain) + len(taken) + (outcome.stopped_by is not None)
        recorded: list[Failure] = []

        def edits(documents: Sequence[StoredDocument]) -> Op[list[DocumentEdits]]:
            judged, certain = taken, plain
            if documents is not first:
                judged, certain = (yield from self._judged_again(documents, outcome)), []
            made = [edits_for(document, items, self._mode, self._clearing) for document, items in judged]
            not_free = yield from leave_out_taken(made)
            # Recorded first: a default or a quarantine leaves nothing that would show the failure afterwards.
            failures = failures_with_fates(judged, made, not_free)
            recorded[:] = yield from self._update_record(failures, recorded, judged, outcome)
            yield from self._lease.keep()
            return [*certain, *made]

        settling = Settling(self._applier, edits, label=label)
        yield from settling.begin(first)
        return BegunPage(outcome, settling)

    def finish(self, begun: BegunPage) -> Op[PageOutcome]:
        """Wait until the page is written, and record the values that the server did not write."""
        settled = yield from begun.settling.finish()
        outcome = begun.outcome
        refused = [failure for applied in settled.applied for failure in refused_by_server(applied)]
        stopped_by = [outcome.stopped_by] if outcome.stopped_by is not None else []
        yield from self._record(refused + stopped_by, outcome)
        outcome.changed, outcome.values = settled.documents, settled.values
        outcome.retried = settled.retried
        return outcome

    def _plain(
        self, documents: Sequence[StoredDocument]
    ) -> tuple[list[DocumentEdits], Sequence[StoredDocument]]:
        """Return the edits of documents that need no classification of single values, and the other documents.

        With a limit, all documents are among the others, because limits are checked for each document.
        """
        if not self._is_unlimited():
            return [], documents
        plain: list[DocumentEdits] = []
        others: list[StoredDocument] = []
        for document in documents:
            edits = plainly_converted(document, self._context.naive_timezone)
            if edits is None:
                others.append(document)
            else:
                plain.append(edits)
        return plain, others

    def _is_unlimited(self) -> bool:
        return self._allowance == Allowance(None, None) and self._mode is not FailureMode.FAIL

    def _judged(self, documents: Iterable[StoredDocument]) -> list[JudgedDocument]:
        return [(document, judge(document, self._context.naive_timezone)) for document in documents]

    def _judged_again(
        self, documents: Sequence[StoredDocument], outcome: PageOutcome
    ) -> Op[list[JudgedDocument]]:
        """Classify documents that another client has changed: the new values may be failed values, too."""
        judged = self._judged(documents)
        failures = failures_in(judged)
        if failures and self._mode is FailureMode.FAIL:
            _stop_at(failures[0], outcome)
            return [item for item in judged if not failures_in([item])]
        new = yield from self._log.unknown(failures)
        if self._allowance.failures is not None and new:
            self._allowance.failures -= len(new)
            if self._allowance.failures <= 0:
                outcome.stopped = f"--max-errors {self._limits.failures} reached"
        return judged

    def _within_allowance(
        self, judged: Iterable[JudgedDocument], new: set[bytes], outcome: PageOutcome
    ) -> Iterable[JudgedDocument]:
        """Yield documents up to the one at which the run has to stop."""
        allowance = self._allowance
        if self._is_unlimited():
            yield from judged
            return
        for item in judged:
            if allowance.documents == 0:
                outcome.stopped = f"--limit-documents {self._limits.documents} reached"
                return
            failures = failures_in([item])
            if failures and self._mode is FailureMode.FAIL:
                _stop_at(failures[0], outcome)
                return
            yield item
            if allowance.documents is not None and edits_for(*item, self._mode, self._clearing).edits:
                allowance.documents -= 1
            if allowance.failures is not None:
                allowance.failures -= sum(failure.name in new for failure in failures)
                if failures and allowance.failures <= 0:
                    outcome.stopped = f"--max-errors {self._limits.failures} reached"
                    return

    def _update_record(
        self,
        failures: list[Failure],
        before: list[Failure],
        judged: Sequence[JudgedDocument],
        outcome: PageOutcome,
    ) -> Op[list[Failure]]:
        """Record failures. Remove those of `before` that another client has corrected since the first read.

        Returns:
            The failures of both that remain.
        """
        yield from self._record(failures, outcome)
        corrected = corrected_since(judged, self._mode) if before else set()
        gone = [one.name for one in before if one.name in corrected]
        yield from self._log.remove(self._lease, gone)
        again = {one.name for one in failures}.union(gone)
        return [one for one in before if one.name not in again] + failures

    def _record(self, failures: list[Failure], outcome: PageOutcome) -> Op[None]:
        new = yield from self._log.record(self._lease, failures)
        outcome.failures += len(new)
        if self._mode is not FailureMode.SKIP:
            for failure in new:
                self._context.monitor.failure(failure)


def _stop_at(failure: Failure, outcome: PageOutcome) -> None:
    outcome.stopped = f"{AT_FAILURE}: {failure}"
    outcome.stopped_by = failure
