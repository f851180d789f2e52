"""Converting one page of documents: judge, edit, apply, and read again what changed meanwhile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redstart.effects import Op
from redstart.errors import ValueConversionError
from redstart.migrations.data.apply import Applied, Applier, split_large
from redstart.migrations.data.context import Context
from redstart.migrations.data.convert import Outcome
from redstart.migrations.data.documents import DocumentEdits, Edit, StoredDocument, shown
from redstart.migrations.data.failures import Failure, FailureLog, failure_of
from redstart.migrations.data.read import read_documents
from redstart.migrations.data.survey import JudgedDocument
from redstart.migrations.data.transform import FailureMode, edits_for, judge
from redstart.migrations.lease import Lease
from redstart.values.timestamps import microseconds_from_number

MOST_TRIES = 20
"""For a document that somebody else keeps changing; after that the next pass takes it."""


@dataclass(slots=True)
class Allowance:
    """How much this run may still do: failures not recorded before, and changed documents; None is no limit."""

    failures: int | None
    documents: int | None


@dataclass(slots=True)
class PageOutcome:
    """What became of a page.

    Attributes:
        changed: documents written. `unsettled` those that changed under us until the end.
        retried: documents read again because somebody changed them between read and apply.
        rounded: values whose stored number, as the server reads it back, is another instant.
        failures: values newly found not to convert.
        stopped: why no further document of the page was taken, or None.
    """

    changed: int = 0
    unsettled: int = 0
    retried: int = 0
    rounded: int = 0
    failures: int = 0
    stopped: str | None = None


class PageConverter:
    """Converts pages under one failure mode, and records what will not convert."""

    def __init__(
        self,
        context: Context,
        lease: Lease,
        applier: Applier,
        mode: FailureMode,
        allowance: Allowance,
    ) -> None:
        self._context = context
        self._lease = lease
        self._applier = applier
        self._mode = mode
        self._allowance = allowance
        self._log = FailureLog(context.keys)

    def convert(self, documents: Sequence[StoredDocument], label: str) -> Op[PageOutcome]:
        """Convert a page; `label` ("generation.pass") goes into the journal."""
        outcome = PageOutcome()
        models = {document.key: document.model for document in documents}
        judged = [(document, judge(document, self._context.naive_timezone)) for document in documents]
        new = yield from self._log.unknown([failure for item in judged for failure in _failures(item)])
        taken = list(self._within_allowance(judged, set(new), outcome))
        pending = taken
        for _ in range(MOST_TRIES):
            edits = [edits_for(document, items, self._mode) for document, items in pending]
            conflicts = yield from self._apply(edits, label, outcome)
            if not conflicts:
                break
            outcome.retried += len(conflicts)
            again = yield from read_documents([(key, models[key]) for key in conflicts])
            pending = [(document, judge(document, self._context.naive_timezone)) for document in again]
            taken += pending
        else:
            outcome.unsettled = len(conflicts)
        yield from self._record([failure for item in taken for failure in _failures(item)], outcome)
        return outcome

    def _within_allowance(
        self, judged: Iterable[JudgedDocument], new: set[Failure], outcome: PageOutcome
    ) -> Iterable[JudgedDocument]:
        """The documents to take, up to the one at which the run has to stop."""
        allowance = self._allowance
        for item in judged:
            if allowance.documents == 0:
                outcome.stopped = "limit-documents reached"
                return
            failures = _failures(item)
            if failures and self._mode is FailureMode.FAIL:
                outcome.stopped = f"failure mode is fail, and this will not convert: {failures[0]}"
                return
            yield item
            if allowance.documents is not None and edits_for(*item, self._mode).edits:
                allowance.documents -= 1
            if allowance.failures is not None:
                allowance.failures -= sum(failure in new for failure in failures)
                if failures and allowance.failures <= 0:
                    outcome.stopped = "max-errors reached"
                    return

    def _apply(self, edits: Iterable[DocumentEdits], label: str, outcome: PageOutcome) -> Op[list[bytes]]:
        """Apply; the keys of documents that somebody changed meanwhile."""
        conflicts: dict[bytes, None] = {}
        parts = (part for document in edits if document.edits for part in split_large(document))
        for chunk in self._applier.chunks(parts):
            applied = yield from self._applier.apply(chunk, label=label)
            outcome.changed += len(applied.changed)
            conflicts |= dict.fromkeys(document.key for document in applied.conflicts)
            yield from self._record(_refused(applied), outcome)
            outcome.rounded += sum(_is_rounded(edit, text) for _, edit, text in applied.altered)
        return list(conflicts)

    def _record(self, failures: list[Failure], outcome: PageOutcome) -> Op[None]:
        new = yield from self._log.unknown(failures)
        yield from self._log.add(self._lease, new)
        outcome.failures += len(new)
        if self._mode is not FailureMode.SKIP:
            for failure in new:
                self._context.monitor.failure(failure)


def _failures(item: JudgedDocument) -> list[Failure]:
    document, judged = item
    return [
        failure_of(document, one.value, one.verdict.reason or "")
        for one in judged
        if one.verdict.outcome is Outcome.UNCONVERTIBLE
    ]


def _refused(applied: Applied) -> list[Failure]:
    """What the server did not write although nothing was in the way."""
    edits = [(document, edit) for document in applied.failed for edit in document.edits]
    edits += [(document, edit) for document, edit, text in applied.altered if text is None and edit.new is not None]
    return [_failure(document, edit) for document, edit in edits]


def _failure(document: DocumentEdits, edit: Edit) -> Failure:
    key = document.key.decode("utf-8", errors="backslashreplace")
    value = (edit.old or b"").decode("utf-8", errors="backslashreplace")
    return Failure(key, shown(edit.location), value, "the server did not write it")


def _is_rounded(edit: Edit, text: bytes | None) -> bool:
    """Whether the server keeps another instant than it was sent."""
    if text is None or edit.new is None or edit.aside is not None:
        return False
    try:
        return microseconds_from_number(text.decode()) != microseconds_from_number(edit.new.decode())
    except ValueConversionError:
        return True
