"""Comparison of the undo log with the data: each original is converted again and compared with the stored value."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from redstart.commands.keyspace import key_type
from redstart.effects import Op, batch, together
from redstart.mapping.value_paths import display
from redstart.migrations.context import Context
from redstart.migrations.data.converter import Outcome
from redstart.migrations.data.edit_builder import DEFAULT_NUMBER, judge_stored
from redstart.migrations.data.edits import DocumentEdits, Edit
from redstart.migrations.data.failures import Failure, failure_at
from redstart.migrations.data.plan import Plan, PlannedModel, path_of, router
from redstart.migrations.data.reading.current import compared_with_edits, texts_at
from redstart.migrations.data.running.monitor import Progress
from redstart.migrations.data.undo_log import JournalEntry, check_journal, entries_backwards
from redstart.migrations.data.verifying.verify import Problems
from redstart.values.timestamps import microseconds_from_number
from redstart.values.timezones import NaiveTimezone

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
    zone = NaiveTimezone.parse(plan.naive_timezone)
    result = JournalCheck()
    before: str | None = None
    done = 0
    while entries := (yield from entries_backwards(context.keys, before)):
        for entry in entries:
            for document in entry.documents:
                model = route(document.key)
                for edit in document.edits:
                    if model is None or not _follows(edit, document.json, model, zone):
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
    types = (yield from batch(together([key_type(key) for key in changed]))) if changed else []
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
    types = yield from batch(together([key_type(document.key) for document, _, _ in moved]))
    for (document, edit, aside), kind, text, copy in zip(
        moved, types, texts[: len(moved)], texts[len(moved) :], strict=True
    ):
        if kind != b"none" and text in (None, edit.new) and copy != edit.old:
            reason = f"no longer in {display(aside)}; the undo log has the only copy (restored by a rollback)"
            problems.add(failure_at(document.key, edit.location, edit.old or b"", reason))


def _follows(edit: Edit, json: bool, model: PlannedModel, zone: NaiveTimezone) -> bool:
    """Return whether the new bytes are the converted old ones."""
    path = path_of(edit.location, model)
    if path is None or edit.old is None:
        return False
    verdict = judge_stored(edit.old, path, zone, json=json)
    if verdict.outcome is Outcome.NULL:
        return edit.new is None
    if verdict.new is None:
        return edit.aside is not None or edit.new == DEFAULT_NUMBER
    return edit.new is not None and (edit.new == verdict.new or _close(edit.new, verdict.new))


def _close(read_back: bytes, sent: bytes) -> bool:
    """Return whether two numbers are equal but for rounding: RedisJSON rounds the last digit far from 1970."""
    return abs(microseconds_from_number(read_back.decode()) - microseconds_from_number(sent.decode())) <= 64


def _problem(document: DocumentEdits, edit: Edit, reason: str) -> Failure:
    return failure_at(document.key, edit.location, b"%b -> %b" % (edit.old or b"", edit.new or b""), reason)
