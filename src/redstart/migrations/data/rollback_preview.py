"""Preview of a rollback: the same decisions, counted without writing anything."""

from collections.abc import Collection

from redstart.effects import Op
from redstart.mapping.value_paths import Location
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.damage import require_intact_for_undo, require_undo_log
from redstart.migrations.data.edit_builder import without_left
from redstart.migrations.data.edits import DocumentEdits
from redstart.migrations.data.failures import place_name
from redstart.migrations.data.originals import Restoring, Unrestored
from redstart.migrations.data.plan import Plan, with_prefixes
from redstart.migrations.data.processed_documents import ConvertedDocuments
from redstart.migrations.data.record import Record, check_census, processed_documents, read_record
from redstart.migrations.data.results import DataRollbackResult
from redstart.migrations.data.rollback_sweep import (
    PreexistingValues,
    is_left_by_quarantine,
    left_out_of,
    newer_values,
    reverted,
    still_aside,
    values_left_out,
)
from redstart.migrations.data.scanner import Scanner, scanned_share
from redstart.migrations.data.undo_log import JournalEntry, check_journal, entries_backwards
from redstart.migrations.data.undo_replay import Undoing, inverse, outstanding_of
from redstart.migrations.data.unrestored import UnrestoredDocument, all_unrestored, combined
from redstart.migrations.failure import Failure
from redstart.values.types import Storage

FIRST_PASS = "1.1"
_PAGE_DOCUMENTS = 200


class _Preview:
    def __init__(
        self,
        context: Context,
        plan: Plan | None,
        exclude_prefixes: Collection[str],
        reformat_preexisting: bool,
        batch_documents: int,
    ) -> None:
        self._context = context
        self._keys = context.keys
        self._transformation = (
            context.transformation
            if plan is None
            else context.transformation.as_recorded(plan.settings, plan.kinds).as_applied()
        )
        self._swept_plan = None if plan is None else with_prefixes(plan, excluded=exclude_prefixes)
        self._left_out = left_out_of(self._swept_plan, plan)
        self._batch_documents = batch_documents
        self._undoing = Undoing(context.keys, plan, self._transformation)
        self._reformat_preexisting = reformat_preexisting
        self._restored: dict[bytes, dict[Location, bytes | None]] = {}
        self._outstanding: list[UnrestoredDocument] = []
        self._read_again: set[bytes] = set()
        self._restored_defaults: dict[bytes, set[Location]] = {}
        self._filled: set[bytes] = set()
        self.aside: list[Failure] = []
        self.preexisting = PreexistingValues()
        self.unrestored = Unrestored()
        self.documents = 0
        self.restored = 0
        self._in_parts: bytes | None = None
        """The document whose parts are being read, if what they restore is discarded after them."""
        self.in_new_format = 0
        """Restored values that the scan for newer values also counts."""

    def count_journal(self, total: int) -> Op[None]:
        """Count the values that the undo log restores. `total` is the number of entries of the stream."""
        before: str | None = None
        done = 0
        while entries := (yield from entries_backwards(self._keys, before)):
            for entry in entries:
                yield from self._count_entry(entry)
                before = entry.id
            done += sum(entry.stream_entries for entry in entries)
            self._context.monitor.progress(Progress("reading the undo log", 0, done, total, 0, "entries"))

    def _count_entry(self, entry: JournalEntry) -> Op[None]:
        undos = [inverse(document) for document in entry.documents]
        self.unrestored.replaced |= self._undoing.replaced_in(entry)
        self.unrestored.moved |= self._undoing.moved_in(entry)
        is_part = len(undos) == 1 and bool(undos[0].guards)
        if self._in_parts is not None and not (is_part and undos[0].key == self._in_parts):
            del self._restored[self._in_parts]
            self._in_parts = None
        contents = yield from self._undoing.read(undos, self._restored)
        restored: list[DocumentEdits] = []
        for undo, found in zip(undos, contents, strict=True):
            decision = self._undoing.decide(undo, found)
            if decision.outstanding:
                self._outstanding.append(
                    outstanding_of(entry.id, undo, decision.outstanding, decision.standing)
                )
                self._read_again.add(undo.key)
            restored.append(decision.possible)
            # The first pass, the bulk, is undone last: what it restores is hardly ever read again, except by the guards
            # of the same document's other parts, which follow one another.
            is_kept = entry.label != FIRST_PASS or undo.key in self._read_again or self._is_left_out(undo.key)
            if is_kept and self._in_parts == undo.key:
                self._in_parts = None
            elif not is_kept and is_part and undo.key not in self._restored and decision.possible.edits:
                self._in_parts = undo.key
            self._count(decision.possible, later=is_kept or is_part)
        yield from self._count_as_newer(restored)

    def _count_as_newer(self, restored: list[DocumentEdits]) -> Op[None]:
        """Count the restored values that the scan for newer values also counts."""
        self.in_new_format += yield from self._undoing.count_seen_as_newer(
            [edits for edits in restored if not self._is_left_out(edits.key)],
            pre_existing_too=self._reformat_preexisting,
        )

    def _is_left_out(self, key: bytes) -> bool:
        return self._left_out is not None and self._left_out(key) is not None

    def count_left_out(self) -> Op[list[Failure]]:
        """Return the values that stay converted because the scan leaves their documents out."""
        if self._left_out is None:
            return []
        found = yield from values_left_out(
            self._keys, self._left_out, self._transformation, reformat_preexisting=self._reformat_preexisting
        )
        restored = {
            place_name(key, location) for key, places in self._restored.items() for location in places
        }
        return [failure for name, failure in found.items() if name not in restored]

    def _count(self, edits: DocumentEdits, *, later: bool) -> None:
        self.documents += bool(edits.edits)
        for edit in edits.edits:
            self.restored += 1
            # A restored value is not left unchanged, although the scan still finds the current one.
            storage = Storage.JSON if edits.json else Storage.HASH
            if is_left_by_quarantine(edit.old, storage, self._transformation):
                self._filled.add(place_name(edits.key, edit.location))
            if edit.old is not None and self._transformation.is_default(edit.old):
                self._restored_defaults.setdefault(edits.key, set()).add(edit.location)
            if later:
                restored = self._restored.setdefault(edits.key, {})
                restored[edit.location] = edit.new
                if edit.aside is not None:
                    restored[edit.aside] = None

    def count_originals(self) -> Op[None]:
        """Count the outstanding originals of this log and of an earlier rollback, and those that stay unrestored."""
        kept = yield from all_unrestored(self._keys)
        outstanding = combined([*kept, *self._outstanding])
        for start in range(0, len(outstanding), _PAGE_DOCUMENTS):
            page = outstanding[start : start + _PAGE_DOCUMENTS]
            tries = yield from Restoring(self._undoing).tries(page, self._restored)
            for document, attempt in zip(page, tries, strict=True):
                self._count(attempt.possible, later=True)
                left = UnrestoredDocument(document.key, document.json, attempt.left)
                self.unrestored.add(left, self._undoing)
            yield from self._count_as_newer([attempt.possible for attempt in tries])

    def count_newer(self, record: Record) -> Op[tuple[int, list[Failure]]]:
        """Return the number of values to convert back, and those among them without an equivalent in the old format."""
        cursor, documents, newer, kept = 0, 0, 0, list[Failure]()
        if self._swept_plan is None:
            return newer, kept
        scanner = Scanner(self._swept_plan, self._batch_documents)
        converted = ConvertedDocuments(
            processed_documents(self._keys, record.processed),
            processed_documents(self._keys, record.reverted),
            processed_documents(self._keys, record.marks),
        )
        while True:
            page = yield from scanner.page(cursor)
            keys = yield from converted.keys_among([document.key for document in page.documents])
            found = yield from newer_values(
                self._keys,
                (
                    yield from without_left(
                        [document for document in page.documents if document.key in keys],
                        self._transformation,
                        converted.marks,
                    )
                ),
                self._transformation,
                self.preexisting,
                reformat_preexisting=self._reformat_preexisting,
                marks=converted.marks,
            )
            for document, values in found:
                newer += len(values)
                _, failures = reverted(
                    document, values, record.other_style_fields, self._transformation, self.unrestored
                )
                restored = {
                    *self._restored.get(document.key, ()),
                    *self._restored_defaults.get(document.key, ()),
                }
                names = {place_name(document.key, location) for location in restored}
                kept += [failure for failure in failures if failure.name not in names]
            aside = yield from still_aside(page.documents, self.unrestored.moved, self._transformation)
            for failure in aside:
                if failure.name not in self._filled:
                    self.aside.append(failure)
            cursor, documents = page.cursor, documents + len(page.documents)
            share = scanned_share(cursor)
            self._context.monitor.progress(
                Progress("scanning for newer values", 0, documents, 0, len(kept), share=share)
            )
            if page.ends_pass:
                return newer, kept


