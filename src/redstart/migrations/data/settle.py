"""Applying edits until nobody is in the way: what changed between read and apply is read, judged and sent again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redstart.effects import Op
from redstart.migrations.data.apply import Applied, Applier, split_large
from redstart.migrations.data.documents import DocumentEdits, StoredDocument
from redstart.migrations.data.read import read_documents

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
        unsettled: those that changed under us until the end.
        applied: every script's answer, for what it says of damage.
    """

    documents: int = 0
    values: int = 0
    retried: int = 0
    unsettled: int = 0
    applied: list[Applied] = field(default_factory=list)


def apply_until_settled(
    applier: Applier, documents: Sequence[StoredDocument], make_edits: EditsMaker, *, label: str | None
) -> Op[Settled]:
    """Apply the edits that `make_edits` asks for; `label` as for Applier.apply."""
    settled = Settled()
    models = {document.key: document.model for document in documents}
    for _ in range(MOST_TRIES):
        edits = yield from make_edits(documents)
        conflicts: dict[bytes, None] = {}
        parts = (part for document in edits if document.edits for part in split_large(document))
        for chunk in applier.chunks(parts):
            applied = yield from applier.apply(chunk, label=label)
            settled.applied.append(applied)
            settled.documents += len(applied.changed)
            settled.values += sum(len(document.edits) for document in applied.changed)
            conflicts |= dict.fromkeys(document.key for document in applied.conflicts)
        if not conflicts:
            return settled
        settled.retried += len(conflicts)
        documents = yield from read_documents([(key, models[key]) for key in conflicts])
    settled.unsettled = len(documents)
    return settled
