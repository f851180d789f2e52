"""Conflicts: documents that another client changed between the read and the write are read and edited again."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.data.applier import Applied, Applier, SentChunk
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.reader import read_documents

logger = logging.getLogger(__name__)

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
        self._documents: Sequence[StoredDocument] = ()
        self._sent: list[SentChunk] = []
        self._answered: list[Applied] = []

    def begin(self, documents: Sequence[StoredDocument]) -> Op[None]:
        """Send the edits that `make_edits` returns.

        Effects: those of `make_edits`, and a script for each chunk, sent ahead.
        """
        self._documents = documents
        yield from self._send(documents)

    def finish(self) -> Op[WriteOutcome]:
        """Read, classify and send documents with conflicts again, until they are written.

        Effects: the replies; for documents with conflicts a read and a script each, up to 20 times.
        """
        written = WriteOutcome()
        for _ in range(MAX_TRIES):
            conflicts = yield from self._collect(written)
            if not conflicts:
                return written
            written.retried += len(conflicts)
            models = {document.key: document.model for document in self._documents}
            documents = yield from read_documents([(key, models[key]) for key in conflicts])
            yield from self._send(documents)
        conflicts = yield from self._collect(written)
        if conflicts:
            logger.debug(
                "Documents in conflict after %d tries, left to the next pass: %d", MAX_TRIES, len(conflicts)
            )
        written.retried += len(conflicts)
        return written

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

    def _collect(self, written: WriteOutcome) -> Op[list[bytes]]:
        """Collect the results of the sent chunks. Return the keys with conflicts."""
        conflicts: dict[bytes, None] = {}
        yield from self._wait()
        answered, self._answered = self._answered, []
        for applied in answered:
            written.applied.append(applied)
            written.documents += len(applied.changed)
            written.values += sum(document.count for document in applied.changed)
            conflicts |= dict.fromkeys(document.key for document in applied.conflicts)
        return list(conflicts)
