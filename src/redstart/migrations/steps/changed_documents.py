"""Documents whose storage a file has changed and that were written since, changed back with their originals.

What the new version has written stays. Everything else gets its original bytes, also what the change back alone could
not bring back: removed fields, and values that a failure mode has replaced. An original whose value was overwritten
since is kept on the server and reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from redstart.commands.scripts import load
from redstart.effects import Argument, Op
from redstart.errors import MigrationError, NotConvertibleError
from redstart.mapping.value_paths import Location, display
from redstart.migrations.context import Context
from redstart.migrations.data.record import counted
from redstart.migrations.data.unrestored import Original, UnrestoredDocument, add_unrestored
from redstart.migrations.failure import MOVED, REPLACED, Failure
from redstart.migrations.lease import Lease
from redstart.migrations.operations.base import DocumentPipeline
from redstart.migrations.operations.document import BytesOrJson, Document, JsonObject, is_same, stored_text
from redstart.migrations.state_keys import ORIGINALS
from redstart.migrations.steps.storage_changes import (
    MAX_TRIES,
    PAGE_BYTES,
    StorageChange,
    read_document,
    stored_content,
)
from redstart.next_steps import Hint
from redstart.values.types import Storage

OVERWRITTEN = "its value was written since"
NOT_CHANGED_BACK = "the document cannot be changed back: "


@dataclass(frozen=True, slots=True)
class _Changed:
    """A document that was written since, next to its original, as the script returns them.

    Attributes:
        original: empty if it has to be read by itself.
    """

    key: bytes
    new_key: bytes
    digest: bytes
    expiring: bytes
    content: Any
    original: Any


def change_back_changed(
    context: Context, lease: Lease, changes: Sequence[StorageChange], entries: Sequence[str]
) -> Op[list[Failure]]:
    """Change back documents that were written since their storage was changed, each as one unit.

    A document that cannot be changed back stays, for `change_storage` to report.

    Args:
        changes: as the run has made them.
        entries: ids of the entries with their originals.

    Returns:
        The originals that are not restored and stay on the server.

    Raises:
        MigrationError: documents changed at each try; their originals stay for the next one.

    Effects: for each page of documents two scripts and two commits. Safe to repeat.
    """
    return (yield from _ChangingBack(context, lease, changes).run(entries))


class _ChangingBack:
    def __init__(self, context: Context, lease: Lease, changes: Sequence[StorageChange]) -> None:
        self._keys, self._lease, self._changes = context.keys, lease, changes
        self._unrestored: list[Failure] = []

    def run(self, entries: Sequence[str]) -> Op[list[Failure]]:
        waiting = list(entries)
        for _ in range(MAX_TRIES):
            waiting = yield from self._all(waiting)
            if not waiting:
                return self._unrestored
        raise MigrationError(
            f"The rollback stopped: {len(waiting):,} of the documents that were written since the run are written "
            "again at each attempt. They and their originals are unchanged.",
            Hint("Stop the process that writes them, then resume with: ", self._keys.rollback_command()),
        )

    def _all(self, waiting: list[str]) -> Op[list[str]]:
        """Change documents back. Return the entries of those that changed since they were read."""
        changed: list[str] = []
        while waiting:
            documents = yield from self._read(waiting)
            for entry, found in zip(waiting, documents, strict=False):
                document = yield from self._with_original(entry, found)
                if document is None:  # deleted, or changed back before
                    yield from self._lease.commit(self._done(entry))
                elif not (yield from self._one(entry, document)):
                    changed.append(entry)
            waiting = waiting[len(documents) :]
        return changed

    def _read(self, entries: Sequence[str], *, originals_only: bool = False) -> Op[list[_Changed | None]]:
        found = yield from self._lease.run(
            load("fenced.lua", "document_state.lua", "read_replaced.lua"),
            (self._keys.originals, self._keys.moved),
            (PAGE_BYTES, "1" if originals_only else "", *entries),
        )
        return [None if one is None else _Changed(*one) for one in found]

    def _with_original(self, entry: str, found: _Changed | None) -> Op[_Changed | None]:
        """Read the original of a document that is too large to be in the same reply."""
        if found is None or found.original:
            return found
        (original,) = yield from self._read([entry], originals_only=True)
        return None if original is None else replace(found, original=original.original)

    def _one(self, entry: str, found: _Changed) -> Op[bool]:
        """Change one document back. Return False if it changed since it was read."""
        change = next((one for one in self._changes if one.is_wanted(found.key)), None)
        if change is None:
            return True
        original = read_document(change.source.storage, found.original)
        kept: list[Original] = []
        content: Any = None
        try:
            if found.expiring and change.source.storage is Storage.JSON:
                raise NotConvertibleError("", "", "a field expires, and JSON cannot store that")
            now = read_document(change.target.storage, found.content)
            merged = MergedDocument(change.pipeline, original, now)
            content = stored_content(merged.document)
            kept = [_original(entry, location, original, OVERWRITTEN) for location in merged.overwritten]
        except NotConvertibleError as error:
            reason = f"{NOT_CHANGED_BACK}{error.reason}"
            kept = [_original(entry, (name,), original, reason) for name in original.root]
        document = UnrestoredDocument(found.key, change.source.storage is Storage.JSON, kept)
        if kept:
            commands = yield from add_unrestored(self._keys, [document])
            yield from self._lease.commit([*commands, *counted(self._keys, "unrestored")])
        if content is not None:
            changed, rejected = yield from self._write(change, found, content)
            if changed or rejected:
                return not changed
        self._unrestored += document.failures()
        yield from self._lease.commit(self._done(entry))
        return True

    def _write(self, change: StorageChange, found: _Changed, content: Any) -> Op[tuple[bool, bool]]:
        """Replace a document. Return whether it changed since it was read, and whether it cannot be replaced."""
        back = change.back()
        packed = msgpack.packb([found.new_key, found.key, found.digest, content], use_bin_type=False)
        changed, taken, rejected = yield from self._lease.run(
            load("fenced.lua", "document_state.lua", "replace_documents.lua"),
            (self._keys.originals, self._keys.steps, self._keys.moved),
            (back.source.storage.key_type, back.target.storage.key_type, back.counted_as, "", packed),
        )
        return bool(changed), bool(taken or rejected)

    def _done(self, entry: str) -> list[list[Argument]]:
        return [["TAKE", self._keys.originals, entry, self._keys.steps, ORIGINALS]]


def _original(entry: str, location: Location, document: Document, reason: str) -> Original:
    names = tuple(str(name) for name in location)
    return Original(entry, location, stored_text(document.get(names)), None, None, reason)


class MergedDocument:
    """A document as the version before the file reads it, made of its original and of what was written since.

    Args:
        pipeline: all changes of the file.
        original: the document before the run.
        now: the document as it is, with other changes than those of the run.

    Attributes:
        document: the result.
        overwritten: where the original has a value that the result does not have, although the run alone would not
            bring it back: the run had removed or replaced it, and it was written since.

    Raises:
        NotConvertibleError: a value that was written since cannot be changed back.
    """

    def __init__(self, pipeline: DocumentPipeline, original: Document, now: Document) -> None:
        after, failures = pipeline.change(original)
        self._replaced = [
            error.path for error in failures if REPLACED in error.reason or MOVED in error.reason
        ]
        self._pipeline, self._original, self._after = pipeline, original, after
        self.overwritten: list[Location] = []
        before, written = pipeline.backward_if_possible(after), pipeline.backward_if_possible(now)
        root = self._merged(original.root, before.root, written.root, ())
        self.document = Document(original.storage, root)

    def _merged(
        self, original: JsonObject, before: JsonObject, written: JsonObject, above: Location
    ) -> JsonObject:
        """Return one object. `before` is what the run alone would be changed back to; `written`, what it is now."""
        found: JsonObject = {}
        for name in dict.fromkeys((*original, *written)):
            values = [some.get(name) for some in (original, before, written)]
            has = [name in some for some in (original, before, written)]
            location = (*above, name)
            if has[1] == has[2] and (not has[1] or is_same(values[1], values[2])):
                if has[0]:
                    found[name] = values[0]
            elif all(has) and all(isinstance(value, dict) for value in values):
                found[name] = self._merged(original[name], before[name], written[name], location)
            else:
                if has[2]:
                    found[name] = values[2]
                if has[0] and (not has[1] or self._is_lost(location, values[1])):
                    self.overwritten.append(location)
        return found

    def _is_lost(self, location: Location, before: BytesOrJson) -> bool:
        """Return whether an original is another value than what the run alone would be changed back to."""
        shown = display(location)
        if any(path == shown or path.startswith((f"{shown}.", f"{shown}[")) for path in self._replaced):
            return True
        # Not if it is only written otherwise, as 007 and 7: then the run makes the same of both.
        changed = self._original.copy()
        changed.set(tuple(map(str, location)), before)
        try:
            return self._pipeline.change(changed).document != self._after
        except NotConvertibleError:
            return True
