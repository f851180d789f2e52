"""Store the documents of a model as JSON instead of hashes, or the reverse, and back.

A key has one type, so each document is replaced as a whole, in one step, if it is unchanged since it was read. Its
original is kept on the server. A client that still writes the old type gets an error of the server, and no write is
lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from redstart.commands.keyspace import key_type, xlen
from redstart.commands.scripts import load, run_script
from redstart.display import printable
from redstart.effects import Op, batch, call, gather
from redstart.errors import (
    MigrationError,
    NotConvertibleError,
    UndoLogCorruptError,
    ValueConversionError,
)
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.failures import MAX_RECORDS, FailureLog, failure_at
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.migrations.operations.base import ChangedDocument, DocumentPipeline
from redstart.migrations.operations.document import Document
from redstart.migrations.state_keys import ORIGINALS
from redstart.migrations.steps.key_moves import TAKEN, KeyMove
from redstart.migrations.steps.key_passes import KeyPattern, Left, existing_keys, handle_keys, scan_page
from redstart.migrations.steps.record import BEGUN, mark, read_steps
from redstart.values.types import Storage

PAGE_BYTES = 1_000_000
"""Size of documents after which a script ends; a larger document has a script of its own."""

PAGE_ENTRIES = 100
"""Limit of documents that one script restores."""

MAX_TRIES = 5
"""How often a document that changes between read and write is read again in one pass."""

RESTORED = "restored_originals"
"""Field of the record: number of restored documents."""


@dataclass(frozen=True, slots=True)
class StorageResult:
    """The result of a change of storage.

    Attributes:
        model: the name of the model.
        replaced: number of documents replaced in this direction, interrupted runs included.
        replaced_now: of these, those replaced by this process.
        left: number of documents that cannot be stored in the other storage. Only a rollback is complete with them.
        stopped: why it is not complete; None if it is.
        failures: these documents, and values that an operation has skipped or replaced.
    """

    model: str
    replaced: int
    replaced_now: int = 0
    left: int = 0
    stopped: str | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class StorageChange:
    """A change of the storage of the documents of a model, and of everything else that a file changes in them.

    Attributes:
        move: the model before and after, and the keys of each document.
        pipeline: all changes of a document, that of its storage included.
        is_back: whether documents are changed back.
    """

    move: KeyMove
    pipeline: DocumentPipeline
    is_back: bool = False

    @property
    def source(self) -> KeyPattern:
        """The keys and the type of the documents to replace."""
        return KeyPattern.of(self.move.before)

    @property
    def target(self) -> KeyPattern:
        """The keys and the type of the documents in their place."""
        return KeyPattern.of(self.move.after)

    def back(self) -> "StorageChange":
        """Return the change back."""
        return replace(self, move=self.move.back(), is_back=not self.is_back)

    def is_wanted(self, key: bytes) -> bool:
        """Return whether a key with the old type belongs to the model."""
        return self.source.matches(key) and not self.source.leaves_out(key, self.move.exclude_prefixes)

    def converted(self, content: Any) -> tuple[Any, Sequence[NotConvertibleError]]:
        """Return the new content of a document, and the failures that did not prevent it.

        Raises:
            NotConvertibleError: the document cannot be stored in the other storage.
        """
        document = read_document(self.source.storage, content)
        back = ChangedDocument(self.pipeline.backward(document)) if self.is_back else None
        changed, failures = back or self.pipeline.change(document)
        return stored_content(changed), failures

    @property
    def counted_as(self) -> str:
        """The field of the record that counts the documents replaced in this direction."""
        return f"replaced:{self.move.before.name}:{self.source.storage.value}"


def stored_content(document: Document) -> Any:
    """Return the content of a document as scripts write it. Raises NotConvertibleError if there is none."""
    if document.storage is Storage.JSON:
        return document.json_text()
    if not document.root:
        raise NotConvertibleError("", "", "no value is left, and a hash cannot be empty")
    return [part for name, value in document.root.items() for part in (name.encode(), value)]


def read_document(storage: Storage, content: Any) -> Document:
    """Return a document as a script has read it. Raises NotConvertibleError."""
    try:
        if storage is Storage.JSON:
            return Document.of_json(content)
        pairs = zip(content[::2], content[1::2], strict=True)
        return Document.of_hash({name.decode(): value for name, value in pairs})
    except ValueConversionError as error:
        raise NotConvertibleError("", "", error.reason) from error
    except UnicodeDecodeError as error:
        raise NotConvertibleError("", "", "the name of a field is not valid UTF-8") from error


@dataclass(slots=True)
class StorageCheck:
    """What the documents of a model would become.

    Attributes:
        change: the change.
        documents: number of documents; a document in two pages of a scan is counted twice.
        failures: the first of those that cannot be stored in the other storage, as many as are recorded.
        failed: number of those.
    """

    change: StorageChange
    documents: int
    failures: tuple[Failure, ...] = ()
    failed: int = 0

    @property
    def refusal(self) -> str | None:
        """Why the change is refused; None if it is not."""
        if not self.failures:
            return None
        storage = self.change.target.storage.name
        return f"{self.failed:,} of {self.documents:,} documents cannot be stored as {storage}"


def check_documents(
    context: Context, change: StorageChange, *, keep: Callable[[Activity], Op[None]] | None = None
) -> Op[StorageCheck]:
    """Return which documents cannot be stored in the other storage.

    Args:
        keep: renews a lease.

    Effects: reads every document of the model.
    """
    checked, more = 0, 0
    failures: dict[bytes, Failure] = {}
    cursor = -1
    while cursor:
        cursor, keys = yield from scan_page(change.source, cursor)
        page = [key for key in keys if change.is_wanted(key)]
        while page:
            documents = yield from _documents(page, change.source)
            for key, found in zip(page, documents, strict=False):
                failure = None if found is None else _failure_of(key, change, found)
                if failure is None:
                    continue
                if key in failures or len(failures) < MAX_RECORDS:
                    failures[key] = failure
                else:
                    more += 1
            checked += len(documents)
            page = page[len(documents) :]
        stage = f"checking {change.source}"
        if keep is not None:
            yield from keep(Activity(stage, checked))
        context.monitor.progress(Progress(stage, 0, checked, 0, len(failures) + more))
    return StorageCheck(change, checked, tuple(failures.values()), len(failures) + more)


def _failure_of(key: bytes, change: StorageChange, found: "_Found") -> Failure | None:
    try:
        _ = _require_converted(change, found)
    except NotConvertibleError as error:
        return _failure(key, error)
    return None


def _failure(key: bytes, error: NotConvertibleError) -> Failure:
    return failure_at(key, error.path, error.value.encode(errors="surrogateescape"), error.reason)


def field_of_storage(change: StorageChange) -> str:
    """Return the field of the record that says that a change of storage has begun."""
    return f"storage:{change.move.before.name}"


def begin_storage_change(context: Context, change: StorageChange) -> Op[StorageCheck]:
    """Record that a change was started, unless a document prevents it.

    Returns:
        The documents that cannot be converted to the other storage. If there are any, nothing was written.

    Raises:
        MigrationError: there are documents of the new type already; nothing was written.
        LeaseHeldError: another run is in progress.

    Effects: reads every document of the model; writes one field, or records the failures. Safe to repeat.
    """
    field = field_of_storage(change)

    def work(lease: Lease) -> Op[StorageCheck]:
        if field in (yield from read_steps(context.keys)).fields:
            return StorageCheck(change, 0)
        count, taken = yield from existing_keys(lease, change.target, change.move.exclude_prefixes)
        if taken:
            shown = ", ".join(printable(key) for key in sorted(taken)[:3])
            raise MigrationError(
                f"{count:,} keys {change.target} are {_noun(change.target)} already, such as {shown}. A rollback "
                "could not distinguish them. Nothing was changed.",
                "Remove or rename these keys.",
            )
        found = yield from check_documents(context, change, keep=lease.keep)
        log = FailureLog(context.keys)
        recorded = yield from log.names_by_key(change.is_wanted)
        yield from log.remove(lease, [name for names in recorded.values() for name in names])
        _ = yield from log.record(lease, list(found.failures))
        if not found.failures:
            yield from lease.commit([mark(context.keys, field, BEGUN)])
        return found

    return (yield from context.under_lease(work))


def change_storage(context: Context, change: StorageChange) -> Op[StorageResult]:
    """Replace all documents, in passes until none has the old type.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: for each 500 documents, or 1 MB of them, a script that reads and one that replaces them. The expiry of keys
        stays. Failures are recorded before the documents are replaced, but not those of a rollback. Safe to repeat.
    """
    return (yield from context.under_lease(lambda lease: _Replacement(context, change, lease).run()))


class _Replacement:
    def __init__(self, context: Context, change: StorageChange, lease: Lease) -> None:
        self._context, self._change, self._lease = context, change, lease
        self._log = FailureLog(context.keys)
        self._failures: dict[bytes, list[Failure]] = {}
        self._recorded: dict[bytes, set[bytes]] = {}
        self._field = change.counted_as
        self._left: dict[bytes, str] = {}

    def run(self) -> Op[StorageResult]:
        """Replace all documents."""
        change, keys = self._change, self._context.keys
        before = (yield from read_steps(keys)).count(self._field)
        if not change.is_back:
            self._recorded = yield from self._log.names_by_key(change.is_wanted)
        stage = f"storing {change.source} as {change.target.storage.name}"
        result = yield from handle_keys(
            self._context, self._lease, change.source, stage, self._handle, change.is_wanted
        )
        stopped, number = result.stopped, len(result.left)
        if stopped is None:
            yield from self._forget_removed()
        if stopped is None and number and not change.is_back:
            what = "1 document cannot" if number == 1 else f"{number:,} documents cannot"
            stopped = f"{what} be stored as {change.target.storage.name}"
        replaced = (yield from read_steps(keys)).count(self._field)
        failures = tuple(failure for key in sorted(self._failures) for failure in self._failures[key])
        name = change.move.before.name
        return StorageResult(name, replaced, replaced - before, number, stopped, failures)

    def _handle(self, page: Sequence[bytes]) -> Op[Left]:
        self._left = {}
        waiting = list(page)
        for _ in range(MAX_TRIES):
            waiting = yield from self._replace(waiting)
            if not waiting:
                break
        return self._left

    def _replace(self, waiting: Sequence[bytes]) -> Op[list[bytes]]:
        """Replace documents. Return the keys of those that changed since they were read."""
        changed: list[bytes] = []
        while waiting:
            documents = yield from _documents(waiting, self._change.source)
            written: dict[bytes, list[Any]] = {}
            for key, found in zip(waiting, documents, strict=False):
                if found is not None and (content := self._converted(key, found)) is not None:
                    written[key] = [key, self._change.move.new_key(key), found.digest, content]
            yield from self._record(waiting[: len(documents)])
            waiting = waiting[len(documents) :]
            if written:
                changed += yield from self._send(list(written), list(written.values()))
        return changed

    def _converted(self, key: bytes, found: "_Found") -> Any:
        """Return the new content of a document; None if it cannot be stored in the other storage."""
        try:
            content, skipped = _require_converted(self._change, found)
        except NotConvertibleError as exc:
            self._fail(key, _failure(key, exc))
            return None
        _ = self._failures.pop(key, None)
        if skipped:
            self._failures[key] = [_failure(key, error) for error in skipped]
        return content

    def _send(self, written: Sequence[bytes], documents: Sequence[Sequence[Any]]) -> Op[list[bytes]]:
        change, keys = self._change, self._context.keys
        packed = msgpack.packb([part for one in documents for part in one], use_bin_type=False)
        changed, taken, rejected = yield from self._lease.run(
            load("fenced.lua", "document_state.lua", "replace_documents.lua"),
            (keys.originals, keys.steps, keys.moved),
            (
                change.source.storage.key_type,
                change.target.storage.key_type,
                self._field,
                "" if change.is_back else ORIGINALS,
                packed,
            ),
        )
        for number in taken:
            key = written[number - 1]
            reason = TAKEN.format(printable(change.move.new_key(key)))
            self._fail(key, failure_at(key, "", b"", reason))
        for number, text in zip(rejected[::2], rejected[1::2], strict=True):
            key, reason = written[number - 1], f"the server rejects it: {text.decode(errors='replace')}"
            self._fail(key, failure_at(key, "", b"", reason))
        yield from self._record([written[number - 1] for number in (*taken, *rejected[::2])])
        return [written[number - 1] for number in changed]

    def _fail(self, key: bytes, failure: Failure) -> None:
        self._left[key] = failure.reason
        self._failures[key] = [failure]

    def _record(self, keys: Sequence[bytes]) -> Op[None]:
        """Record the failures of documents, and remove those that were recorded before. Not in a rollback."""
        if self._change.is_back:
            return
        failures = [failure for key in keys for failure in self._failures.get(key, ())]
        former = {name for key in keys for name in self._recorded.pop(key, ())}
        yield from self._log.remove(self._lease, list(former - {one.name for one in failures}))
        _ = yield from self._log.record(self._lease, failures)

    def _forget_removed(self) -> Op[None]:
        """Remove the recorded failures of documents that exist no more, in either storage."""
        keys = list(self._recorded)
        kinds = yield from batch(gather([key_type(self._change.move.new_key(key)) for key in keys]))
        gone = [key for key, kind in zip(keys, kinds, strict=True) if kind == b"none"]
        yield from self._log.remove(self._lease, [name for key in gone for name in self._recorded[key]])


@dataclass(frozen=True, slots=True)
class RestoredOriginals:
    """The result of a restoration.

    Attributes:
        documents: number of restored documents, interrupted rollbacks included.
        stopped: why it is not complete; None if it is.
    """

    documents: int
    stopped: str | None = None


def restore_originals(
    context: Context, lease: Lease, handle_changed: Callable[[Sequence[str]], Op[None]]
) -> Op[RestoredOriginals]:
    """Restore every byte of the documents that are unchanged since their storage was changed.

    Args:
        handle_changed: called with the ids of entries of documents that were written since, page by page.

    Raises:
        UndoLogCorruptError: originals are missing; nothing was written.

    Effects: a script for each 100 documents, or 1 MB of them. Safe to repeat.
    """
    keys = context.keys
    expected = (yield from read_steps(keys)).count(ORIGINALS)
    existing = yield from call(xlen(keys.originals))
    if existing < expected:
        raise UndoLogCorruptError(
            f"{keys.originals} has {existing:,} of {expected:,} originals. Nothing was changed.",
            keys.restore_hint(),
        )
    script = load("fenced.lua", "document_state.lua", "restore_replaced.lua")
    before, stopped = b"+", None
    while before != b"(" and stopped is None:
        arguments = (PAGE_ENTRIES, PAGE_BYTES, RESTORED, ORIGINALS, before)
        last, *changed = yield from lease.run(script, (keys.originals, keys.steps, keys.moved), arguments)
        if changed:
            yield from handle_changed([one.decode() for one in changed])
        before = b"(" + last
        done = (yield from read_steps(keys)).count(RESTORED)
        yield from lease.keep(Activity("restoring documents", done))
        context.monitor.progress(Progress("restoring documents", 0, done, expected, 0))
        if last and context.monitor.stop_requested():
            stopped = "interrupted"
    restored = (yield from read_steps(keys)).count(RESTORED)
    return RestoredOriginals(restored, stopped)


@dataclass(frozen=True, slots=True)
class _Found:
    """A document as read: a digest of it, the name of a field that expires, and its content."""

    digest: bytes
    expiring: bytes
    content: Any


def _documents(keys: Sequence[bytes], pattern: KeyPattern) -> Op[list[_Found | None]]:
    """Return the documents of the first keys, at least one; None for what does not exist any more."""
    script = load("document_state.lua", "read_documents.lua")
    replies = yield from run_script(script, (), (PAGE_BYTES, pattern.storage.key_type, *keys))
    return [None if reply is None else _Found(*reply) for reply in replies]


def _require_converted(change: StorageChange, found: _Found) -> tuple[Any, Sequence[NotConvertibleError]]:
    """Return the new content of a document. Raises NotConvertibleError."""
    if found.expiring and change.target.storage is Storage.JSON:
        raise NotConvertibleError(
            found.expiring.decode(errors="replace"),
            "",
            "the field expires, which JSON cannot store; HPERSIST removes the expiry",
        )
    return change.converted(found.content)


def _noun(pattern: KeyPattern) -> str:
    return "JSON documents" if pattern.storage is Storage.JSON else "hashes"
