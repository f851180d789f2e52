"""Verification: read every value again, and convert each original in the undo log again."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from redstart.commands.keyspace import key_type
from redstart.effects import Op, batch, gather
from redstart.mapping.value_paths import display
from redstart.migrations.context import Context, Monitor, Progress
from redstart.migrations.data.checkpoint import load_checkpoint
from redstart.migrations.data.edit_builder import ClassifiedDocument, classify_stored
from redstart.migrations.data.edits import DocumentEdits, DocumentTransformation
from redstart.migrations.data.failures import FailureLog, failure_at, failure_of
from redstart.migrations.data.plan import Plan, PlannedModel, path_of, router
from redstart.migrations.data.reader import compared_with_edits, texts_at
from redstart.migrations.data.record import processed_documents, read_record
from redstart.migrations.data.survey import Tally, survey
from redstart.migrations.data.undo_log import JournalEntry, check_journal, entries_backwards
from redstart.migrations.data.unrestored import all_unrestored
from redstart.migrations.failure import MAX_EXAMPLES, Failure
from redstart.migrations.transformation import Classification, Edit, Transformation
from redstart.next_steps import Command


@dataclass(slots=True)
class Problems:
    """The first problems, and their number. Several problems of one value in a page count once."""

    first: list[Failure] = field(default_factory=list)
    count: int = 0
    _in_page: set[bytes] = field(default_factory=set)

    def begin_page(self) -> None:
        """Forget the values of the previous page."""
        self._in_page.clear()

    def add_in_page(self, problem: Failure) -> None:
        """Add one, unless the page has a problem of the same value already."""
        if problem.name not in self._in_page:
            self._in_page.add(problem.name)
            self.add(problem)

    def add(self, problem: Failure) -> None:
        """Add one."""
        self.count += 1
        if len(self.first) < MAX_EXAMPLES:
            self.first.append(problem)


class PageCheck(Protocol):
    """An additional check of each page of a verification."""

    def visit(self, page: Sequence[ClassifiedDocument], problems: Problems) -> Op[None]:
        """Add the problems of the page's documents."""
        ...


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification.

    Attributes:
        tally: current values by outcome; `lossy`: values that were rounded in their conversion.
        problems: unconverted values, and failed values that are not recorded.
        unnamed: models that a run has converted and that are not in the plan; their values are checked, too.
        recorded_failures: failed values that are recorded.
        is_interrupted: whether a run was started and is not complete.
        resume_command: the command that resumes it, with the options that were typed; None if it is not known.
        is_new: whether no model is recorded as converted.
    """

    tally: Tally
    lossy: int
    problems: Problems
    recorded_failures: int
    unnamed: list[PlannedModel] = field(default_factory=list)
    is_interrupted: bool = False
    resume_command: Command | None = None
    is_new: bool = False

    @property
    def unconverted(self) -> int:
        """Number of values that a run would convert."""
        return self.tally.total(Classification.CONVERTIBLE) + self.tally.total(Classification.LOSSY)

    @property
    def ok(self) -> bool:
        """Whether no value is missing, wrong or unconverted."""
        return self.problems.count == 0


class _ValueCheck:
    """Classifies every planned value; a recorded failure does not count as a problem.

    Attributes:
        recorded: failed values that are recorded.
    """

    def __init__(self, log: FailureLog, transformation: Transformation) -> None:
        self.recorded = 0
        self._log = log
        self._unconverted = transformation.texts.unconverted

    def visit(self, page: Sequence[ClassifiedDocument], problems: Problems) -> Op[None]:
        """Check the values of a page. One read if there are failed values."""
        failures: list[Failure] = []
        for document, items in page:
            for value, conversion in items:
                if conversion.new is not None:
                    problems.add_in_page(failure_of(document, value, self._unconverted))
                elif conversion.outcome is Classification.UNCONVERTIBLE:
                    failures.append(failure_of(document, value, conversion.reason or ""))
        recorded = yield from self._log.recorded(failures)
        for failure, known in zip(failures, recorded, strict=True):
            if known is not None and known.digest == failure.digest:
                self.recorded += 1
            else:
                why = "not recorded by the run" if known is None else "the run recorded another value"
                problems.add_in_page(replace(failure, reason=f"{failure.reason}; {why}"))


def verify(
    context: Context, plan: Plan, *, checks: Sequence[PageCheck] = (), batch_documents: int = 1_000
) -> Op[Verification]:
    """Read every planned value, and every value of the models that are recorded as converted.

    Args:
        batch_documents: keys scanned per batch.

    Effects: reads only; a few round trips for each page of documents.
    """
    record = yield from read_record(context.keys)
    checkpoint = yield from load_checkpoint(context.keys)
    lost = yield from all_unrestored(context.keys)
    unnamed = record.unnamed(plan)
    problems = Problems()
    for failure in (failure for document in lost for failure in document.failures()):
        problems.add(failure)
    values = _ValueCheck(FailureLog(context.keys), context.transformation)

    def visit(page: list[ClassifiedDocument], _: int) -> Op[None]:
        problems.begin_page()
        for check in (values, *checks):
            yield from check.visit(page, problems)

    found = yield from survey(
        Plan((*plan.models, *unnamed), plan.settings),
        context.transformation if record.pending(plan) else context.transformation.as_applied(),
        batch_documents=batch_documents,
        monitor=Monitor(
            progress=context.monitor.progress
        ),  # never stopped: an incomplete pass verifies nothing
        stage="verifying",
        visit=visit,
        processed=processed_documents(context.keys, record.processed),
        marks=processed_documents(context.keys, record.marks),
    )
    return Verification(
        found.tally,
        record.lossy,
        problems,
        values.recorded,
        unnamed,
        is_interrupted=record.unfinished == "run",
        resume_command=None if checkpoint is None else checkpoint.resume_command,
        is_new=not record.applied,
    )


Route = Callable[[bytes], PlannedModel | None]
"""Returns the planned model of a key, or None."""

GONE = "all converted documents have been deleted"


@dataclass(slots=True)
class JournalCheck:
    """The result of the comparison.

    Attributes:
        as_written, changed_since: values that are unchanged since the run, and values that were changed or deleted.
        documents: number of documents in the log, by key prefix; one that was converted again counts again.
        deleted: number of these that no longer exist, by key prefix.
    """

    as_written: int = 0
    changed_since: int = 0
    documents: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)

    @property
    def gone(self) -> list[str]:
        """The key prefixes whose documents in the log have all been deleted."""
        return [prefix for prefix, count in self.documents.items() if self.deleted[prefix] == count]


def verify_journal(context: Context, plan: Plan, problems: Problems) -> Op[JournalCheck]:
    """Convert the originals of the undo log again, and compare the results with the log and with the data.

    Args:
        plan: the plan stored with the undo log.

    Raises:
        UndoLogCorruptError: entries are missing.

    Effects: reads only; one or two round trips for each page of the log, and one for each entry.
    """
    total = yield from check_journal(context.keys)
    route = router(plan)
    transformation = context.transformation.as_recorded(plan.settings, plan.kinds)
    is_judged_whole = isinstance(
        transformation, DocumentTransformation
    )  # the log has not all that it depends on
    result = JournalCheck()
    before: str | None = None
    done = 0
    while entries := (yield from entries_backwards(context.keys, before)):
        for entry in entries:
            for document in entry.documents:
                model = route(document.key)
                for edit in document.edits:
                    if is_judged_whole:
                        continue
                    if model is None or not _follows(edit, document.json, model, transformation):
                        problems.add(
                            _problem(
                                document, edit, "the new value in the undo log is not the converted original"
                            )
                        )
            yield from _compare(entry, route, result)
            yield from _find_lost_copies(entry, problems)
            before = entry.id
        done += sum(entry.stream_entries for entry in entries)
        context.monitor.progress(Progress("checking the undo log", 0, done, total, 0, "entries"))
    for prefix in result.gone:
        # An application may delete its documents; whether all were deleted on purpose, only a person can confirm.
        problems.add(failure_at(f"{prefix}*".encode(), "", b"", f"{GONE}: {result.documents[prefix]:,}"))
    return result


def _compare(entry: JournalEntry, route: Route, result: JournalCheck) -> Op[None]:
    compared = yield from compared_with_edits(entry.documents)
    same = sum(is_as_written for _, _, is_as_written in compared)
    result.as_written += same
    result.changed_since += len(compared) - same
    changed = list(
        dict.fromkeys(document.key for document, _, is_as_written in compared if not is_as_written)
    )
    types = (yield from batch(gather([key_type(key) for key in changed]))) if changed else []
    deleted = {key for key, kind in zip(changed, types, strict=True) if kind == b"none"}
    for document in entry.documents:
        model = route(document.key)
        prefix = "" if model is None else model.key_prefix
        result.documents[prefix] += 1
        result.deleted[prefix] += document.key in deleted


def _find_lost_copies(entry: JournalEntry, problems: Problems) -> Op[None]:
    """Report quarantined values that are missing while their fields are empty, too. Two reads if there are any."""
    moved = [
        (document, edit, edit.aside)
        for document in entry.documents
        for edit in document.edits
        if edit.aside is not None
    ]
    if not moved:
        return
    places = [(document.key, document.json, edit.location) for document, edit, _ in moved]
    texts = yield from texts_at(
        [*places, *((document.key, document.json, aside) for document, _, aside in moved)]
    )
    types = yield from batch(gather([key_type(document.key) for document, _, _ in moved]))
    for (document, edit, aside), kind, text, copy in zip(
        moved, types, texts[: len(moved)], texts[len(moved) :], strict=True
    ):
        if kind != b"none" and text in (None, edit.new) and copy != edit.old:
            reason = f"no longer in {display(aside)}; the undo log has the only copy (restored by a rollback)"
            problems.add(failure_at(document.key, edit.location, edit.old or b"", reason))


def _follows(edit: Edit, json: bool, model: PlannedModel, transformation: Transformation) -> bool:
    """Return whether the new bytes are the converted old ones."""
    path = path_of(edit.location, model)
    if path is None or edit.old is None:
        return False
    conversion = classify_stored(edit.old, path, transformation, json=json)
    if conversion.outcome is Classification.NULL:
        return edit.new is None
    if conversion.new is None:
        return edit.aside is not None or edit.new == transformation.default(model.storage)
    return edit.new is not None and transformation.is_same(edit.new, conversion.new)


def _problem(document: DocumentEdits, edit: Edit, reason: str) -> Failure:
    return failure_at(document.key, edit.location, b"%b -> %b" % (edit.old or b"", edit.new or b""), reason)
