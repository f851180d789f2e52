"""What a run records of single documents, where the documents themselves do not tell it.

Until a migration is contracted, a document has the values of both versions, and both versions write theirs. If they do
not fit each other, the values that were there when the run copied them tell which version has written since. And
where documents do not show a change, a document that a run has met and left unchanged has to stay so in a rollback.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgpack

from redstart.effects import Argument, Op
from redstart.migrations.data.edit_builder import ClassifiedDocument, classify
from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.lease import Lease
from redstart.migrations.transformation import Transformation

Texts: TypeAlias = Sequence[bytes | None]


def source_mark(key: bytes, number: int, texts: Texts) -> bytes:
    """Return the mark of the old values that a change of a document has copied."""
    return packed_mark(key, "source", number, texts)


def target_mark(key: bytes, number: int, texts: Texts) -> bytes:
    """Return the mark of the new values that a change of a document has written."""
    return packed_mark(key, "target", number, texts)


def before_mark(key: bytes, number: int, texts: Texts) -> bytes:
    """Return the mark of the new values that a document had before a change, in place of those it has written."""
    return packed_mark(key, "before", number, texts)


def left_mark(document: StoredDocument) -> bytes:
    """Return the mark of a document that a run has left as it is."""
    return packed_mark(document.key, "left", 0, [part for value in document.values for part in _text(value)])


def _text(value: StoredValue) -> tuple[bytes, bytes]:
    return msgpack.packb(value.location), value.raw


_pack = msgpack.Packer().pack  # a packer of its own for each mark takes three times as long


def packed_mark(key: bytes, kind: str, number: int, texts: Texts) -> bytes:
    """Return a mark of a kind: `source`, `target`, `before` or `left`."""
    packed: bytes = _pack([key, kind, number, list(texts)])
    return packed


def marked_values(mark: bytes) -> tuple[str, int, list[bytes | None]]:
    """Return the kind, number and texts of a mark."""
    _, kind, number, texts = msgpack.unpackb(mark)
    return kind, number, texts


def classify_with_marks(
    documents: Sequence[StoredDocument], transformation: Transformation, marks: ProcessedDocuments | None
) -> Op[list[ClassifiedDocument]]:
    """Return documents with their classified values. A read for the marks on which the classification depends."""
    judged = [(document, classify(document, transformation)) for document in documents]
    if marks is None:
        return judged
    while asking := [at for at, (document, _) in enumerate(judged) if document.wanted]:
        wanted = [(judged[at][0], mark) for at in asking for mark in judged[at][0].wanted]
        found = yield from marks.contained([mark for _, mark in wanted])
        for document, mark in wanted:
            document.marks = {**(document.marks or {}), mark: mark in found}
        for at in asking:
            document, _ = judged[at]
            document.wanted = ()
            judged[at] = (document, classify(document, transformation))
    return judged


def mark_left(lease: Lease, marks: ProcessedDocuments, documents: Sequence[StoredDocument]) -> Op[None]:
    """Record documents that a run has met and left unchanged. Effects: one script. Safe to repeat."""
    if documents:
        commands: list[Sequence[Argument]] = [
            ["SADD", *marks.part_and_member(left_mark(document))] for document in documents
        ]
        yield from lease.commit(commands)


def without_left(
    documents: Sequence[StoredDocument], transformation: Transformation, marks: ProcessedDocuments | None
) -> Op[list[StoredDocument]]:
    """Return the documents that the run has not left as they are. A read where documents do not show a change."""
    if marks is None or transformation.decided_by_shape:
        return list(documents)
    names = [left_mark(document) for document in documents]
    left = yield from marks.contained(names)
    return [document for document, name in zip(documents, names, strict=True) if name not in left]
