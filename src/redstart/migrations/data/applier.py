"""Send edits to the server, one script per chunk, and retry documents that another client has changed."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from redstart.commands.scripts import Script, load
from redstart.effects import Op
from redstart.mapping.value_paths import Location
from redstart.migrations.data.edit_builder import guard_paths
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.json_path import can_be_merged, can_be_set, in_list, merge_patch, path_text
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.reader import read_documents
from redstart.migrations.data.undo_log import compressed, packed_entry
from redstart.migrations.lease import Lease, SentScript
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Edit

logger = logging.getLogger(__name__)

SCRIPT_TARGET_MICROSECONDS = 2_000
"""How long a script may block other clients."""

FIRST_DOCUMENTS = 20
"""Size of a chunk until a script has been measured."""

MAX_DOCUMENTS = 200
MAX_CHUNK_BYTES = 256_000
_GUARDED_BYTES_PER_BYTE = 4
"""To read and hash a list takes the server a quarter of the time for a change of as many bytes."""

MOVED_FROM = 50
"""From so many values in lists on, a document is renamed while they are set, without a measurement of the first."""

MAX_EDITS = 500
"""Of one document in one script; Lua's unpack() ends at 8,000 values."""

FIRST_EDITS = 50
"""In lists, of a document with more, until a script has been measured: each of them is indexed by itself."""

PART_TARGET_MICROSECONDS = 5_000
"""How long the script for a part of a document may take, besides what indexes take for any change of it."""

MAX_MICROSECONDS = 10_000
"""After this time a script begins no other document, whatever the measurement of earlier ones has promised."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of a chunk; each document is in one of the first three lists.

    Attributes:
        changed: written, with an entry in the undo log.
        conflicts: changed or deleted by another client since they were read; nothing was written.
        failed: the server rejected a write after another; the undo log has what was written.
        altered: JSON values that differ from those sent: the document, the edit, the stored text.
    """

    changed: list[DocumentEdits]
    conflicts: list[DocumentEdits]
    failed: list[DocumentEdits]
    altered: list[tuple[DocumentEdits, Edit, bytes | None]]

    def with_more(self, more: "Applied") -> "Applied":
        """Return the result of this chunk and of another one."""
        return Applied(
            self.changed + more.changed,
            self.conflicts + more.conflicts,
            self.failed + more.failed,
            self.altered + more.altered,
        )


@dataclass(frozen=True, slots=True)
class SentChunk:
    """Documents whose script is under way; or a part of one."""

    documents: Sequence[DocumentEdits]
    script: SentScript
    is_part: bool
    label: str | None = None