def preview_rollback(
    context: Context,
    *,
    exclude_prefixes: Collection[str] = (),
    reformat_preexisting: bool = False,
    batch_documents: int = 1_000,
) -> Op[DataRollbackResult]:
    """Count the values that `rollback` would restore and rewrite now.

    Args:
        exclude_prefixes, reformat_preexisting: see `rollback`.
        batch_documents: keys asked for per step of the scan.

    Raises:
        UndoLogCorruptError: the undo log or the census has lost entries.
        MigrationError: the undo log was dropped.

    Effects: reads only. A SCAN may return a document twice, so the counts of newer values can be a little high.
    """
    began = context.clock()
    yield from require_intact_for_undo(context.keys)
    record = yield from read_record(context.keys)
    yield from require_undo_log(context.keys, record)
    preview = _Preview(context, record.plan, exclude_prefixes, reformat_preexisting, batch_documents)
    if record.plan is not None:
        total = yield from check_journal(context.keys)
        yield from check_census(context.keys, record)
        yield from preview.count_journal(total)
    yield from preview.count_originals()
    newer, kept = yield from preview.count_newer(record)
    left_out = yield from preview.count_left_out()
    nothing = record.plan is None and not (preview.restored or preview.unrestored.count)
    return DataRollbackResult(
        documents=preview.documents,
        restored_exactly=preview.restored,
        reformatted=max(0, newer - preview.in_new_format - len(kept)),
        kept=len(kept) + len(preview.aside) + len(left_out),
        examples=kept + preview.aside + left_out,
        unrestored=preview.unrestored.count,
        unrestored_examples=preview.unrestored.examples,
        preexisting_numbers=preview.preexisting.count,
        number_examples=preview.preexisting.examples,
        without_undo_log=record.without_undo_log,
        nothing_to_do=nothing,
        seconds=context.clock() - began,
    )
