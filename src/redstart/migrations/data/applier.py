"""Send edits to the server, one script per chunk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

import msgpack

from redstart.commands.scripts import Script, load
from redstart.effects import Op
from redstart.mapping.value_paths import Location, in_list
from redstart.migrations.data.edit_builder import guard_paths
from redstart.migrations.data.edits import DocumentEdits
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.data.undo_blob import FORMAT, blob_of
from redstart.migrations.data.undo_log import nested_wire
from redstart.migrations.lease import Lease, SentScript
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Edit

SCRIPT_TARGET_MICROSECONDS = 750
"""How long a script may block other clients."""

FIRST_DOCUMENTS = 20
"""Size of a chunk until a script has been measured."""

MAX_DOCUMENTS = 400
"""Limit of documents in one script."""

MAX_CHUNK_BYTES = 256_000
"""Limit of the values that are sent with one script, unless a single document has more."""

_PLAIN_BYTES = 32
"""Estimated bytes that an edit of a plain document sends besides the old value: mainly the number."""

_GUARDED_BYTES_PER_BYTE = 4
"""The server needs a quarter of the time to read and hash a list as to change as many bytes."""

MOVED_FROM = 50
"""Values in lists of a document from which it is renamed while they are set, even before a script was measured."""

MAX_EDITS = 500
"""Limit of edits of one document in one script: Lua's unpack() accepts at most 8,000 values."""

FIRST_EDITS = 50
"""Edits in lists in the first script for a document with more of them: the server indexes it again for each edit."""

PART_TARGET_MICROSECONDS = 5_000
"""How long the script for a part of a document may take, besides what indexes take for any change of it."""

