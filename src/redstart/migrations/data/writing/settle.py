"""Apply edits, retrying documents that another client changed since they were read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.data.planned.documents import DocumentEdits, StoredDocument
from redstart.migrations.data.planned.plan import PlannedModel
from redstart.migrations.data.reading.read import read_documents
from redstart.migrations.data.writing.apply import Applied, Applier, SentChunk, split_large

MOST_TRIES = 20
"""Retries for a document that other clients keep changing; after that, the next pass processes it."""

EditsMaker = Callable[[Sequence[StoredDocument]], Op[list[DocumentEdits]]]
"""Makes the edits of documents as just read."""


@dataclass(slots=True)
class Settled:
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


class Settling:
    """Edits in progress. `begin` sends the first of them ahead, `finish` retries conflicts until all are written."""

    def __init__(self, applier: Applier, make_edits: EditsMaker, *, label: str | None) -> None:
        self._applier = applier
        self._make_edits = make_edits
        self._label = label
        self._models: dict[bytes, PlannedModel] = {}
        self._sent: list[SentChunk] = []

    def begin(self, documents: Sequence[StoredDocument]) -> Op[None]:
        """Send the edits that `make_edits` returns."""
        self._models = {document.key: document.model for document in documents}
        yield from self._send(documents)

    def finish(self) -> Op[Settled]:
        """Read, classify and send documents with conflicts again, until they are written."""
        settled = Settled()
        for _ in range(MOST_TRIES):
            conflicts = yield from self._collect(settled)
            if not conflicts:
                return settled
            settled.retried += len(conflicts)
            documents = yield from read_documents([(key, self._models[key]) for key in conflicts])
            yield from self._send(documents)
        settled.retried += len((yield from self._collect(settled)))
        return settled

    def _send(self, documents: Sequence[StoredDocument]) -> Op[None]:
        edits = yield from self._make_edits(documents)
        parts = (part for document in edits if document.count for part in split_large(document))
        self._sent = []
        for chunk in self._applier.chunks(parts):
            self._sent.append((yield from self._applier.send(chunk, label=self._label)))

    def _collect(self, settled: Settled) -> Op[list[bytes]]:
        """Collect the results of the sent chunks. Return the keys with conflicts."""
        conflicts: dict[bytes, None] = {}
        for sent in self._sent:
            applied = yield from self._applier.collect(sent)
            settled.applied.append(applied)
            settled.documents += len(applied.changed)
            settled.values += sum(document.count for document in applied.changed)
            conflicts |= dict.fromkeys(document.key for document in applied.conflicts)
        return list(conflicts)
