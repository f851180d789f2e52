"""Applying edits until nobody is in the way: what changed between read and apply is read, judged and sent again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.data.planned.documents import DocumentEdits, StoredDocument
from redstart.migrations.data.planned.plan import PlannedModel
from redstart.migrations.data.reading.read import read_documents
from redstart.migrations.data.writing.apply import Applied, Applier, SentChunk

MOST_TRIES = 20
"""For a document that somebody else keeps changing; after that the next pass takes it."""

EditsMaker = Callable[[Sequence[StoredDocument]], Op[list[DocumentEdits]]]
"""The edits that documents, as just read, need."""


@dataclass(slots=True)
class Settled:
    """What became of some documents.

    Attributes:
        documents, values: written.
        retried: documents read again because somebody changed them meanwhile.
        applied: every script's answer, for what it says of damage.
    """

    documents: int = 0
    values: int = 0
    retried: int = 0
    applied: list[Applied] = field(default_factory=list)


class Settling:
    """Edits under way. `begin` sends the first of them ahead, `finish` waits until nobody is in the way."""

    def __init__(self, applier: Applier, make_edits: EditsMaker, *, label: str | None) -> None:
        self._applier = applier
        self._make_edits = make_edits
        self._label = label
        self._models: dict[bytes, PlannedModel] = {}
        self._sent: list[SentChunk] = []
        self._answered: list[Applied] = []

    def begin(self, documents: Sequence[StoredDocument]) -> Op[None]:
        """Send the edits that `make_edits` asks for."""
        self._models = {document.key: document.model for document in documents}
        yield from self._send(documents)

    def finish(self) -> Op[Settled]:
        """Read, judge and send again what somebody changed meanwhile, until it is written."""
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
        for chunk in self._applier.cut_chunks(document for document in edits if document.count):
            self._sent.append((yield from self._applier.send(chunk, label=self._label)))
            if self._applier.is_cutting:  # the next part is cut by the time that this one takes
                yield from self._wait()

    def _wait(self) -> Op[None]:
        for sent in self._sent:
            self._answered.append((yield from self._applier.collect(sent)))
        self._sent = []

    def _collect(self, settled: Settled) -> Op[list[bytes]]:
        """What became of the chunks under way; the keys that somebody else changed."""
        conflicts: dict[bytes, None] = {}
        yield from self._wait()
        answered, self._answered = self._answered, []
        for applied in answered:
            settled.applied.append(applied)
            settled.documents += len(applied.changed)
            settled.values += sum(document.count for document in applied.changed)
            conflicts |= dict.fromkeys(document.key for document in applied.conflicts)
        return list(conflicts)
