"""Store the documents of a model as JSON instead of hashes, or the reverse, and back.

A key has one type, so each document is replaced as a whole, in one step, if it is unchanged since it was read. Its
original is kept on the server. A client that still writes the old type gets an error of the server, and no write is
lost.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from redstart.commands.keyspace import scan_type, xlen
from redstart.commands.scripts import load, run_script
from redstart.display import printable
from redstart.effects import Op, call
from redstart.errors import (
    MigrationError,
    NotConvertibleError,
    UndoLogCorruptError,
    ValueConversionError,
)
from redstart.migrations.context import Context, Progress
from redstart.migrations.data.failures import failure_at
from redstart.migrations.failure import Failure
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.migrations.operations.base import ChangedDocument, DocumentPipeline
from redstart.migrations.operations.document import Document
from redstart.migrations.state_keys import ORIGINALS
from redstart.migrations.steps.key_moves import TAKEN, KeyMove
from redstart.migrations.steps.key_passes import SCANNED_KEYS, KeyPattern, Left, handle_keys
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
        left: number of documents that cannot be stored otherwise. Only a rollback is complete with them.
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
            NotConvertibleError: the document cannot be stored otherwise.
        """
        document = _read(self.source.storage, content)
        back = ChangedDocument(self.pipeline.backward(document)) if self.is_back else None
        changed, failures = back or self.pipeline.change(document)
        if changed.storage is Storage.JSON:
            return changed.json_text(), failures
        if not changed.root:
            raise NotConvertibleError("", "", "no value is left, and a hash cannot be empty")
        return [part for name, value in changed.root.items() for part in (name.encode(), value)], failures


