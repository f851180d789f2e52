"""Conversion of one page of documents: classify, edit, apply, and record failed values."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from redstart.commands.documents import hget, json_get
from redstart.effects import Call, Op, batch, gather
from redstart.mapping.value_paths import Location, display, path_text
from redstart.migrations.context import Context
from redstart.migrations.data.applier import Applied, Applier
from redstart.migrations.data.conflicts import ConflictRetrier
from redstart.migrations.data.edit_builder import (
    CLEARING_MODES,
    ClassifiedDocument,
    FailureMode,
    classify_with_marks,
    edits_for,
    mark_left,
)
from redstart.migrations.data.edits import ClassifiedValue, DocumentEdits, StoredDocument
from redstart.migrations.data.failures import FailureLog, failure_at, failure_of, place_name
from redstart.migrations.data.plain_documents import PlainDocuments
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.scanner import InFlightPage, PageOutcome
from redstart.migrations.failure import MOVED, NOT_MOVED, REPLACED, Failure
from redstart.migrations.lease import Lease
from redstart.migrations.transformation import Classification, Edit, Transformation


def leave_out_taken(documents: Iterable[DocumentEdits]) -> Op[dict[tuple[bytes, Location], Location]]:
    """Remove the edits whose quarantine target already holds a value. One read if any value is to be quarantined.

    Returns:
        The occupied targets, by key and location of the failed value.
    """
    moves = [
        (document, edit.location, edit.aside)
        for document in documents
        if not document.locations
        for edit in document.edits
        if edit.aside
    ]
    if not moves:
        return {}
    found = yield from batch(gather([_read(document, aside) for document, _, aside in moves]))
    taken = {
        (document.key, location): aside
        for (document, location, aside), reply in zip(moves, found, strict=True)
        if isinstance(reply, bytes) and not (document.json and reply == b"[]")
    }
    for document, _, _ in moves:
        document.edits = [edit for edit in document.edits if (document.key, edit.location) not in taken]
    return taken


def _read(document: DocumentEdits, place: Location) -> Call[bytes | None]:
    return json_get(document.key, path_text(place)) if document.json else hget(document.key, str(place[0]))


_UNCONVERTIBLE = (
    Classification.UNCONVERTIBLE
)  # looking up a member of an enum costs as much as converting a value


def failures_in(judged: Iterable[ClassifiedDocument]) -> list[Failure]:
    """Return the failed values."""
    return [
        failure_of(document, value, conversion.reason or "")
        for document, items in judged
        for value, conversion in items
        if conversion.outcome is _UNCONVERTIBLE
    ]


def failures_with_fates(
    judged: Sequence[ClassifiedDocument],
    made: Sequence[DocumentEdits],
    taken: Mapping[tuple[bytes, Location], Location],
) -> list[Failure]:
    """Return the failed values, each with its fate.

    Args:
        taken: quarantine targets that already hold a value, by key and location of the failed value.
    """
    failures = []
    for (document, items), edits in zip(judged, made, strict=True):
        bad = [(value, conversion) for value, conversion in items if conversion.outcome is _UNCONVERTIBLE]
        if not bad:
            continue
        fates = {edit.location: _fate(edit) for edit in edits.edits}
        for value, conversion in bad:
            fate = fates.get(value.location, "")
            if aside := taken.get((document.key, value.location)):
                fate = f"{NOT_MOVED}{display(aside)} exists already"
            failures.append(failure_of(document, value, f"{conversion.reason}{fate}"))
    return failures


def expected_failures(
    classified: Iterable[ClassifiedDocument], mode: FailureMode, transformation: Transformation
) -> Op[list[Failure]]:
    """Return the failures of some documents, and what a run would do with each. A read if it would quarantine any."""
    failing = [
        (document, bad)
        for document, items in classified
        if (
            bad := [
                (value, conversion) for value, conversion in items if conversion.outcome is _UNCONVERTIBLE
            ]
        )
    ]
    made = [edits_for(document, items, mode, transformation) for document, items in failing]
    return failures_with_fates(failing, made, (yield from leave_out_taken(made)))


def expected_edits(
    classified: Iterable[ClassifiedDocument],
    mode: FailureMode,
    transformation: Transformation,
    clearing: Collection[tuple[str, str]],
) -> Op[list[DocumentEdits]]:
    """Return the edits that a run would make now. A read if it would quarantine any value.

    Args:
        clearing: see `edits_for`.
    """
    made = [edits_for(document, items, mode, transformation, clearing) for document, items in classified]
    _ = yield from leave_out_taken(made)
    return made


def refused_by_server(applied: Applied) -> list[Failure]:
    """Return the values that the server did not write although nothing had changed."""
    edits = [(document, edit) for document in applied.failed for edit in document.edits]
    edits += [
        (document, edit) for document, edit, text in applied.altered if text is None and edit.new is not None
    ]
    return [
        failure_at(document.key, edit.location, edit.old or b"", "the server did not write it")
        for document, edit in edits
    ]


def corrected_since(judged: Sequence[ClassifiedDocument], mode: FailureMode) -> set[bytes]:
    """Return the names of values that can be converted now.

    A converted value counts only in modes that write no default: otherwise it may be from our own script, whose reply
    was lost.
    """
    certain = (Classification.CONVERTIBLE, Classification.LOSSY)
    outcomes = certain if mode in CLEARING_MODES else (*certain, Classification.ALREADY, Classification.NULL)
    return {
        place_name(document.key, value.location)
        for document, items in judged
        for value, conversion in items
        if conversion.outcome in outcomes
    }


def _fate(edit: Edit) -> str:
    if edit.aside is not None:
        return f"{MOVED}{display(edit.aside)}"
    return f"{REPLACED}{(edit.new or b'').decode()}"


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
        processed: ProcessedDocuments | None = None,
        marks: ProcessedDocuments | None = None,
    ) -> None:
        self._marks = marks
        self._context = context
        self._lease = lease
        self._applier = applier
        self._mode = mode
        self._clearing = clearing
        self._processed = processed
        self._allowance = allowance
        self._limits = replace(allowance)
        self._log = FailureLog(context.keys)
        self._plain_documents = PlainDocuments(context.transformation)

    @property
    def script_documents(self) -> int:
        """How many documents one script takes."""
        return self._applier.chunk_documents

    def begin(self, documents: Sequence[StoredDocument], label: str) -> Op[InFlightPage]:
        """Classify a page and send its edits. `label` ("generation.pass") is stored in the undo log.

        Effects: reads of recorded failures and of occupied quarantine targets, scripts that record failures, and a
            script for each chunk of edits, sent ahead.
        """
        outcome = PageOutcome()
        if self._processed is not None:
            known = yield from self._processed.contained([document.key for document in documents])
            documents = [document for document in documents if document.key not in known]
        plain, others = self._plain(documents)
        judged = yield from self._judged(others)
        new = yield from self._log.unknown(failures_in(judged))
        to_change = yield from self._keys_to_change(judged)
        taken = list(self._within_allowance(judged, {failure.name for failure in new}, to_change, outcome))
        first = documents if self._is_unlimited() else [document for document, _ in taken]
        outcome.met = len(plain) + len(taken) + (outcome.stopped_by is not None)
        recorded: list[Failure] = []

        def edits(documents: Sequence[StoredDocument]) -> Op[list[DocumentEdits]]:
            judged, certain = taken, plain
            if documents is not first:
                judged, certain = (yield from self._judged_again(documents, outcome)), []
            made = [self._edits_of(document, items) for document, items in judged]
            not_free = yield from leave_out_taken(made)
            # Recorded first: a default or a quarantine leaves nothing that would show the failure afterwards.
            failures = failures_with_fates(judged, made, not_free)
            recorded[:] = yield from self._update_record(failures, recorded, judged, outcome)
            if self._marks is not None and not self._context.transformation.decided_by_shape:
                left = [document for (document, _), one in zip(judged, made, strict=True) if not one.count]
                yield from mark_left(self._lease, self._marks, left, self._context.keys.record)
            yield from self._lease.keep()
            return [*certain, *made]

        retrier = ConflictRetrier(self._applier, edits, label=label)
        yield from retrier.begin(first)
        return InFlightPage(outcome, retrier)

    def finish(self, in_flight: InFlightPage) -> Op[PageOutcome]:
        """Wait until the page is written, and record the values that the server did not write.

        Effects: see `ConflictRetrier.finish`; a script that records failures, if the server rejected values.
        """
        written = yield from in_flight.retrier.finish()
        outcome = in_flight.outcome
        refused = [failure for applied in written.applied for failure in refused_by_server(applied)]
        stopped_by = [outcome.stopped_by] if outcome.stopped_by is not None else []
        yield from self._record(refused + stopped_by, outcome)
        outcome.changed, outcome.values = written.documents, written.values
        outcome.retried = written.retried
        if self._mode in CLEARING_MODES and self._clearing:
            outcome.cleared = sum(_cleared(document) for one in written.applied for document in one.changed)
        return outcome

    def _plain(
        self, documents: Sequence[StoredDocument]
    ) -> tuple[list[DocumentEdits], Sequence[StoredDocument]]:
        """Return the edits of documents that need no classification of single values, and the other documents.

        With a limit, all documents are among the others, because limits are checked for each document. And so they are
        if a document does not show whether it is changed.
        """
        if not self._is_unlimited() or self._processed is not None:
            return [], documents
        return self._plain_documents.edits(documents)

    def _is_unlimited(self) -> bool:
        return self._allowance == Allowance(None, None) and self._mode is not FailureMode.FAIL

    def _judged(self, documents: Sequence[StoredDocument]) -> Op[list[ClassifiedDocument]]:
        return classify_with_marks(documents, self._context.transformation, self._marks)

    def _edits_of(self, document: StoredDocument, classified: list[ClassifiedValue]) -> DocumentEdits:
        return edits_for(document, classified, self._mode, self._context.transformation, self._clearing)

    def _judged_again(
        self, documents: Sequence[StoredDocument], outcome: PageOutcome
    ) -> Op[list[ClassifiedDocument]]:
        """Classify documents that another client has changed: the new values may be failed values, too."""
        judged = yield from self._judged(documents)
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

    def _keys_to_change(self, judged: Iterable[ClassifiedDocument]) -> Op[Collection[bytes]]:
        """Return the keys of the documents that count for the limit: not of one whose quarantine target is occupied."""
        if self._allowance.documents is None:
            return ()
        made = [self._edits_of(document, items) for document, items in judged]
        _ = yield from leave_out_taken(made)
        return {document.key for document in made if document.count}

    def _within_allowance(
        self,
        judged: Iterable[ClassifiedDocument],
        new: set[bytes],
        to_change: Collection[bytes],
        outcome: PageOutcome,
    ) -> Iterable[ClassifiedDocument]:
        """Yield documents up to the one at which the run has to stop.

        Args:
            new: names of failed values that are not recorded yet.
            to_change: keys of the documents that will be changed, if their number is limited.
        """
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
            if allowance.documents is not None and item[0].key in to_change:
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
        judged: Sequence[ClassifiedDocument],
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


def _cleared(document: DocumentEdits) -> int:
    """Return how many empty values were removed from a document."""
    return sum(edit.new is None and edit.aside is None and not edit.converts for edit in document.edits)


def _stop_at(failure: Failure, outcome: PageOutcome) -> None:
    outcome.stopped = f"{AT_FAILURE}: {failure}"
    outcome.stopped_by = failure
