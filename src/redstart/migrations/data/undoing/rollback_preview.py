"""What a rollback would do, counted without writing anything."""

from redstart.effects import Op
from redstart.migrations.data.planned.documents import DocumentEdits, Edit
from redstart.migrations.data.planned.jsonpath import Location
from redstart.migrations.data.planned.plan import Plan
from redstart.migrations.data.reading.current import compared_with_edits
from redstart.migrations.data.reading.scan import Scanner
from redstart.migrations.data.running.context import Context
from redstart.migrations.data.running.monitor import Progress
from redstart.migrations.data.state.failures import Failure, failure_of
from redstart.migrations.data.state.journal import JournalEntry, check_journal, entries_backwards
from redstart.migrations.data.state.record import check_census, read_record
from redstart.migrations.data.undoing.rollback import RollbackResult
from redstart.migrations.data.undoing.sweep import NO_OLD_FORM, NumbersBefore, newer_values, old_form
from redstart.values.timezones import NaiveTimezone

FIRST_PASS = "1.1"


class _Preview:
    def __init__(
        self, context: Context, plan: Plan, numbers_of_before_too: bool, batch_documents: int
    ) -> None:
        self._context = context
        self._keys = context.keys
        self._zone = NaiveTimezone.parse(plan.naive_timezone)
        self._scanner = Scanner(plan, batch_documents)
        self._numbers_of_before_too = numbers_of_before_too
        self._later: set[tuple[bytes, Location]] = set()
        self.numbers_before = NumbersBefore()
        self.documents = 0
        self.restored = 0
        self.in_new_form = 0
        """Of the restored ones: those that a look at everything would also meet."""

    def count_journal(self, total: int) -> Op[None]:
        """Values that are still as they were written. `total` is the number of the stream's entries."""
        before: str | None = None
        done = 0
        while entries := (yield from entries_backwards(self._keys, before)):
            for entry in entries:
                yield from self._count_entry(entry)
                before = entry.id
            done += sum(entry.stream_entries for entry in entries)
            self._context.monitor.progress(Progress("reading the undo log", 0, done, total, 0))

    def _count_entry(self, entry: JournalEntry) -> Op[None]:
        touched: set[bytes] = set()
        for document, edit, is_as_written in (yield from compared_with_edits(entry.documents)):
            if is_as_written and self._is_last(entry, document, edit):
                touched.add(document.key)
                self.restored += 1
                self.in_new_form += edit.aside is None and edit.new is not None
        self.documents += len(touched)

    def _is_last(self, entry: JournalEntry, document: DocumentEdits, edit: Edit) -> bool:
        """Whether no later entry has undone this value already. The first pass, the bulk, needs no memory."""
        place = (document.key, edit.location)
        if place in self._later:
            return False
        if entry.label != FIRST_PASS:
            self._later.add(place)
        return True

    def count_newer(self, aware_fields: frozenset[tuple[str, str]]) -> Op[tuple[int, list[Failure]]]:
        """All values in the new form that are to get the old one, and those among them without an old form."""
        cursor, documents, newer, kept = 0, 0, 0, list[Failure]()
        while True:
            page = yield from self._scanner.page(cursor)
            found = yield from newer_values(
                self._keys,
                page.documents,
                self._zone,
                self.numbers_before,
                numbers_of_before_too=self._numbers_of_before_too,
            )
            for document, values in found:
                newer += len(values)
                for value in values:
                    if old_form(document, value, aware_fields, self._zone) is None:
                        kept.append(failure_of(document, value, NO_OLD_FORM))
            cursor, documents = page.cursor, documents + len(page.documents)
            self._context.monitor.progress(Progress("looking for newer values", 0, documents, 0, len(kept)))
            if page.ends_pass:
                return newer, kept


def preview_rollback(
    context: Context, *, numbers_of_before_too: bool = False, batch_documents: int = 1_000
) -> Op[RollbackResult]:
    """Count what `rollback` would restore and reformat, as things stand.

    Args:
        numbers_of_before_too: see `rollback`.
        batch_documents: keys asked for per step of the scan.

    Raises:
        JournalDamaged: the undo log or the census has lost entries.

    Effects: reads only. A SCAN may meet a document twice, so the counts of newer values can be a little high.
    """
    began = context.clock()
    record = yield from read_record(context.keys)
    if record.plan is None:
        return RollbackResult(nothing_to_do=True)
    total = yield from check_journal(context.keys)
    yield from check_census(context.keys, record)
    preview = _Preview(context, record.plan, numbers_of_before_too, batch_documents)
    yield from preview.count_journal(total)
    newer, kept = yield from preview.count_newer(record.aware_fields)
    return RollbackResult(
        documents=preview.documents,
        restored_exactly=preview.restored,
        reformatted=max(0, newer - preview.in_new_form - len(kept)),
        kept=len(kept),
        examples=kept,
        numbers_before=preview.numbers_before.count,
        number_examples=preview.numbers_before.examples,
        seconds=context.clock() - began,
    )