def _read(storage: Storage, content: Any) -> Document:
    """Return a document. Raises NotConvertibleError."""
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
        documents: number of documents.
        failures: those that cannot be stored otherwise.
    """

    documents: int
    failures: tuple[Failure, ...]


def check_documents(
    context: Context, change: StorageChange, *, keep: Callable[[Activity], Op[None]] | None = None
) -> Op[StorageCheck]:
    """Return which documents cannot be stored otherwise.

    Args:
        keep: renews a lease.

    Effects: reads every document of the model.
    """
    seen: set[bytes] = set()
    failures: dict[bytes, Failure] = {}
    cursor = -1
    while cursor:
        cursor, keys = yield from call(_scan(change.source, cursor))
        page = [key for key in dict.fromkeys(keys) if key not in seen and change.is_wanted(key)]
        while page:
            documents = yield from _documents(page, change.source)
            for key, found in zip(page, documents, strict=False):
                failure = None if found is None else _failure_of(key, change, found)
                if failure is not None:
                    failures[key] = failure
            seen.update(page[: len(documents)])
            page = page[len(documents) :]
        stage = f"checking {change.source}"
        if keep is not None:
            yield from keep(Activity(stage, len(seen)))
        context.monitor.progress(Progress(stage, 0, len(seen), 0, len(failures)))
    return StorageCheck(len(seen), tuple(failures.values()))


def _failure_of(key: bytes, change: StorageChange, found: "_Found") -> Failure | None:
    try:
        _ = _require_converted(change, found)
    except NotConvertibleError as error:
        return failure_at(key, error.path, b"", error.reason)
    return None


def begin_storage_change(context: Context, change: StorageChange) -> Op[StorageCheck]:
    """Record that a change was started, unless a document prevents it.

    Returns: The documents that cannot be converted to the other storage. If there are any, nothing was written.

    Raises:
        MigrationError: there are documents of the new type already; nothing was written.
        LeaseHeldError: another run is in progress.

    Effects: reads every document of the model; writes one field. Safe to repeat.
    """
    field = f"storage:{change.move.before.name}"

    def work(lease: Lease) -> Op[StorageCheck]:
        if field in (yield from read_steps(context.keys)).fields:
            return StorageCheck(0, ())
        taken = yield from _existing(lease, change)
        if taken:
            shown = ", ".join(printable(key) for key in sorted(taken)[:3])
            raise MigrationError(
                f"{len(taken):,} keys {change.target} are {_noun(change.target)} already, such as {shown}. A rollback "
                "could not distinguish them. Nothing was changed.",
                "Remove or rename these keys.",
            )
        found = yield from check_documents(context, change, keep=lease.keep)
        if not found.failures:
            yield from lease.commit([mark(context.keys, field, BEGUN)])
        return found

    return (yield from context.under_lease(work))


def _existing(lease: Lease, change: StorageChange) -> Op[Collection[bytes]]:
    """Return the keys of the target that have the new type."""
    target, excluded = change.target, change.move.exclude_prefixes
    found: set[bytes] = set()
    cursor = -1
    while cursor:
        cursor, keys = yield from call(_scan(target, cursor))
        found.update(key for key in keys if target.matches(key) and not target.leaves_out(key, excluded))
        yield from lease.keep()
    return found


def _scan(pattern: KeyPattern, cursor: int) -> Any:
    return scan_type(
        max(cursor, 0),
        prefix=pattern.prefix,
        suffix=pattern.suffix,
        kind=pattern.storage.key_type,
        count=SCANNED_KEYS,
    )


def change_storage(context: Context, change: StorageChange) -> Op[StorageResult]:
    """Replace all documents, in passes until none has the old type.

    Raises:
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: for each 500 documents, or 1 MB of them, a script that reads and one that replaces them. The expiry of keys
        stays. Safe to repeat.
    """
    return (yield from context.under_lease(lambda lease: _Replacement(context, change, lease).run()))


class _Replacement:
    def __init__(self, context: Context, change: StorageChange, lease: Lease) -> None:
        self._context, self._change, self._lease = context, change, lease
        self._field = f"replaced:{change.move.before.name}:{change.source.storage.value}"
        self._failures: dict[bytes, Failure] = {}
        self._left: dict[bytes, str] = {}

    def run(self) -> Op[StorageResult]:
        """Replace all documents."""
        change, keys = self._change, self._context.keys
        before = (yield from read_steps(keys)).count(self._field)
        stage = f"storing {change.source} as {change.target.storage.name}"
        result = yield from handle_keys(
            self._context, self._lease, change.source, stage, self._handle, change.is_wanted
        )
        stopped, number = result.stopped, len(result.left)
        if stopped is None and number and not change.is_back:
            what = "1 document cannot" if number == 1 else f"{number:,} documents cannot"
            stopped = f"{what} be stored as {change.target.storage.name}"
        replaced = (yield from read_steps(keys)).count(self._field)
        failures = tuple(self._failures[key] for key in sorted(self._failures))
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
            waiting = waiting[len(documents) :]
            if written:
                changed += yield from self._send(list(written), list(written.values()))
        return changed

    def _converted(self, key: bytes, found: "_Found") -> Any:
        """Return the new content of a document; None if it cannot be stored otherwise."""
        try:
            content, skipped = _require_converted(self._change, found)
        except NotConvertibleError as exc:
            self._fail(key, exc.path, exc.reason)
            return None
        _ = self._failures.pop(key, None)
        for error in skipped:
            self._failures[key] = failure_at(key, error.path, b"", error.reason)
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
            self._fail(key, "", TAKEN.format(printable(change.move.new_key(key))))
        for number, text in zip(rejected[::2], rejected[1::2], strict=True):
            self._fail(written[number - 1], "", f"the server rejects it: {text.decode(errors='replace')}")
        return [written[number - 1] for number in changed]

    def _fail(self, key: bytes, path: str, reason: str) -> None:
        self._left[key] = reason
        self._failures[key] = failure_at(key, path, b"", reason)


def restore_originals(context: Context) -> Op[tuple[int, str | None]]:
    """Restore every byte of the documents that are unchanged since their storage was changed.

    Returns:
        The number of restored documents, interrupted rollbacks included; and why it stopped, None if it is complete.

    Raises:
        UndoLogCorruptError: originals are missing; nothing was written.
        LeaseHeldError, LeaseLostError: another run is in progress, or has acquired the lease.

    Effects: a script for each 100 documents, or 1 MB of them. Safe to repeat.
    """
    keys = context.keys

    def work(lease: Lease) -> Op[tuple[int, str | None]]:
        expected = (yield from read_steps(keys)).count(ORIGINALS)
        existing = yield from call(xlen(keys.originals))
        if existing < expected:
            raise UndoLogCorruptError(
                f"{keys.originals} has {existing:,} of {expected:,} originals. Nothing was changed.",
                keys.restore_hint(),
            )
        script = load("fenced.lua", "document_state.lua", "restore_replaced.lua")
        arguments = (PAGE_ENTRIES, PAGE_BYTES, RESTORED, ORIGINALS)
        handled, stopped = -1, None
        while handled and stopped is None:
            handled = yield from lease.run(script, (keys.originals, keys.steps, keys.moved), arguments)
            done = (yield from read_steps(keys)).count(RESTORED)
            yield from lease.keep(Activity("restoring documents", done))
            context.monitor.progress(Progress("restoring documents", 0, done, expected, 0))
            if handled and context.monitor.stop_requested():
                stopped = "interrupted"
        if stopped is None:
            yield from lease.commit([["REMOVE", "stream", keys.originals]])
        return (yield from read_steps(keys)).count(RESTORED), stopped

    return (yield from context.under_lease(work))


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
            found.expiring.decode(errors="replace"), "", "the field expires, and JSON cannot store that"
        )
    return change.converted(found.content)


def _noun(pattern: KeyPattern) -> str:
    return "JSON documents" if pattern.storage is Storage.JSON else "hashes"