MAX_MICROSECONDS = 10_000
"""After this time a script begins no other document, whatever earlier scripts took."""


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
        chunk_documents: how many documents a script takes, from now on.
        is_cutting: whether the chunk that `cut_chunks` has made last is a part of a document.

    Args:
        after: the milestone that the record must have, see `record.milestone`; "" for none.
        counted_as: the field of the record to which the script adds the number of values written; "" for none.
        under: the server's run id, if the edits are valid only for that run of the server.
        processed: gets the documents that are changed, in the same script; None if the documents themselves show it.
        skips_processed: whether documents of this set are left unchanged.
        marks: gets the marks of the documents that are changed, in the same script.
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
        processed: ProcessedDocuments | None = None,
        skips_processed: bool = True,
        marks: ProcessedDocuments | None = None,
    ) -> None:
        self._marks = marks
        self._lease = lease
        self._keys = keys
        self._fields_expire = fields_expire
        self._after = after
        self._counted_as = counted_as
        self._under = under
        self._processed = processed
        self._skips_processed = skips_processed
        self.chunk_documents = FIRST_DOCUMENTS
        self._part_edits = FIRST_EDITS
        self.is_cutting = False
        self._script = _script()

    def chunks(self, documents: Sequence[DocumentEdits]) -> Iterable[Sequence[DocumentEdits]]:
        """Yield documents in chunks for `apply`; never one key twice in a chunk."""
        start = 0
        while start < len(documents):
            chunk = documents[start : start + self.chunk_documents]
            is_small = sum(map(_byte_size, chunk)) <= MAX_CHUNK_BYTES
            if not is_small or len({document.key for document in chunk}) < len(chunk):
                chunk = chunk[: _fitting(chunk)]
            yield chunk
            start += len(chunk)

    def cut_chunks(self, documents: Iterable[DocumentEdits]) -> Iterable[Sequence[DocumentEdits]]:
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
        if document.is_atomic:
            return False
        if document.locations or document.count <= 1:
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
        """Like `apply`, sent ahead: the next documents can be classified while the server works on these.

        Effects: one script, sent ahead.
        """
        return (yield from self._send(documents, label, is_part=self.is_cutting))

    def _send(self, documents: Sequence[DocumentEdits], label: str | None, *, is_part: bool) -> Op[SentChunk]:
        wire = list(_wire(documents, self._processed, self._marks))
        payload = msgpack.packb(wire, use_bin_type=False)
        script = yield from self._lease.send(
            self._script,
            (self._keys.journal, self._keys.record, self._keys.moved),
            (
                payload,
                b"" if label is None else blob_of(documents),
                label or "",
                "1" if self._fields_expire else "0",
                self._after,
                self._counted_as,
                self._under,
                MAX_MICROSECONDS,
                MOVED_FROM,
                "1" if self._skips_processed else "0",
                FORMAT,
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
        codes, read_back, microseconds, of_indexing = yield from self._lease.receive(sent.script)
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
        self.chunk_documents = max(1, min(MAX_DOCUMENTS, (self.chunk_documents + wanted) // 2))


def split_large(document: DocumentEdits) -> list[DocumentEdits]:
    """Split a document with very many edits into several, each of them applied as a unit."""
    if document.count <= MAX_EDITS or document.is_atomic:
        return [document]
    starts = range(0, len(document.edits), MAX_EDITS)
    pieces = (document.edits[start : start + MAX_EDITS] for start in starts)
    guards, guarded_bytes = document.guards, document.guarded_bytes
    return [
        DocumentEdits(document.key, document.json, edits, list(guards), guarded_bytes) for edits in pieces
    ]


def _script() -> Script:
    return load("fenced.lua", "same_server.lua", "compare.lua", "apply.lua")


def _sorted_out(
    documents: Sequence[DocumentEdits], codes: bytes, read_back: list[Any]
) -> tuple[Applied, list[DocumentEdits]]:
    """Return the result of a script, and the documents that it has left."""
    if codes == b"a" * len(documents) and not read_back:
        return Applied(list(documents), [], [], []), []
    by_code: dict[str, list[DocumentEdits]] = {"a": [], "c": [], "f": [], "l": [], "d": []}
    for document, code in zip(documents, codes.decode(), strict=True):
        if (
            code == "g"
        ):  # the script has not seen how the server prints its numbers: it takes the general path
            document.edits = document.edits
        by_code["l" if code == "g" else code].append(document)
    altered = [
        (documents[number], documents[number].edits[change], text or None)
        for number, change, text in read_back
        if change < len(documents[number].edits)
    ]
    return Applied(by_code["a"], by_code["c"], by_code["f"], altered), by_code["l"]


def _fitting(documents: Sequence[DocumentEdits]) -> int:
    """Return how many of the first documents are of different keys and fit into a chunk, at least one."""
    keys: set[bytes] = set()
    size = 0
    for number, document in enumerate(documents):
        size += _byte_size(document)
        if keys and (size > MAX_CHUNK_BYTES or document.key in keys):
            return number
        keys.add(document.key)
    return len(documents)


def _byte_size(document: DocumentEdits) -> int:
    if document.locations:
        return sum(map(len, document.old)) + _PLAIN_BYTES * document.count
    if document.compact is not None:
        return document.compact.byte_size
    size = document.guarded_bytes // _GUARDED_BYTES_PER_BYTE
    return size + sum(map(_edit_bytes, document.edits))


def _edit_bytes(edit: Edit) -> int:
    return len(edit.old or b"") + len(edit.new or b"") + 64


def _items(edits: Sequence[Edit]) -> int:
    """How many of the edits are items of lists, or lie in them."""
    return sum(in_list(edit.location) for edit in edits)


def _wire(
    documents: Iterable[DocumentEdits], processed: ProcessedDocuments | None, marks: ProcessedDocuments | None
) -> Iterable[list[Any]]:
    """Yield documents as apply.lua takes them: plain ones in groups, others one by one.

    Compact ones with numbers that no other confirms are not compact.
    """
    has_whole, most_digits = False, 0
    for locations, alike in groupby(documents, attrgetter("locations")):
        if locations:
            yield _plain_wire(locations, list(alike))
            continue
        for document in alike:
            compact = document.compact
            if compact is None or processed is not None:
                yield nested_wire(document, processed, marks)
            elif (forms := compact.forms) is None or (forms[0] <= has_whole and forms[1] <= most_digits):
                yield compact.wire(marks)
            else:
                has_whole, most_digits = has_whole or forms[0], max(most_digits, forms[1])
                yield [*nested_wire(document, processed, marks), forms]


def _plain_wire(locations: Sequence[Location], documents: Sequence[DocumentEdits]) -> list[Any]:
    """Return plain documents with edits at the same places as one item."""
    return [
        [document.key for document in documents],
        b"plain",
        [place[0] for place in locations],
        list(chain.from_iterable([document.old for document in documents])),
        list(chain.from_iterable([document.new for document in documents])),
    ]