class Applier:
    """Applies edits under a lease. The size of its chunks follows the measured time of its scripts.

    Attributes:
        is_cutting: whether the chunk that `cut_chunks` has made last is a part of a document.

    Args:
        after: the milestone that the record must have, see `record.milestone`; "" for none.
        counted_as: the field of the record to which the script adds the number of values written; "" for none.
        under: the server's run id, if the edits are valid only for that run of the server.
    """

    def __init__(
        self,
        lease: Lease,
        keys: StateKeys,
        *,
        fields_expire: bool,
        after: str = "",
        counted_as: str = "",
        under: str = "",
    ) -> None:
        self._lease = lease
        self._keys = keys
        self._fields_expire = fields_expire
        self._after = after
        self._counted_as = counted_as
        self._under = under
        self._chunk_documents = FIRST_DOCUMENTS
        self._part_edits = FIRST_EDITS
        self.is_cutting = False
        self._script = _script()

    def chunks(self, documents: Iterable[DocumentEdits]) -> Iterable[list[DocumentEdits]]:
        """Yield documents in chunks for `apply`; never one key twice in a chunk."""
        chunk: list[DocumentEdits] = []
        keys: set[bytes] = set()
        size = 0
        for document in documents:
            document_bytes = _byte_size(document)
            full = len(chunk) >= self._chunk_documents or (chunk and size + document_bytes > MAX_CHUNK_BYTES)
            if full or document.key in keys:
                yield chunk
                chunk, keys, size = [], set(), 0
            chunk.append(document)
            keys.add(document.key)
            size += document_bytes
        if chunk:
            yield chunk

    def cut_chunks(self, documents: Iterable[DocumentEdits]) -> Iterable[list[DocumentEdits]]:
        """As `chunks`, with documents of many edits in parts, each of them applied as a unit. Sized as it goes."""
        whole: list[DocumentEdits] = []
        for document in documents:
            if not self._is_cut(document):
                whole.append(document)
                continue
            yield from self.chunks(whole)
            whole = []
            self.is_cutting = True
            for part in self._parts(document):
                yield [part]
            self.is_cutting = False
        yield from self.chunks(whole)

    def _is_cut(self, document: DocumentEdits) -> bool:
        if document.flat is not None or document.count <= 1:
            return document.count > MAX_EDITS
        return (
            document.count > MAX_EDITS
            or (document.count > FIRST_EDITS and _items(document.edits) > FIRST_EDITS)
            or _byte_size(document) - document.guarded_bytes // _GUARDED_BYTES_PER_BYTE > MAX_CHUNK_BYTES
        )

    def _parts(self, document: DocumentEdits) -> Iterable[DocumentEdits]:
        edits = document.edits
        self._part_edits = FIRST_EDITS if _items(edits) > FIRST_EDITS else MAX_EDITS
        start = 0
        while start < len(edits):
            stop, size = start, 0
            while stop < min(start + self._part_edits, len(edits)):
                size += _edit_bytes(edits[stop])
                if stop > start and size > MAX_CHUNK_BYTES:
                    break
                stop += 1
            part, start = edits[start:stop], stop
            guarded = guard_paths(part, large=document.large) if document.guards else []
            guards: list[tuple[str, bytes | None]] = [(path, None) for path in guarded]
            yield DocumentEdits(document.key, document.json, part, guards, document.guarded_bytes)

    def apply(self, documents: Sequence[DocumentEdits], *, label: str | None) -> Op[Applied]:
        """Apply one chunk.

        Args:
            label: "generation.pass" for the undo log; None for no entry (in a rollback).

        Raises:
            LeaseLostError: another run has acquired the lease; nothing was written.
            UnsafeServerError: the server has lost the milestone; nothing was written.
            ServerRestartedError: the server was restarted since the edits were made; nothing was written.

        Effects: one script, the atomic unit. Safe to repeat: its own changes no longer compare equal.
        """
        sent = yield from self.send(documents, label=label)
        return (yield from self.collect(sent))

    def send(self, documents: Sequence[DocumentEdits], *, label: str | None) -> Op[SentChunk]:
        """Like `apply`, sent ahead: the next documents can be classified while the server works on these."""
        return (yield from self._send(documents, label, is_part=self.is_cutting))

    def _send(self, documents: Sequence[DocumentEdits], label: str | None, *, is_part: bool) -> Op[SentChunk]:
        wire = [document.flat or _nested_wire(document) for document in documents]
        payload = msgpack.packb(wire, use_bin_type=False)
        script = yield from self._lease.send(
            self._script,
            (self._keys.journal, self._keys.record, self._keys.moved),
            (
                payload,
                b"" if label is None else _journal_blob(documents, payload),
                label or "",
                "1" if self._fields_expire else "0",
                self._after,
                self._counted_as,
                self._under,
                MAX_MICROSECONDS,
                MOVED_FROM,
            ),
        )
        return SentChunk(documents, script, is_part, label)

    def collect(self, sent: SentChunk) -> Op[Applied]:
        """Return the result of a chunk that was sent ahead.

        Effects: another script for documents that it has left because its time was over.
        """
        found, left = yield from self._collect(sent)
        while left:
            chunk = next(iter(self.chunks(left)))
            again = yield from self._send(chunk, sent.label, is_part=False)
            more, left_again = yield from self._collect(again)
            found, left = found.with_more(more), left_again + left[len(chunk) :]
        return found

    def _collect(self, sent: SentChunk) -> Op[tuple[Applied, list[DocumentEdits]]]:
        """Return the result of one script, and the documents that it has left."""
        codes, read_back, microseconds, of_indexing = yield from self._lease.answer(sent.script)
        applied, left = _sorted_out(sent.documents, codes, msgpack.unpackb(read_back, raw=True))
        self.adapt(sent, microseconds, of_indexing=of_indexing, left=len(left))
        return applied, left

    def adapt(self, sent: SentChunk, microseconds: int, *, of_indexing: int = 0, left: int = 0) -> None:
        """Size the next chunks, or the next parts of a document, by the time that a script took.

        Args:
            of_indexing: microseconds of these that do not depend on the number of edits.
            left: number of documents that the script has left.
        """
        if sent.is_part:
            edits = sent.documents[0].count
            wanted = edits * PART_TARGET_MICROSECONDS // max(microseconds - of_indexing, 1)
            self._part_edits = max(1, min(MAX_EDITS, wanted, 2 * edits))
            return
        wanted = (len(sent.documents) - left) * SCRIPT_TARGET_MICROSECONDS // max(microseconds, 1)
        # Half-way each time: one slow script (a busy machine) must not make a hundred tiny ones.
        self._chunk_documents = max(1, min(MAX_DOCUMENTS, (self._chunk_documents + wanted) // 2))


def split_large(document: DocumentEdits) -> list[DocumentEdits]:
    """Split a document with very many edits into several, each of them applied as a unit."""
    if document.count <= MAX_EDITS:
        return [document]
    starts = range(0, len(document.edits), MAX_EDITS)
    pieces = (document.edits[start : start + MAX_EDITS] for start in starts)
    guards, guarded_bytes = document.guards, document.guarded_bytes
    return [
        DocumentEdits(document.key, document.json, edits, list(guards), guarded_bytes) for edits in pieces
    ]


def _script() -> Script:
    return load("fenced.lua", "same_server.lua", "apply.lua")


def _journal_blob(documents: Sequence[DocumentEdits], payload: bytes) -> bytes:
    """Return the blob for the undo log; if all documents are plain, it is the payload of the script."""
    all_plain = None not in [document.flat for document in documents]
    return compressed(payload if all_plain else packed_entry(documents))


def _sorted_out(
    documents: Sequence[DocumentEdits], codes: bytes, read_back: list[Any]
) -> tuple[Applied, list[DocumentEdits]]:
    """Return the result of a script, and the documents that it has left."""
    if codes == b"a" * len(documents) and not read_back:
        return Applied(list(documents), [], [], []), []
    by_code: dict[str, list[DocumentEdits]] = {"a": [], "c": [], "f": [], "l": []}
    for document, code in zip(documents, codes.decode(), strict=True):
        by_code[code].append(document)
    altered = [
        (documents[number], documents[number].edits[change], text or None)
        for number, change, text in read_back
        if change < len(documents[number].edits)
    ]
    return Applied(by_code["a"], by_code["c"], by_code["f"], altered), by_code["l"]


def _byte_size(document: DocumentEdits) -> int:
    if document.flat is not None:
        return sum(map(len, document.flat[3:]))
    size = document.guarded_bytes // _GUARDED_BYTES_PER_BYTE
    return size + sum(map(_edit_bytes, document.edits))


def _edit_bytes(edit: Edit) -> int:
    return len(edit.old or b"") + len(edit.new or b"") + 64


def _items(edits: Sequence[Edit]) -> int:
    """How many of the edits are items of lists, or lie in them."""
    return sum(in_list(edit.location) for edit in edits)


def _nested_wire(document: DocumentEdits) -> list[object]:
    """Return a document that is not plain as apply.lua takes it: changes of edits first, then quarantine targets."""
    guards = [[path, digest or False] for path, digest in document.guards]
    counts = [document.converted, document.lossy, document.count]
    if document.json:
        return [document.key, "json", *_json_changes(document), guards, counts]
    changes = [_hash_change(edit.location, edit.old, edit.new, edit.aside) for edit in document.edits]
    for edit in document.edits:
        if edit.aside is not None:
            changes.append(_hash_change(edit.aside, *_aside_bytes(edit), edit.location))
    return [document.key, "hash", changes, "", guards, counts]


def _hash_change(
    place: Location, old: bytes | None, new: bytes | None, twin: Location | None
) -> list[object]:
    return [place[0], _present(old), _present(new), "" if twin is None else twin[0]]


def _aside_bytes(edit: Edit) -> tuple[bytes | None, bytes | None]:
    """Return the quarantined value before and after: it is moved there, or (in a rollback) from there."""
    return (edit.new, None) if edit.restores else (None, edit.old)


def _present(data: bytes | None) -> bytes | bool:
    return False if data is None else data


def _json_changes(document: DocumentEdits) -> tuple[list[list[object]], bytes]:
    places: list[tuple[Location, bytes | None, bytes | None]] = []
    places += [(edit.location, edit.old, edit.new) for edit in document.edits]
    for edit in document.edits:
        if edit.aside is not None:
            places.append((edit.aside, *_aside_bytes(edit)))
    mergeable = [
        (location, new)
        for location, old, new in places
        if old is not None and new is not None and can_be_merged(new) and not in_list(location)
    ]
    # One MERGE re-indexes the document once; for a single plain value JSON.SET does the same for less.
    if len(mergeable) == 1 and can_be_set(mergeable[0][0]):
        mergeable = []
    merged = {location for location, _ in mergeable}
    changes: list[list[object]] = [
        [path_text(location), _present(old), _present(new), "patch" if location in merged else "set"]
        for location, old, new in places
    ]
    return changes, merge_patch(mergeable) if mergeable else b""


MAX_TRIES = 20
"""Retries for a document that other clients keep changing; after that, the next pass processes it."""

EditsMaker = Callable[[Sequence[StoredDocument]], Op[list[DocumentEdits]]]
"""Makes the edits of documents as just read."""


@dataclass(slots=True)
class WriteOutcome:
    """The result for some documents.

    Attributes:
        documents, values: number written.
        retried: documents read again because of a conflict.
        applied: the results of all scripts, for failed and altered values.
    """

    documents: int = 0
    values: int = 0
    retried: int = 0
    applied: list[Applied] = field(default_factory=list)


class ConflictRetrier:
    """Edits in progress. `begin` sends the first of them ahead, `finish` retries conflicts until all are written."""

    def __init__(self, applier: Applier, make_edits: EditsMaker, *, label: str | None) -> None:
        self._applier = applier
        self._make_edits = make_edits
        self._label = label
        self._models: dict[bytes, PlannedModel] = {}
        self._sent: list[SentChunk] = []
        self._answered: list[Applied] = []

    def begin(self, documents: Sequence[StoredDocument]) -> Op[None]:
        """Send the edits that `make_edits` returns."""
        self._models = {document.key: document.model for document in documents}
        yield from self._send(documents)

    def finish(self) -> Op[WriteOutcome]:
        """Read, classify and send documents with conflicts again, until they are written."""
        settled = WriteOutcome()
        for _ in range(MAX_TRIES):
            conflicts = yield from self._collect(settled)
            if not conflicts:
                return settled
            settled.retried += len(conflicts)
            documents = yield from read_documents([(key, self._models[key]) for key in conflicts])
            yield from self._send(documents)
        conflicts = yield from self._collect(settled)
        if conflicts:
            logger.debug(
                "Documents in conflict after %d tries, left to the next pass: %d", MAX_TRIES, len(conflicts)
            )
        settled.retried += len(conflicts)
        return settled

    def _send(self, documents: Sequence[StoredDocument]) -> Op[None]:
        edits = yield from self._make_edits(documents)
        for chunk in self._applier.cut_chunks(document for document in edits if document.count):
            self._sent.append((yield from self._applier.send(chunk, label=self._label)))
            if self._applier.is_cutting:  # the next part is cut by the time that this one takes
                yield from self._wait()

    def _wait(self) -> Op[None]:
        for sent in self._sent:
            self._answered.append((yield from self._applier.collect(sent)))
        self._sent = []

    def _collect(self, settled: WriteOutcome) -> Op[list[bytes]]:
        """Collect the results of the sent chunks. Return the keys with conflicts."""
        conflicts: dict[bytes, None] = {}
        yield from self._wait()
        answered, self._answered = self._answered, []
        for applied in answered:
            settled.applied.append(applied)
            settled.documents += len(applied.changed)
            settled.values += sum(document.count for document in applied.changed)
            conflicts |= dict.fromkeys(document.key for document in applied.conflicts)
        return list(conflicts)
