"""Checking the undo log against the data: each journaled original is converted anew and compared with what stands."""

from dataclasses import dataclass

from redstart.commands.keyspace import key_type
from redstart.effects import Op, batch, together
from redstart.mapping.paths import display
from redstart.migrations.data.judging.convert import Outcome
from redstart.migrations.data.judging.transform import DEFAULT_NUMBER, judge_stored
from redstart.migrations.data.planned.documents import DocumentEdits, Edit
from redstart.migrations.data.planned.plan import Plan, PlannedModel, path_of, router
from redstart.migrations.data.reading.current import compared_with_edits, texts_at
from redstart.migrations.data.running.context import Context
from redstart.migrations.data.running.monitor import Progress
from redstart.migrations.data.state.failures import Failure, failure_at
from redstart.migrations.data.state.journal import JournalEntry, check_journal, entries_backwards
from redstart.migrations.data.verifying.verify import Problems
from redstart.values.timestamps import microseconds_from_number
from redstart.values.timezones import NaiveTimezone


@dataclass(slots=True)
class JournalCheck:
    """What the check met, in values: still as written, changed or deleted since; and what is wrong."""

    as_written: int = 0
    changed_since: int = 0


def verify_journal(context: Context, plan: Plan, problems: Problems) -> Op[JournalCheck]:
    """Recompute every journaled conversion, and compare it with the journal and with the data.

    Args:
        plan: the one stored with the journal.

    Raises:
        JournalDamaged: entries are missing.

    Effects: reads only; a round trip or two for each page of the log, and one for each entry.
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
                            _problem(document, edit, "the journal's new value is not its original, converted")
                        )
            yield from _compare(entry, result)
            yield from _find_lost_copies(entry, problems)
            before = entry.id
        done += sum(entry.stream_entries for entry in entries)
        context.monitor.progress(Progress("checking the undo log", 0, done, total, 0))
    return result


def _compare(entry: JournalEntry, result: JournalCheck) -> Op[None]:
    compared = yield from compared_with_edits(entry.documents)
    same = sum(is_as_written for _, _, is_as_written in compared)
    result.as_written += same
    result.changed_since += len(compared) - same


def _find_lost_copies(entry: JournalEntry, problems: Problems) -> Op[None]:
    """Report the values that were moved aside, are no longer there, and whose fields hold nothing. Two reads if any."""
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
            reason = (
                f"it is no longer in {display(aside)}: only the undo log has it, and a rollback restores it"
            )
            problems.add(failure_at(document.key, edit.location, edit.old or b"", reason))


def _follows(edit: Edit, json: bool, model: PlannedModel, zone: NaiveTimezone) -> bool:
    """Whether the new bytes are what the old ones convert to."""
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
    """RedisJSON rounds some numbers far from 1970 in the last digit: at most a few microseconds."""
    return abs(microseconds_from_number(read_back.decode()) - microseconds_from_number(sent.decode())) <= 64


def _problem(document: DocumentEdits, edit: Edit, reason: str) -> Failure:
    return failure_at(document.key, edit.location, b"%b -> %b" % (edit.old or b"", edit.new or b""), reason)
